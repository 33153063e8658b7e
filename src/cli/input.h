/* What commands read: mel arrays and recordings as frames of a convention. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "cli/reading.h"
#include "io/npy.h"

/* Frames (n × bands, freed with base_free) in the reading's target convention, from an array (.npy
 * by name or first bytes, .npz) or a recording (analysed in that convention, with a remark when it
 * was resampled or mixed). Everything is checked; errors name the path. */
lull_status cli_read_input(const char *path, const cli_reading *reading, float **frames, size_t *n,
                           lull_error *error);

/* The numbers of an array file, frame after frame, before any check: what --explain-mel looks at.
 */
lull_status cli_read_numbers(const char *path, const cli_reading *reading, float **frames,
                             size_t *n, lull_error *error);

/* The same for an array in memory. */
lull_status cli_arrange_array(const npy_array *array, const char *path, const cli_reading *reading,
                              float **frames, size_t *n, lull_error *error);

/* A recording as mono at `rate`, with the remark. *samples: base_free. */
lull_status cli_read_recording(const char *path, int rate, bool quiet, float **samples,
                               size_t *count, lull_error *error);

/* That and its frames; neither when it fails. */
lull_status cli_analyse_recording(const char *path, const mel_convention *convention, bool quiet,
                                  float **samples, size_t *count, float **frames, size_t *n,
                                  lull_error *error);

/* The frames of a recording that standard input held. */
lull_status cli_parse_recording(const void *bytes, size_t size, const cli_reading *reading,
                                float **frames, size_t *n, lull_error *error);

/* The convention that `lull mel` wrote beside an array (PATH.json) or into an archive
 * ("convention"); *found says whether there is one. */
lull_status cli_convention_beside(const char *path, mel_convention *convention, bool *found,
                                  lull_error *error);

bool cli_is_npy(const char *path);   /* by name or first bytes */
bool cli_is_array(const char *path); /* cli_is_npy, or .npz by name */

#endif
