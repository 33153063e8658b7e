/* The safetensors format: an 8-byte length, a JSON header, raw tensors. Reading maps the file;
 * nothing is trusted: header length, offsets, overlaps, dtypes and shapes are checked against the
 * file's size before use, and nothing larger than the file is allocated. */
#ifndef IO_SAFETENSORS_H
#define IO_SAFETENSORS_H

#include "lull.h"

enum { SAFETENSORS_MAX_DIMENSIONS = 8 };

typedef enum {
    SAFETENSORS_F32,
    SAFETENSORS_BF16,
    SAFETENSORS_F64,
    SAFETENSORS_I64,
    SAFETENSORS_I32,
    SAFETENSORS_U8,
    SAFETENSORS_OTHER
} safetensors_dtype;

typedef struct safetensors_tensor {
    const char *name;
    safetensors_dtype dtype;
    int dimensions;
    size_t shape[SAFETENSORS_MAX_DIMENSIONS];
    const void *data; /* inside the mapping; may be unaligned */
    size_t bytes;
} safetensors_tensor;

typedef struct safetensors safetensors;

lull_status safetensors_open(const char *path, safetensors **file, lull_error *error);
/* Keeps no copy: bytes must outlive *file. */
lull_status safetensors_parse(const void *bytes, size_t size, const char *name, safetensors **file,
                              lull_error *error);
void safetensors_close(safetensors *file);

size_t safetensors_count(const safetensors *file);
const safetensors_tensor *safetensors_at(const safetensors *file, size_t i);
const safetensors_tensor *safetensors_find(const safetensors *file, const char *name); /* or NULL */
/* Metadata string by key, or NULL. */
const char *safetensors_metadata(const safetensors *file, const char *key);

/* Copies an F32, BF16 or F64 tensor as float32 to out (count floats). Fails when the element count
 * differs. */
lull_status safetensors_read_f32(const safetensors *file, const char *name, float *out,
                                 size_t count, lull_error *error);

/* Writing: describe the tensors (data in C order, in the given dtype), then write atomically. */
typedef struct safetensors_entry {
    const char *name;
    safetensors_dtype dtype; /* F32, BF16 (data is float32, rounded to nearest even), I64, U8 */
    int dimensions;
    size_t shape[SAFETENSORS_MAX_DIMENSIONS];
    const void *data;
} safetensors_entry;

/* keys and values: `pairs` metadata strings. */
lull_status safetensors_write(const char *path, const safetensors_entry *entries, size_t count,
                              const char *const *keys, const char *const *values, size_t pairs,
                              lull_error *error);

#endif
