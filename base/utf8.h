/* Well-formed UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the sequence that the text begins with, 1 to 4; 0 if that is not well-formed. */
size_t utf8_sequence(const char *text, size_t len);

bool utf8_is_valid(const char *text, size_t len);

/* Where a text stops being UTF-8, told as Rust's std::str::Utf8Error tells it. */
struct utf8_fault {
    size_t index; /* bytes before it are valid */
    size_t len;   /* bytes of the invalid sequence, 1 to 3; 0 if the text ends inside a sequence */
};

/* utf8_is_valid() that writes `fault` if the text is not. */
bool utf8_check(const char *text, size_t len, struct utf8_fault *fault);
