/* Names of files for lines of text: they may hold any bytes. */
#ifndef BASE_PRINTABLE_H
#define BASE_PRINTABLE_H

#include <stddef.h>

/* Copies `text` with each byte that is no UTF-8, or a control character, as \xNN: the result is one
 * line of UTF-8. Cut off to fit `size` bytes with the ending '\0'. Returns out. */
const char *base_printable(const char *text, char *out, size_t size);

#endif
