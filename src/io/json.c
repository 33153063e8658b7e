/* JSON: text that nobody vouches for into yyjson's tree, and trees into text. */
#include "io/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* ---- memory: ours, so that its end can be tested --------------------------------------------- */

static void *take(void *context, size_t size) {
    (void)context;
    return base_alloc(size, 1);
}

static void *resize(void *context, void *memory, size_t old_size, size_t size) {
    (void)context;
    void *moved = base_alloc(size, 1);
    if (!moved) return NULL;
    memcpy(moved, memory, old_size < size ? old_size : size);
    base_free(memory);
    return moved;
}

static void give(void *context, void *memory) {
    (void)context;
    base_free(memory);
}

static const yyjson_alc allocator = {take, resize, give, NULL};

/* ---- reading --------------------------------------------------------------------------------- */

lull_status json_parse(const char *text, size_t size, const char *name, yyjson_doc **tree,
                       lull_error *error) {
    while (size > 0 && text[size - 1] == '\0') size--;
    yyjson_read_err wrong = {0};
    /* yyjson does not write to the text without YYJSON_READ_INSITU. */
    *tree = size == 0 ? NULL
                      : yyjson_read_opts((char *)(uintptr_t)text, size,
                                         YYJSON_READ_ALLOW_INVALID_UNICODE, &allocator, &wrong);
    if (*tree) return LULL_OK;
    if (size == 0) return base_fail(error, LULL_FORMAT, "%s: empty, expected JSON", name);
    if (wrong.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return base_fail(error, LULL_NO_MEMORY, "out of memory reading %s", name);
    size_t line = 1, column = 1, character = 0;
    yyjson_locate_pos(text, size, wrong.pos, &line, &column, &character);
    return base_fail(error, LULL_FORMAT, "%s:%zu:%zu: not valid JSON: %s", name, line, column,
                     wrong.msg);
}

bool json_size(yyjson_val *item, size_t *value) {
    const uint64_t most = (uint64_t)1 << 53;
    if (yyjson_is_uint(item) && yyjson_get_uint(item) <= most) {
        *value = (size_t)yyjson_get_uint(item);
        return *value == yyjson_get_uint(item);
    }
    if (!yyjson_is_real(item)) return false;
    double number = yyjson_get_real(item);
    if (!(number >= 0 && number <= (double)most)) return false;
    *value = (size_t)number;
    return (double)*value == number;
}

void json_show(yyjson_val *item, char *text, size_t size) {
    switch (yyjson_get_type(item)) {
    case YYJSON_TYPE_NUM:
        if (yyjson_is_uint(item))
            snprintf(text, size, "%llu", (unsigned long long)yyjson_get_uint(item));
        else if (yyjson_is_sint(item))
            snprintf(text, size, "%lld", (long long)yyjson_get_sint(item));
        else
            snprintf(text, size, "%.12g", yyjson_get_real(item));
        return;
    case YYJSON_TYPE_BOOL:
        snprintf(text, size, "%s", yyjson_get_bool(item) ? "true" : "false");
        return;
    case YYJSON_TYPE_STR:
        snprintf(text, size, "\"%.60s%s\"", yyjson_get_str(item),
                 yyjson_get_len(item) > 60 ? "…" : "");
        return;
    case YYJSON_TYPE_ARR:
        snprintf(text, size, "an array of %zu value%s", yyjson_arr_size(item),
                 yyjson_arr_size(item) == 1 ? "" : "s");
        return;
    case YYJSON_TYPE_OBJ:
        snprintf(text, size, "an object");
        return;
    case YYJSON_TYPE_NULL:
        snprintf(text, size, "null");
        return;
    default:
        snprintf(text, size, "nothing");
    }
}

/* The Unicode Standard, table 3-7: well-formed byte sequences. */
size_t json_utf8(const char *text) {
    const unsigned char *t = (const unsigned char *)text;
    if (t[0] < 0x80) return t[0] != 0;
    size_t length = t[0] >= 0xf0 ? 4 : t[0] >= 0xe0 ? 3 : 2;
    unsigned least = t[0] == 0xe0 ? 0xa0 : t[0] == 0xf0 ? 0x90 : 0x80;
    unsigned most = t[0] == 0xed ? 0x9f : t[0] == 0xf4 ? 0x8f : 0xbf;
    if (t[0] < 0xc2 || t[0] > 0xf4 || t[1] < least || t[1] > most) return 0;
    for (size_t i = 2; i < length; i++)
        if ((t[i] & 0xc0) != 0x80) return 0;
    return length;
}

/* ---- writing --------------------------------------------------------------------------------- */

json_writer json_writer_new(void) {
    json_writer writer = {yyjson_mut_doc_new(&allocator), NULL, false, false};
    writer.root = yyjson_mut_obj(writer.tree);
    yyjson_mut_doc_set_root(writer.tree, writer.root);
    writer.lost = writer.root == NULL;
    return writer;
}

/* A text of the tree's own, of UTF-8. */
static yyjson_mut_val *text_of(const json_writer *writer, const char *text) {
    bool well = true;
    size_t size = 1;
    for (const char *at = text; *at;) {
        size_t length = json_utf8(at);
        well = well && length > 0;
        size += length ? length : 3;
        at += length ? length : 1;
    }
    if (well || writer->keep_bytes) return yyjson_mut_strcpy(writer->tree, text);
    char *mended = base_alloc(size, 1), *to = mended;
    if (!mended) return NULL;
    for (const char *at = text; *at;) {
        size_t length = json_utf8(at);
        memcpy(to, length ? at : "\xef\xbf\xbd", length ? length : 3);
        to += length ? length : 3;
        at += length ? length : 1;
    }
    yyjson_mut_val *value = yyjson_mut_strcpy(writer->tree, mended);
    base_free(mended);
    return value;
}

static yyjson_mut_val *add(json_writer *writer, yyjson_mut_val *parent, const char *name,
                           yyjson_mut_val *value) {
    bool added = parent && value &&
                 (name ? yyjson_mut_obj_add(parent, text_of(writer, name), value)
                       : yyjson_mut_arr_append(parent, value));
    if (added) return value;
    writer->lost = true;
    return NULL;
}

yyjson_mut_val *json_add_object(json_writer *writer, yyjson_mut_val *parent, const char *name) {
    return add(writer, parent, name, yyjson_mut_obj(writer->tree));
}

yyjson_mut_val *json_add_array(json_writer *writer, yyjson_mut_val *parent, const char *name) {
    return add(writer, parent, name, yyjson_mut_arr(writer->tree));
}

void json_add_text(json_writer *writer, yyjson_mut_val *parent, const char *name,
                   const char *value) {
    add(writer, parent, name, text_of(writer, value));
}

/* Whole numbers without ".0", as people write them. */
void json_add_number(json_writer *writer, yyjson_mut_val *parent, const char *name, double value) {
    yyjson_mut_doc *tree = writer->tree;
    bool whole = fabs(value) <= 9007199254740992.0 && value == floor(value) &&
                 !(value == 0 && signbit(value));
    add(writer, parent, name,
        whole             ? yyjson_mut_sint(tree, (int64_t)value)
        : isfinite(value) ? yyjson_mut_real(tree, value)
                          : yyjson_mut_null(tree));
}

void json_add_whole(json_writer *writer, yyjson_mut_val *parent, const char *name, uint64_t value) {
    add(writer, parent, name, yyjson_mut_uint(writer->tree, value));
}

void json_add_bool(json_writer *writer, yyjson_mut_val *parent, const char *name, bool value) {
    add(writer, parent, name, yyjson_mut_bool(writer->tree, value));
}

void json_add_copy(json_writer *writer, yyjson_mut_val *parent, const char *name,
                   yyjson_val *value) {
    add(writer, parent, name, yyjson_val_mut_copy(writer->tree, value));
}

char *json_writer_end(json_writer *writer, bool indented) {
    yyjson_write_flag flags = YYJSON_WRITE_ALLOW_INVALID_UNICODE |
                              (indented ? YYJSON_WRITE_PRETTY_TWO_SPACES : YYJSON_WRITE_NOFLAG);
    char *text =
        writer->lost ? NULL : yyjson_mut_write_opts(writer->tree, flags, &allocator, NULL, NULL);
    yyjson_mut_doc_free(writer->tree);
    *writer = (json_writer){.lost = true};
    return text;
}

char *json_print(yyjson_val *item) {
    return yyjson_val_write_opts(item, YYJSON_WRITE_ALLOW_INVALID_UNICODE, &allocator, NULL, NULL);
}
