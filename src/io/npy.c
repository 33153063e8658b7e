/* NumPy's .npy arrays (numpy.lib.format, versions 1.0 and 2.0). */
#include "io/npy.h"

#include <stdio.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/file_bytes.h"

static const unsigned char MAGIC[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

/* Headers of plain arrays have about a hundred bytes. */
enum { MAX_HEADER = 65536, MOST_HEAD = MAX_HEADER + 12, MAX_DESCR = 32, MARK_BYTES = 192 };

typedef struct header {
    char descr[MAX_DESCR]; /* "" when it is not a plain string (records) */
    bool has_descr, has_order, has_shape;
    bool fortran_order;
    int dimensions;
    size_t shape[NPY_MAX_DIMENSIONS];
} header;

/* ---- the header: a Python dictionary ------------------------------------------------------- */

typedef struct cursor {
    const char *at, *end;
} cursor;

static void skip_spaces(cursor *c) {
    while (c->at < c->end &&
           (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r')) {
        c->at++;
    }
}

static bool take(cursor *c, char wanted) {
    skip_spaces(c);
    if (c->at == c->end || *c->at != wanted) return false;
    c->at++;
    return true;
}

static bool take_word(cursor *c, const char *word) {
    skip_spaces(c);
    size_t length = strlen(word);
    if ((size_t)(c->end - c->at) < length || memcmp(c->at, word, length) != 0) return false;
    c->at += length;
    return true;
}

/* A string literal without escapes, in either kind of quotes. */
static bool take_string(cursor *c, char *text, size_t room) {
    skip_spaces(c);
    if (c->at == c->end || (*c->at != '\'' && *c->at != '"')) return false;
    char quote = *c->at++;
    size_t length = 0;
    while (c->at < c->end && *c->at != quote) {
        if (length + 1 >= room || *c->at == '\\' || *c->at == '\0') return false;
        text[length++] = *c->at++;
    }
    text[length] = '\0';
    return take(c, quote);
}

static bool take_number(cursor *c, size_t *value) {
    skip_spaces(c);
    const char *start = c->at;
    *value = 0;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        if (__builtin_mul_overflow(*value, (size_t)10, value) ||
            __builtin_add_overflow(*value, (size_t)(*c->at - '0'), value)) {
            return false;
        }
    }
    bool some = c->at > start;
    if (c->at < c->end && *c->at == 'L') c->at++; /* written by Python 2 */
    return some;
}

/* "(80, 312)", "(80,)", "()". Sets dimensions to one too many when there are more than we hold. */
static bool take_shape(cursor *c, header *h) {
    if (!take(c, '(')) return false;
    h->dimensions = 0;
    while (!take(c, ')')) {
        size_t extent;
        if (!take_number(c, &extent)) return false;
        if (h->dimensions < NPY_MAX_DIMENSIONS) h->shape[h->dimensions] = extent;
        if (h->dimensions <= NPY_MAX_DIMENSIONS) h->dimensions++;
        if (!take(c, ',')) return take(c, ')');
    }
    return true;
}

/* Skips a bracketed value (the field list of a record type). Brackets inside strings do not count.
 */
static bool skip_list(cursor *c) {
    int depth = 0;
    char quote = '\0';
    for (; c->at < c->end; c->at++) {
        if (quote) {
            if (*c->at == quote) quote = '\0';
        } else if (*c->at == '\'' || *c->at == '"') {
            quote = *c->at;
        } else if (*c->at == '[' || *c->at == '(') {
            depth++;
        } else if ((*c->at == ']' || *c->at == ')') && --depth == 0) {
            c->at++;
            return true;
        }
    }
    return false;
}

static bool parse_header(const char *text, size_t size, header *h) {
    cursor c = {text, text + size};
    if (!take(&c, '{')) return false;
    while (!take(&c, '}')) {
        char key[MAX_DESCR];
        if (!take_string(&c, key, sizeof key) || !take(&c, ':')) return false;
        if (strcmp(key, "descr") == 0 && !h->has_descr) {
            skip_spaces(&c);
            h->has_descr = true;
            bool list = c.at < c.end && *c.at == '[';
            if (list ? !skip_list(&c) : !take_string(&c, h->descr, sizeof h->descr)) return false;
        } else if (strcmp(key, "fortran_order") == 0 && !h->has_order) {
            h->has_order = true;
            h->fortran_order = take_word(&c, "True");
            if (!h->fortran_order && !take_word(&c, "False")) return false;
        } else if (strcmp(key, "shape") == 0 && !h->has_shape) {
            h->has_shape = true;
            if (!take_shape(&c, h)) return false;
        } else {
            return false;
        }
        if (!take(&c, ',') && !(skip_spaces(&c), c.at < c.end && *c.at == '}')) return false;
    }
    return h->has_descr && h->has_order && h->has_shape;
}

/* ---- the data ------------------------------------------------------------------------------ */

static float half_to_float(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = half >> 10 & 0x1f;
    uint32_t fraction = half & 0x3ffu, bits;
    if (exponent == 0) { /* zero and subnormals: fraction · 2^-24, exact in a float */
        float value = (float)fraction * 0x1p-24f;
        memcpy(&bits, &value, sizeof bits);
        bits |= sign;
    } else if (exponent == 31) {
        bits = sign | 0x7f800000u | fraction << 13;
    } else {
        bits = sign | (exponent + 112) << 23 | fraction << 13;
    }
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Bytes are put together by hand: the file is little-endian and may be unaligned. */
static float element(const unsigned char *bytes, size_t size) {
    if (size == 2) return half_to_float((uint16_t)(bytes[0] | bytes[1] << 8));
    uint64_t bits = 0;
    for (size_t i = size; i-- > 0;) bits = bits << 8 | bytes[i];
    if (size == 4) {
        uint32_t word = (uint32_t)bits;
        float value;
        memcpy(&value, &word, sizeof value);
        return value;
    }
    double value;
    memcpy(&value, &bits, sizeof value);
    return (float)value;
}

static void convert(const unsigned char *bytes, size_t element_size, const header *h, size_t count,
                    float *out) {
    if (!h->fortran_order) {
        for (size_t i = 0; i < count; i++) out[i] = element(bytes + i * element_size, element_size);
        return;
    }
    /* Walks the output in C order, the last index fastest; in the file the first one is. */
    size_t index[NPY_MAX_DIMENSIONS] = {0}, stride[NPY_MAX_DIMENSIONS] = {0}, at = 0;
    for (int d = 0; d < h->dimensions; d++)
        stride[d] = d == 0 ? 1 : stride[d - 1] * h->shape[d - 1];
    for (size_t i = 0; i < count; i++) {
        out[i] = element(bytes + at * element_size, element_size);
        for (int d = h->dimensions - 1; d >= 0; d--) {
            at += stride[d];
            if (++index[d] < h->shape[d]) break;
            at -= stride[d] * h->shape[d];
            index[d] = 0;
        }
    }
}

static lull_status check_type(const header *h, const char *name, size_t *element_size,
                              lull_error *error) {
    const char *d = h->descr;
    if (strcmp(d, "<f4") == 0)
        *element_size = 4;
    else if (strcmp(d, "<f2") == 0)
        *element_size = 2;
    else if (strcmp(d, "<f8") == 0)
        *element_size = 8;
    else if (d[0] == '>') {
        return base_fail(error, LULL_FORMAT,
                         "'%s' holds big-endian numbers (%s): save array.astype('<f4')", name, d);
    } else {
        return base_fail(error, LULL_FORMAT,
                         "'%s' holds elements of type '%s', expected float16, float32 or float64: "
                         "save array.astype('float32')",
                         name, *d ? d : "record");
    }
    return LULL_OK;
}

/* Finds the header's text and where the data begins. */
static lull_status find_header(const unsigned char *bytes, size_t size, const char *name,
                               size_t *start, size_t *length, lull_error *error) {
    if (size < sizeof MAGIC || memcmp(bytes, MAGIC, sizeof MAGIC) != 0) {
        return base_fail(error, LULL_FORMAT,
                         "'%s' is not an .npy file (its magic number is missing)", name);
    }
    if (size < 10) goto truncated;
    if ((bytes[6] != 1 && bytes[6] != 2) || bytes[7] != 0) {
        return base_fail(error, LULL_FORMAT, "'%s' is .npy version %d.%d, expected 1.0 or 2.0",
                         name, bytes[6], bytes[7]);
    }
    *start = bytes[6] == 1 ? 10 : 12;
    if (size < *start) goto truncated;
    *length = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (bytes[6] == 2) *length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (*length > MAX_HEADER) {
        return base_fail(error, LULL_FORMAT, "'%s': a header of %zu bytes, expected at most %d",
                         name, *length, MAX_HEADER);
    }
    if (*length > size - *start) goto truncated;
    return LULL_OK;

truncated:
    return base_fail(error, LULL_FORMAT, "'%s' is truncated inside its header (%zu bytes)", name,
                     size);
}

lull_status npy_parse(const void *data, size_t size, const char *name, npy_array *array,
                      lull_error *error) {
    const unsigned char *bytes = data;
    *array = (npy_array){0};
    size_t start = 0, length = 0, element_size = 0;
    lull_status status = find_header(bytes, size, name, &start, &length, error);
    if (status) return status;
    header h = {0};
    if (!parse_header((const char *)bytes + start, length, &h)) {
        return base_fail(error, LULL_FORMAT, "'%s': its .npy header is malformed", name);
    }
    status = check_type(&h, name, &element_size, error);
    if (status) return status;
    if (h.dimensions > NPY_MAX_DIMENSIONS) {
        return base_fail(error, LULL_FORMAT, "'%s' has more than %d dimensions", name,
                         NPY_MAX_DIMENSIONS);
    }
    size_t count = 1, needed;
    bool overflow = false;
    for (int d = 0; d < h.dimensions; d++)
        overflow |= __builtin_mul_overflow(count, h.shape[d], &count);
    size_t available = size - start - length;
    if (__builtin_mul_overflow(count, element_size, &needed) || overflow) {
        return base_fail(error, LULL_FORMAT, "'%s': its shape is larger than any file", name);
    }
    if (needed > available) {
        return base_fail(error, LULL_FORMAT,
                         "'%s' is truncated: its shape needs %zu bytes of data, it has %zu", name,
                         needed, available);
    }
    array->data = base_alloc(count, sizeof *array->data);
    if (!array->data) return base_fail(error, LULL_NO_MEMORY, "out of memory reading '%s'", name);
    array->ours = npy_is_ours(data, size);
    array->dimensions = h.dimensions;
    memcpy(array->shape, h.shape, sizeof h.shape);
    if (count > 0) convert(bytes + start + length, element_size, &h, count, array->data);
    return LULL_OK;
}

lull_status npy_read(const char *path, npy_array *array, lull_error *error) {
    *array = (npy_array){0};
    file_bytes bytes;
    lull_status status = file_bytes_read(path, &bytes, error);
    if (status) return status;
    status = npy_parse(bytes.data, bytes.size, path, array, error);
    file_bytes_free(&bytes);
    return status;
}

lull_status npy_count(const char *path, size_t *count, lull_error *error) {
    file_bytes bytes;
    size_t start = 0, length = 0;
    header h = {0};
    *count = 0;
    lull_status status = file_bytes_read_head(path, MOST_HEAD, &bytes, error);
    if (status) return status;
    status = find_header(bytes.data, bytes.size, path, &start, &length, error);
    if (!status && !parse_header((const char *)bytes.data + start, length, &h))
        status = base_fail(error, LULL_FORMAT, "'%s': its .npy header is malformed", path);
    if (!status) *count = 1;
    for (int d = 0; d < h.dimensions && d < NPY_MAX_DIMENSIONS && !status; d++)
        if (__builtin_mul_overflow(*count, h.shape[d], count))
            status = base_fail(error, LULL_FORMAT, "'%s': its shape is larger than any file", path);
    file_bytes_free(&bytes);
    return status;
}

void npy_free(npy_array *array) {
    base_free(array->data);
    *array = (npy_array){0};
}

/* ---- writing ------------------------------------------------------------------------------- */

size_t npy_header(unsigned char *out, size_t room, const char *type, int dimensions,
                  const size_t *shape) {
    char extents[NPY_MAX_DIMENSIONS * 24] = "";
    size_t used = 0;
    for (int d = 0; d < dimensions; d++) {
        used += (size_t)snprintf(extents + used, sizeof extents - used, "%s%zu%s", d ? ", " : "",
                                 shape[d], dimensions == 1 ? "," : "");
    }
    char *text = (char *)out + 10;
    int written = snprintf(
        text, room - 10, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", type, extents);
    size_t length = (size_t)written, total = (10 + length + 1 + 63) / 64 * 64 + MARK_BYTES;
    memset(text + length, ' ', total - 10 - length);
    out[total - 1] = '\n';
    memcpy(out, MAGIC, sizeof MAGIC);
    out[6] = 1;
    out[7] = 0;
    out[8] = (unsigned char)((total - 10) & 0xff);
    out[9] = (unsigned char)((total - 10) >> 8);
    return total;
}

bool npy_is_ours(const void *bytes, size_t size) {
    static const char begin[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
    const unsigned char *b = bytes;
    size_t total, length = size;
    if (size < 10 + sizeof begin || memcmp(b, MAGIC, sizeof MAGIC) != 0 || b[6] != 1 ||
        memcmp(b + 10, begin, sizeof begin - 1) != 0)
        return false;
    total = 10 + (size_t)b[8] + ((size_t)b[9] << 8);
    if (total > size || b[total - 1] != '\n') return false;
    for (length = total - 1; length > 10 && b[length - 1] == ' ';) length--;
    return total == (length + 1 + 63) / 64 * 64 + MARK_BYTES;
}

lull_status npy_begin(const char *path, const float *data, int dimensions, const size_t *shape,
                      atomic_file **file, lull_error *error) {
    *file = NULL;
    if (dimensions < 0 || dimensions > NPY_MAX_DIMENSIONS) {
        return base_fail(error, LULL_INVALID, "'%s': %d dimensions, at most %d can be written",
                         path, dimensions, NPY_MAX_DIMENSIONS);
    }
    size_t bytes = sizeof *data;
    for (int d = 0; d < dimensions; d++) {
        if (__builtin_mul_overflow(bytes, shape[d], &bytes)) {
            return base_fail(error, LULL_INVALID, "'%s': the array is too large", path);
        }
    }
    unsigned char head[512];
    size_t head_size = npy_header(head, sizeof head, "<f4", dimensions, shape);
    lull_status status = atomic_file_open(path, file, error);
    if (status) return status;
    status = atomic_file_write(*file, head, head_size, error);
    if (!status) status = atomic_file_write(*file, data, bytes, error);
    if (status) {
        atomic_file_abandon(*file);
        *file = NULL;
    }
    return status;
}

lull_status npy_write(const char *path, const float *data, int dimensions, const size_t *shape,
                      lull_error *error) {
    atomic_file *file;
    lull_status status = npy_begin(path, data, dimensions, shape, &file, error);
    return status ? status : atomic_file_commit(file, error);
}
