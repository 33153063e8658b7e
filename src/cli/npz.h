/* NumPy's .npz archives: zip files of .npy members, stored or deflated. */
#ifndef CLI_NPZ_H
#define CLI_NPZ_H

#include "io/npy.h"

typedef struct npz_file npz_file;

/* Reads the archive whole. */
lull_status npz_open(const char *path, npz_file **file, lull_error *error);
void npz_close(npz_file *file);

size_t npz_count(const npz_file *file);
/* Name of a member without its ".npy", valid until npz_close. */
const char *npz_name(const npz_file *file, size_t member);
/* Its place, or npz_count when there is none of that name. */
size_t npz_find(const npz_file *file, const char *name);

/* A member as an array of numbers (npy_free), or as the text of a scalar of bytes ("S") or Unicode
 * ("U") characters (base_free). */
lull_status npz_array(const npz_file *file, size_t member, npy_array *array, lull_error *error);
lull_status npz_text(const npz_file *file, size_t member, char **text, lull_error *error);

/* Writes two members: an array "mel" and a text "convention". Atomically. */
lull_status npz_write(const char *path, const float *data, int dimensions, const size_t *shape,
                      const char *convention, lull_error *error);

bool cli_is_npz(const char *path);

#endif
