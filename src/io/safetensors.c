/* The safetensors format: an 8-byte length, a JSON header, raw tensors. */
#include "io/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/bf16.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/sort.h"
#include "io/file_bytes.h"
#include "io/json.h"

/* Room for tens of thousands of tensors. An entry has at least
 * "":{"dtype":"U8","shape":[],"data_offsets":[0,0]}, so that the table of tensors (160 bytes each)
 * takes no more than four times the header, whatever that promises. */
enum { MAX_HEADER = 4 << 20, BYTES_OF_AN_ENTRY = 48 };

static const char METADATA[] = "__metadata__";

struct safetensors {
    char *name; /* of the file, for messages */
    file_bytes bytes;
    yyjson_doc *header;   /* owns the tensors' names and the metadata */
    yyjson_val *metadata; /* inside header, or NULL */
    safetensors_tensor *tensors;
    size_t count;
    size_t *by_name; /* indices of tensors, sorted by name */
};

static const struct {
    const char *name;
    safetensors_dtype dtype;
    size_t size;
} DTYPES[] = {
    {"F32", SAFETENSORS_F32, 4},       {"BF16", SAFETENSORS_BF16, 2},
    {"F64", SAFETENSORS_F64, 8},       {"I64", SAFETENSORS_I64, 8},
    {"I32", SAFETENSORS_I32, 4},       {"U8", SAFETENSORS_U8, 1},
    {"F16", SAFETENSORS_OTHER, 2},     {"I16", SAFETENSORS_OTHER, 2},
    {"U16", SAFETENSORS_OTHER, 2},     {"U32", SAFETENSORS_OTHER, 4},
    {"U64", SAFETENSORS_OTHER, 8},     {"I8", SAFETENSORS_OTHER, 1},
    {"BOOL", SAFETENSORS_OTHER, 1},    {"F8_E4M3", SAFETENSORS_OTHER, 1},
    {"F8_E5M2", SAFETENSORS_OTHER, 1},
};

static size_t dtype_index(const char *name) {
    size_t i = 0, count = sizeof DTYPES / sizeof *DTYPES;
    while (i < count && strcmp(DTYPES[i].name, name) != 0) i++;
    return i;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* shape × element size must be exactly the bytes that the offsets span. */
static bool read_shape(yyjson_val *shape, size_t element_size, safetensors_tensor *tensor) {
    if (!yyjson_is_arr(shape)) return false;
    size_t i, count;
    yyjson_val *extent;
    size_t bytes = element_size;
    bool overflow = false, empty = false;
    yyjson_arr_foreach(shape, i, count, extent) {
        if (tensor->dimensions == SAFETENSORS_MAX_DIMENSIONS) return false;
        size_t n;
        if (!json_size(extent, &n)) return false;
        tensor->shape[tensor->dimensions++] = n;
        empty |= n == 0;
        overflow |= __builtin_mul_overflow(bytes, n, &bytes);
    }
    if (empty) return tensor->bytes == 0;
    return !overflow && bytes == tensor->bytes;
}

/* One entry of the header. data_size is what the file has behind the header. */
static lull_status read_tensor(const char *file, const char *name, yyjson_val *item,
                               const unsigned char *data, size_t data_size,
                               safetensors_tensor *tensor, lull_error *error) {
    yyjson_val *dtype = NULL, *shape = NULL, *offsets = NULL, *key, *field;
    int known = 0;
    size_t i, fields;
    tensor->name = name;
    yyjson_obj_foreach(item, i, fields, key, field) {
        if (yyjson_equals_str(key, "dtype")) dtype = field, known++;
        if (yyjson_equals_str(key, "shape")) shape = field, known++;
        if (yyjson_equals_str(key, "data_offsets")) offsets = field, known++;
    }
    if (!dtype || !shape || !offsets || known != 3) {
        return base_fail(error, LULL_FORMAT,
                         "'%s': tensor '%s' must have dtype, shape and data_offsets once each",
                         file, tensor->name);
    }
    size_t type = yyjson_is_str(dtype) ? dtype_index(yyjson_get_str(dtype)) : SIZE_MAX;
    if (type >= sizeof DTYPES / sizeof *DTYPES) {
        return base_fail(error, LULL_FORMAT, "'%s': tensor '%s' has the unknown dtype '%.32s'",
                         file, tensor->name, yyjson_is_str(dtype) ? yyjson_get_str(dtype) : "");
    }
    size_t begin, end;
    if (yyjson_arr_size(offsets) != 2 || !json_size(yyjson_arr_get(offsets, 0), &begin) ||
        !json_size(yyjson_arr_get(offsets, 1), &end) || begin > end) {
        return base_fail(error, LULL_FORMAT, "'%s': tensor '%s' has malformed data_offsets", file,
                         tensor->name);
    }
    if (end > data_size) {
        return base_fail(error, LULL_FORMAT,
                         "'%s': tensor '%s' ends at byte %zu of %zu bytes of data: the file is "
                         "truncated or damaged",
                         file, tensor->name, end, data_size);
    }
    tensor->dtype = DTYPES[type].dtype;
    tensor->data = data + begin;
    tensor->bytes = end - begin;
    if (!read_shape(shape, DTYPES[type].size, tensor)) {
        return base_fail(error, LULL_FORMAT,
                         "'%s': the shape of tensor '%s' does not go with its %zu bytes of %s",
                         file, tensor->name, tensor->bytes, DTYPES[type].name);
    }
    return LULL_OK;
}

static int compare_names(size_t a, size_t b, const void *context) {
    const safetensors_tensor *tensors = context;
    return strcmp(tensors[a].name, tensors[b].name);
}

static int compare_offsets(size_t a, size_t b, const void *context) {
    const safetensors_tensor *tensors = context;
    const safetensors_tensor *x = &tensors[a], *y = &tensors[b];
    const char *x_begin = x->data, *y_begin = y->data;
    if (x_begin != y_begin) return x_begin < y_begin ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes; /* empty ones first */
}

/* The tensors must cover the data exactly, as the format demands: no overlap, no hole, no rest. */
static lull_status check_layout(safetensors *file, const unsigned char *data, size_t data_size,
                                lull_error *error) {
    size_t *order = file->by_name; /* borrowed: it is sorted by name afterwards */
    base_sort_indices(order, file->count, compare_offsets, file->tensors);
    const unsigned char *at = data;
    for (size_t i = 0; i < file->count; i++) {
        const safetensors_tensor *tensor = &file->tensors[order[i]];
        if ((const unsigned char *)tensor->data != at) {
            bool overlap = (const unsigned char *)tensor->data < at;
            return base_fail(error, LULL_FORMAT, "'%s': tensor '%s' %s", file->name, tensor->name,
                             overlap ? "overlaps another" : "comes after a hole in the data");
        }
        at += tensor->bytes;
    }
    if (at != data + data_size) {
        return base_fail(error, LULL_FORMAT, "'%s': %zu bytes at its end belong to no tensor",
                         file->name, (size_t)(data + data_size - at));
    }
    return LULL_OK;
}

static lull_status check_names(safetensors *file, lull_error *error) {
    base_sort_indices(file->by_name, file->count, compare_names, file->tensors);
    for (size_t i = 1; i < file->count; i++) {
        const char *name = file->tensors[file->by_name[i]].name;
        if (strcmp(name, file->tensors[file->by_name[i - 1]].name) == 0) {
            return base_fail(error, LULL_FORMAT, "'%s': tensor '%s' is there twice", file->name,
                             name);
        }
    }
    return LULL_OK;
}

static lull_status check_metadata(const safetensors *file, lull_error *error) {
    bool fine = yyjson_is_obj(file->metadata);
    size_t i, pairs;
    yyjson_val *key, *value;
    yyjson_obj_foreach(file->metadata, i, pairs, key, value) fine = fine && yyjson_is_str(value);
    if (fine) return LULL_OK;
    return base_fail(error, LULL_FORMAT, "'%s': its metadata must be an object of strings",
                     file->name);
}

static lull_status read_header(safetensors *file, const unsigned char *data, size_t data_size,
                               size_t most, lull_error *error) {
    yyjson_val *root = yyjson_doc_get_root(file->header), *key, *item;
    size_t entries = yyjson_obj_size(root), i, n;
    if (entries > most)
        return base_fail(error, LULL_FORMAT, "'%s': %zu tensors in a header that has room for %zu",
                         file->name, entries, most);
    file->tensors = base_alloc(entries, sizeof *file->tensors);
    file->by_name = base_alloc(entries, sizeof *file->by_name);
    if (!file->tensors || !file->by_name) return base_no_memory(error);
    lull_status status = LULL_OK;
    yyjson_obj_foreach(root, i, n, key, item) {
        const char *name = yyjson_get_str(key);
        if (strlen(name) != yyjson_get_len(key))
            return base_fail(error, LULL_FORMAT, "'%s': a tensor's name has a NUL in it",
                             file->name);
        if (strcmp(name, METADATA) == 0) {
            if (file->metadata) {
                return base_fail(error, LULL_FORMAT, "'%s': it has metadata twice", file->name);
            }
            file->metadata = item;
            status = check_metadata(file, error);
        } else {
            status = read_tensor(file->name, name, item, data, data_size,
                                 &file->tensors[file->count], error);
            file->by_name[file->count] = file->count;
            file->count++;
        }
        if (status) return status;
    }
    status = check_layout(file, data, data_size, error);
    return status ? status : check_names(file, error);
}

static lull_status parse(safetensors *file, const unsigned char *bytes, size_t size,
                         lull_error *error) {
    if (size < 8) {
        return base_fail(error, LULL_FORMAT,
                         "'%s' is not a safetensors file: %zu bytes are too few", file->name, size);
    }
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--) length = length << 8 | bytes[i];
    if (length > size - 8 || length < 2 || bytes[8] != '{') {
        return base_fail(
            error, LULL_FORMAT,
            "'%s' is not a safetensors file, or truncated: it promises a header of %llu "
            "bytes and has %zu",
            file->name, (unsigned long long)length, size - 8);
    }
    if (length > MAX_HEADER) {
        return base_fail(error, LULL_FORMAT, "'%s': a header of %llu bytes, expected at most %d",
                         file->name, (unsigned long long)length, MAX_HEADER);
    }
    lull_status status =
        json_parse((const char *)bytes + 8, (size_t)length, file->name, &file->header, error);
    if (status) return status;
    return read_header(file, bytes + 8 + length, size - 8 - (size_t)length,
                       (size_t)length / BYTES_OF_AN_ENTRY + 4, error);
}

static lull_status new_file(const char *name, safetensors **file, lull_error *error) {
    *file = base_alloc(1, sizeof **file);
    if (*file) (*file)->name = base_strdup(name);
    if (*file && (*file)->name) return LULL_OK;
    safetensors_close(*file);
    *file = NULL;
    return base_no_memory(error);
}

lull_status safetensors_open(const char *path, safetensors **out, lull_error *error) {
    *out = NULL;
    safetensors *file;
    lull_status status = new_file(path, &file, error);
    if (status) return status;
    status = file_bytes_read_regular(path, &file->bytes, error);
    if (!status) status = parse(file, file->bytes.data, file->bytes.size, error);
    if (status) {
        safetensors_close(file);
        return status;
    }
    *out = file;
    return LULL_OK;
}

lull_status safetensors_parse(const void *bytes, size_t size, const char *name, safetensors **out,
                              lull_error *error) {
    *out = NULL;
    safetensors *file;
    lull_status status = new_file(name, &file, error);
    if (status) return status;
    status = parse(file, bytes, size, error);
    if (status) {
        safetensors_close(file);
        return status;
    }
    *out = file;
    return LULL_OK;
}

void safetensors_close(safetensors *file) {
    if (!file) return;
    yyjson_doc_free(file->header);
    file_bytes_free(&file->bytes);
    base_free(file->tensors);
    base_free(file->by_name);
    base_free(file->name);
    base_free(file);
}

size_t safetensors_count(const safetensors *file) {
    return file->count;
}

const safetensors_tensor *safetensors_at(const safetensors *file, size_t i) {
    return i < file->count ? &file->tensors[i] : NULL;
}

const safetensors_tensor *safetensors_find(const safetensors *file, const char *name) {
    size_t low = 0, high = file->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const safetensors_tensor *tensor = &file->tensors[file->by_name[middle]];
        int order = strcmp(name, tensor->name);
        if (order == 0) return tensor;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const char *safetensors_metadata(const safetensors *file, const char *key) {
    return yyjson_get_str(yyjson_obj_get(file->metadata, key));
}

static void widen(const safetensors_tensor *tensor, float *out, size_t count) {
    const unsigned char *bytes = tensor->data;
    if (tensor->dtype == SAFETENSORS_F32) {
        memcpy(out, bytes, count * sizeof *out);
    } else if (tensor->dtype == SAFETENSORS_BF16) {
        for (size_t i = 0; i < count; i++) {
            bf16 value;
            memcpy(&value, bytes + i * sizeof value, sizeof value);
            out[i] = bf16_widen(value);
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            double value;
            memcpy(&value, bytes + i * sizeof value, sizeof value);
            out[i] = (float)value;
        }
    }
}

lull_status safetensors_read_f32(const safetensors *file, const char *name, float *out,
                                 size_t count, lull_error *error) {
    const safetensors_tensor *tensor = safetensors_find(file, name);
    if (!tensor) {
        return base_fail(error, LULL_FORMAT, "'%s': tensor '%s' is missing", file->name, name);
    }
    size_t size = tensor->dtype == SAFETENSORS_F32    ? 4
                  : tensor->dtype == SAFETENSORS_BF16 ? 2
                  : tensor->dtype == SAFETENSORS_F64  ? 8
                                                      : 0;
    if (size == 0) {
        return base_fail(error, LULL_FORMAT, "'%s': tensor '%s' must be of dtype F32, BF16 or F64",
                         file->name, name);
    }
    if (tensor->bytes / size != count) {
        return base_fail(error, LULL_FORMAT, "'%s': tensor '%s' has %zu elements, expected %zu",
                         file->name, name, tensor->bytes / size, count);
    }
    if (count > 0) widen(tensor, out, count);
    return LULL_OK;
}

/* ---- writing ------------------------------------------------------------------------------- */

static const char *dtype_to_write(safetensors_dtype dtype, size_t *size) {
    for (size_t i = 0; i < sizeof DTYPES / sizeof *DTYPES; i++) {
        *size = DTYPES[i].size;
        if (DTYPES[i].dtype == dtype && dtype != SAFETENSORS_OTHER) return DTYPES[i].name;
    }
    return NULL;
}

static bool entry_elements(const safetensors_entry *entry, size_t *elements) {
    *elements = 1;
    if (entry->dimensions < 0 || entry->dimensions > SAFETENSORS_MAX_DIMENSIONS) return false;
    for (int d = 0; d < entry->dimensions; d++) {
        if (__builtin_mul_overflow(*elements, entry->shape[d], elements)) return false;
    }
    return *elements <= SIZE_MAX / 8;
}

static void describe(json_writer *header, const safetensors_entry *entry, const char *dtype,
                     size_t begin, size_t end) {
    yyjson_mut_val *item = json_add_object(header, header->root, entry->name);
    json_add_text(header, item, "dtype", dtype);
    yyjson_mut_val *shape = json_add_array(header, item, "shape");
    for (int d = 0; d < entry->dimensions; d++)
        json_add_whole(header, shape, NULL, entry->shape[d]);
    yyjson_mut_val *offsets = json_add_array(header, item, "data_offsets");
    json_add_whole(header, offsets, NULL, begin);
    json_add_whole(header, offsets, NULL, end);
}

static void add_metadata(json_writer *header, const char *const *keys, const char *const *values,
                         size_t pairs) {
    if (pairs == 0) return;
    yyjson_mut_val *metadata = json_add_object(header, header->root, METADATA);
    for (size_t i = 0; i < pairs; i++) json_add_text(header, metadata, keys[i], values[i]);
}

/* Tensors are laid out by element size, the largest first, so that each begins at a multiple of its
 * own; within a size they keep their order. Readers get aligned numbers whatever was asked for. */
static const size_t SIZES[] = {8, 4, 2, 1};
enum { SIZE_CLASSES = 4 };

static lull_status make_header(const char *path, const safetensors_entry *entries, size_t count,
                               json_writer *header, lull_error *error) {
    size_t at = 0;
    for (int c = 0; c < SIZE_CLASSES; c++) {
        for (size_t i = 0; i < count; i++) {
            size_t size, elements;
            const char *dtype = dtype_to_write(entries[i].dtype, &size);
            if (!dtype || !entry_elements(&entries[i], &elements)) {
                return base_fail(error, LULL_INVALID, "'%s': tensor '%s' cannot be written", path,
                                 entries[i].name);
            }
            if (size != SIZES[c]) continue;
            describe(header, &entries[i], dtype, at, at + elements * size);
            at += elements * size;
        }
    }
    return LULL_OK;
}

/* float32 to bfloat16: round to nearest even by the 16 bits that go; a NaN stays one. */
static lull_status write_data(atomic_file *file, const safetensors_entry *entry, size_t size,
                              size_t elements, lull_error *error) {
    if (entry->dtype != SAFETENSORS_BF16) {
        return atomic_file_write(file, entry->data, elements * size, error);
    }
    const float *values = entry->data;
    bf16 block[4096];
    lull_status status = LULL_OK;
    for (size_t first = 0; !status && first < elements; first += 4096) {
        size_t n = elements - first < 4096 ? elements - first : 4096;
        for (size_t i = 0; i < n; i++) block[i] = bf16_round(values[first + i]);
        status = atomic_file_write(file, block, n * sizeof *block, error);
    }
    return status;
}

static lull_status write_file(atomic_file *file, const char *text, const safetensors_entry *entries,
                              size_t count, lull_error *error) {
    size_t length = strlen(text), padding = (8 - length % 8) % 8;
    unsigned char prefix[8];
    for (int i = 0; i < 8; i++) prefix[i] = (unsigned char)((uint64_t)(length + padding) >> 8 * i);
    lull_status status = atomic_file_write(file, prefix, sizeof prefix, error);
    if (!status) status = atomic_file_write(file, text, length, error);
    if (!status) status = atomic_file_write(file, "        ", padding, error);
    for (int c = 0; c < SIZE_CLASSES; c++) {
        for (size_t i = 0; !status && i < count; i++) {
            size_t size, elements;
            dtype_to_write(entries[i].dtype, &size);
            entry_elements(&entries[i], &elements);
            if (size == SIZES[c]) status = write_data(file, &entries[i], size, elements, error);
        }
    }
    return status;
}

lull_status safetensors_write(const char *path, const safetensors_entry *entries, size_t count,
                              const char *const *keys, const char *const *values, size_t pairs,
                              lull_error *error) {
    char *text = NULL;
    atomic_file *file = NULL;
    json_writer header = json_writer_new();
    add_metadata(&header, keys, values, pairs);
    lull_status status = make_header(path, entries, count, &header, error);
    text = json_writer_end(&header, false);
    if (!status && !text) status = base_no_memory(error);
    if (!status && strlen(text) > MAX_HEADER) {
        status = base_fail(error, LULL_INVALID, "'%s': its header would be larger than %d bytes",
                           path, MAX_HEADER);
    }
    if (!status) status = atomic_file_open(path, &file, error);
    if (!status) status = write_file(file, text, entries, count, error);
    base_free(text);
    if (status) {
        atomic_file_abandon(file);
        return status;
    }
    return atomic_file_commit(file, error);
}
