/* HTML pages that need nothing beside them: text that grows, names made harmless, pictures and
 * recordings as data: addresses. */
#ifndef CLI_PAGE_H
#define CLI_PAGE_H

#include "picture/canvas.h"

/* Zeroed to begin with. Once memory is out it stays as it is, and page_write says so. */
typedef struct page {
    char *bytes;
    size_t length, capacity;
    bool failed;
} page;

void page_add(page *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void page_add_raw(page *p, const char *html);
/* As text between tags or in an attribute. */
void page_add_escaped(page *p, const char *text);
/* As a part of a relative address. */
void page_add_address(page *p, const char *name);
void page_add_page(page *p, const page *other);

/* "data:…;base64,…" */
void page_add_picture(page *p, const picture_canvas *c);
void page_add_recording(page *p, const float *samples, size_t count, int rate); /* 16 bit WAV */

/* <!doctype html> to <body> with the style that all pages share, and a heading. */
void page_begin(page *p, const char *title);

/* Writes the page, with its end, to a file and frees it, also on failure. */
lull_status page_write(page *p, const char *path, lull_error *error);
void page_free(page *p);

#endif
