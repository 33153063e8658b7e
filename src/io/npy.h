/* NumPy's .npy arrays: version 1.0 and 2.0, little-endian float16/32/64, C or Fortran order;
 * written as float32 C order, version 1.0. */
#ifndef IO_NPY_H
#define IO_NPY_H

#include "lull.h"

enum { NPY_MAX_DIMENSIONS = 4 };

typedef struct npy_array {
    float *data; /* C order whatever the file's order was */
    int dimensions;
    size_t shape[NPY_MAX_DIMENSIONS];
} npy_array;

/* Reads an array; data is freed with npy_free. Errors name the path, what was found and expected.
 */
lull_status npy_read(const char *path, npy_array *array, lull_error *error);

/* The same from memory (fuzzing, tests); `name` stands in messages. */
lull_status npy_parse(const void *bytes, size_t size, const char *name, npy_array *array,
                      lull_error *error);

/* How many elements a file has, by its header alone. */
lull_status npy_count(const char *path, size_t *count, lull_error *error);

/* Do these first bytes (512 are enough) begin a file that npy_write wrote? They are padded more than
 * others. */
bool npy_is_ours(const void *bytes, size_t size);

/* Writes atomically. */
lull_status npy_write(const char *path, const float *data, int dimensions, const size_t *shape,
                      lull_error *error);

void npy_free(npy_array *array);

#endif
