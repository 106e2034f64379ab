/* JSON text from values, appended to a text. The text remembers failures: emit_done() asks. */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

/* Begins a member, with a comma where one is due. */
void emit_key(struct text *out, const char *name);

/* Begins an item of a list, likewise. */
void emit_item(struct text *out);

/* Brackets and literals, as they are. */
void emit_raw(struct text *out, const char *json);

/* A string. What is not UTF-8 in it becomes U+FFFD. */
void emit_text(struct text *out, const char *data, size_t len);

/* A string, or null for NULL. */
void emit_string(struct text *out, const char *string);

/* A number; a string of digits beyond ±(2^53-1), so that no reader rounds it. */
void emit_u64(struct text *out, uint64_t value);
void emit_i64(struct text *out, int64_t value);

void emit_bool(struct text *out, bool value);

/* False with ERR_INTERNAL if an append failed. */
bool emit_done(const struct text *out, struct error *err);
