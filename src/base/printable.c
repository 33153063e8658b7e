/* Names of files for lines of text: see printable.h. */
#include "base/printable.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Length of the UTF-8 sequence at s (Unicode 15, table 3-7), 0 when there is none. */
static size_t sequence(const unsigned char *s) {
    if (s[0] < 0x80) return 1;
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4) return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool beyond = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f);
    return overlong || beyond ? 0 : n;
}

const char *base_printable(const char *text, char *out, size_t size) {
    size_t used = 0;
    while (*text) {
        unsigned char first = (unsigned char)*text;
        size_t n = first < 0x20 || first == 0x7f ? 0 : sequence((const unsigned char *)text);
        if (used + (n ? n : 4) >= size) break;
        if (n)
            memcpy(out + used, text, n);
        else
            snprintf(out + used, 5, "\\x%02x", first);
        used += n ? n : 4;
        text += n ? n : 1;
    }
    if (size > 0) out[used] = '\0';
    return out;
}
