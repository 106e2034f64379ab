/* RFC 4648 base64, read strictly; and written for where '+', '/' and '=' would be in the way. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

/* Appends what `data` stands for: the standard alphabet, with its padding, without line breaks and
 * with unused bits zero (sections 3.2, 3.3 and 3.5). False if it is anything else, or without
 * memory: text_failed() tells. */
bool base64_decode(const char *data, size_t len, struct text *out);

/* Appends the bytes in the alphabet for URLs and names of files, without padding (section 5). False
 * without memory. */
bool base64url_encode(const void *data, size_t len, struct text *out);

/* Appends what was encoded so; as base64_decode(). */
bool base64url_decode(const char *data, size_t len, struct text *out);
