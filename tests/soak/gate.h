/* Lets the soak's clients work, or makes them wait. */
#pragma once

#include "tests/soak/soak.h"

void gate_open(struct gate *gate);

/* Returns when every client waits. */
void gate_close(struct gate *gate);

/* Ends the clients: gate_pass() tells them. */
void gate_end(struct gate *gate);

/* For clients, between two things that they do. If the gate is closed, calls leave(caller) first,
 * then waits. False when it is all over. */
bool gate_pass(struct gate *gate, void (*leave)(void *caller), void *caller);

/* A client starts to work; gate_pass() ends that. */
void gate_enter(struct gate *gate);
