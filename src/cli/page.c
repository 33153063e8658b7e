/* HTML pages that need nothing beside them: see page.h. */
#include "cli/page.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/memory.h"
#include "picture/png_file.h"
#include "recording/pcm.h"

static void add_bytes(page *p, const char *bytes, size_t length) {
    if (p->failed || !base_grow((void **)&p->bytes, &p->capacity, p->length + length + 1, 1)) {
        p->failed = true;
        return;
    }
    memcpy(p->bytes + p->length, bytes, length);
    p->length += length;
    p->bytes[p->length] = '\0';
}

void page_add_raw(page *p, const char *html) {
    add_bytes(p, html, strlen(html));
}

void page_add_page(page *p, const page *other) {
    p->failed |= other->failed;
    if (other->length) add_bytes(p, other->bytes, other->length);
}

void page_add(page *p, const char *format, ...) {
    char piece[4096];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(piece, sizeof piece, format, arguments);
    va_end(arguments);
    if (length < 0 || length >= (int)sizeof piece)
        p->failed = true;
    else
        add_bytes(p, piece, (size_t)length);
}

void page_add_escaped(page *p, const char *text) {
    for (; *text != '\0'; text++) {
        const char *entity = *text == '<'    ? "&lt;"
                             : *text == '>'  ? "&gt;"
                             : *text == '&'  ? "&amp;"
                             : *text == '"'  ? "&quot;"
                             : *text == '\'' ? "&#39;"
                                             : NULL;
        add_bytes(p, entity ? entity : text, entity ? strlen(entity) : 1);
    }
}

void page_add_address(page *p, const char *name) {
    for (; *name != '\0'; name++) {
        unsigned char c = (unsigned char)*name;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-_.~/", c) != NULL;
        if (plain)
            add_bytes(p, name, 1);
        else
            page_add(p, "%%%02X", c);
    }
}

/* ---- data --------------------------------------------------------------------------------- */

/* RFC 4648, section 4. */
static void add_base64(page *p, const uint8_t *bytes, size_t size) {
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t three = (uint32_t)bytes[i] << 16;
        if (left > 1) three |= (uint32_t)bytes[i + 1] << 8;
        if (left > 2) three |= bytes[i + 2];
        const char four[4] = {DIGITS[three >> 18], DIGITS[three >> 12 & 63],
                              left > 1 ? DIGITS[three >> 6 & 63] : '=',
                              left > 2 ? DIGITS[three & 63] : '='};
        add_bytes(p, four, 4);
    }
}

void page_add_picture(page *p, const picture_canvas *c) {
    uint8_t *png = NULL;
    size_t size = 0;
    if (picture_png_encode(c->rgb, c->width, c->height, &png, &size, NULL) != LULL_OK) {
        p->failed = true;
        return;
    }
    page_add_raw(p, "data:image/png;base64,");
    add_base64(p, png, size);
    base_free(png);
}

static void put(uint8_t *at, uint32_t value, int bytes) {
    for (int i = 0; i < bytes; i++) at[i] = (uint8_t)(value >> 8 * i);
}

void page_add_recording(page *p, const float *samples, size_t count, int rate) {
    enum { HEADER = 44 };
    uint8_t *wav = count < UINT32_MAX / 4 ? base_alloc(HEADER + 2 * count, 1) : NULL;
    if (!wav) {
        p->failed = true;
        return;
    }
    memcpy(wav, "RIFF\0\0\0\0WAVEfmt \20\0\0\0\1\0\1\0", 24);
    put(wav + 4, (uint32_t)(36 + 2 * count), 4);
    put(wav + 24, (uint32_t)rate, 4);
    put(wav + 28, 2 * (uint32_t)rate, 4);
    put(wav + 32, 2, 2);
    put(wav + 34, 16, 2);
    memcpy(wav + 36, "data", 4);
    put(wav + 40, (uint32_t)(2 * count), 4);
    recording_pcm_encode(RECORDING_PCM16, samples, count, wav + HEADER);
    page_add_raw(p, "data:audio/wav;base64,");
    add_base64(p, wav, HEADER + 2 * count);
    base_free(wav);
}

/* ---- the whole ---------------------------------------------------------------------------- */

static const char STYLE[] =
    "body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; margin: 0 auto;"
    " max-width: 92rem; padding: 1rem 1.5rem 4rem; }\n"
    "h1 { font-size: 1.7rem; margin-bottom: .3rem; } h2 { margin-top: 2.5rem; }\n"
    "p, li { max-width: 48rem; } code, pre { font: .92em/1.45 ui-monospace, monospace; }\n"
    "pre { background: #f4f4f6; padding: .6rem .9rem; overflow-x: auto; }\n"
    "table { border-collapse: collapse; }\n"
    "th, td { padding: .25rem .8rem; border-bottom: 1px solid #ddd; text-align: right;"
    " white-space: nowrap; font-variant-numeric: tabular-nums; }\n"
    "th:first-child, td:first-child { text-align: left; }\n"
    "th { background: #f4f4f6; } .best { font-weight: 600; } .quiet { color: #777; }\n"
    ".wide { overflow-x: auto; }\n"
    ".row { display: grid; grid-template-columns: repeat(auto-fit, minmax(21rem, 1fr));"
    " gap: 1rem; margin: .5rem 0 1.5rem; }\n"
    "figure { margin: 0; max-width: 44rem; }\n"
    "figure img { display: block; width: 100%; height: auto; } figcaption { font-weight: 600; }\n"
    "audio { display: block; width: 100%; height: 2.2rem; margin: .3rem 0; }\n"
    "@media print { audio { display: none; } }\n";

void page_begin(page *p, const char *title) {
    page_add_raw(p, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                    "<meta name=\"generator\" content=\"lull\">\n"
                    "<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
    page_add_escaped(p, title);
    page_add_raw(p, "</title>\n<style>\n");
    page_add_raw(p, STYLE);
    page_add_raw(p, "</style>\n</head>\n<body>\n<h1>");
    page_add_escaped(p, title);
    page_add_raw(p, "</h1>\n");
}

lull_status page_write(page *p, const char *path, lull_error *error) {
    atomic_file *file = NULL;
    page_add_raw(p, "</body>\n</html>\n");
    lull_status status = p->failed ? base_no_memory(error) : atomic_file_open(path, &file, error);
    if (status == LULL_OK) {
        status = atomic_file_write(file, p->bytes, p->length, error);
        if (status == LULL_OK)
            status = atomic_file_commit(file, error);
        else
            atomic_file_abandon(file);
    }
    page_free(p);
    return status;
}

void page_free(page *p) {
    base_free(p->bytes);
    *p = (page){NULL, 0, 0, false};
}
