/* NumPy's .npy arrays: version 1.0 and 2.0, little-endian float16/32/64, C or Fortran order;
 * written as float32 C order, version 1.0. */
#ifndef IO_NPY_H
#define IO_NPY_H

#include "base/atomic_file.h"
#include "lull.h"

enum { NPY_MAX_DIMENSIONS = 4 };

typedef struct npy_array {
    float *data; /* C order whatever the file's order was */
    int dimensions;
    size_t shape[NPY_MAX_DIMENSIONS];
    bool ours; /* written by lull (npy_is_ours) */
} npy_array;

/* Reads an array; data is freed with npy_free. Errors name the path, what was found and expected.
 */
lull_status npy_read(const char *path, npy_array *array, lull_error *error);

/* The same from memory (fuzzing, tests); `name` stands in messages. */
lull_status npy_parse(const void *bytes, size_t size, const char *name, npy_array *array,
                      lull_error *error);

/* How many elements a file has, by its header alone. */
lull_status npy_count(const char *path, size_t *count, lull_error *error);

/* What stands before the data of an array of the given type ("<f4"): magic, version 1.0, length and
 * dictionary, padded to a multiple of 64 bytes. `room` of at least 512 bytes. Returns the size. */
size_t npy_header(unsigned char *out, size_t room, const char *type, int dimensions,
                  const size_t *shape);

/* Do these first bytes (512 are enough) begin a file that npy_write wrote? They are padded more than
 * others. */
bool npy_is_ours(const void *bytes, size_t size);

/* Writes all of an array beside its target: what is left is atomic_file_commit or _abandon. On
 * failure nothing is left and *file is NULL. */
lull_status npy_begin(const char *path, const float *data, int dimensions, const size_t *shape,
                      atomic_file **file, lull_error *error);

/* Writes atomically. */
lull_status npy_write(const char *path, const float *data, int dimensions, const size_t *shape,
                      lull_error *error);

void npy_free(npy_array *array);

#endif
