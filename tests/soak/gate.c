#include "tests/soak/gate.h"

static void set_closed(struct gate *gate, bool is_closed)
{
    pthread_mutex_lock(&gate->mutex);
    gate->is_closed = is_closed;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->mutex);
}

void gate_open(struct gate *gate)
{
    set_closed(gate, false);
}

void gate_close(struct gate *gate)
{
    set_closed(gate, true);
    pthread_mutex_lock(&gate->mutex);
    while (gate->at_work > 0)
        pthread_cond_wait(&gate->changed, &gate->mutex);
    pthread_mutex_unlock(&gate->mutex);
}

void gate_end(struct gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    gate->is_over = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->mutex);
}

void gate_enter(struct gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    gate->at_work++;
    pthread_mutex_unlock(&gate->mutex);
}

static void wait_outside(struct gate *gate)
{
    gate->at_work--;
    pthread_cond_broadcast(&gate->changed);
    while (gate->is_closed && !gate->is_over)
        pthread_cond_wait(&gate->changed, &gate->mutex);
    gate->at_work++;
}

bool gate_pass(struct gate *gate, void (*leave)(void *caller), void *caller)
{
    pthread_mutex_lock(&gate->mutex);
    if (gate->is_closed && !gate->is_over) {
        pthread_mutex_unlock(&gate->mutex);
        leave(caller);
        pthread_mutex_lock(&gate->mutex);
        wait_outside(gate);
    }
    bool goes_on = !gate->is_over;
    if (!goes_on)
        gate->at_work--;
    pthread_mutex_unlock(&gate->mutex);
    return goes_on;
}
