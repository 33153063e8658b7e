/* What commands read: mel arrays and recordings as frames of a model's convention. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "io/npy.h"
#include "mel/convention.h"

/* What the values of a mel array are, when not what the model wants. */
enum { CLI_FROM_MODEL, CLI_FROM_LN, CLI_FROM_LOG10, CLI_FROM_DB, CLI_FROM_LINEAR };

typedef struct cli_input_options {
    int layout; /* index in cli_layout_choices: 0 by shape, 1 bands-first, 2 frames-first */
    int from;   /* index in cli_from_choices: CLI_FROM_… */
    bool quiet; /* no remarks on resampling and mixing */
} cli_input_options;

extern const char *const cli_layout_choices[]; /* "auto", "bands-first", "frames-first" */
extern const char *const cli_from_choices[];   /* "model", "ln", "log10", "db", "linear" */

#define CLI_INPUT_OPTIONS(i)                                                                       \
    CLI_CHOICE(0, "layout", "L", &(i).layout, cli_layout_choices, "bands-first or frames-first"),  \
        CLI_CHOICE(0, "from", "SCALE", &(i).from, cli_from_choices,                                \
                   "the mel's values are ln, log10, db or linear: convert")

/* Frames (n × bands, freed with base_free) from a .npy (by name or first bytes) or a recording
 * (analysed in the convention, with a remark when it was resampled or mixed). Everything is
 * checked; errors name the path. */
lull_status cli_read_input(const char *path, const mel_convention *convention,
                           const cli_input_options *options, float **frames, size_t *n,
                           lull_error *error);

/* The same for an array in memory. */
lull_status cli_arrange_array(const npy_array *array, const char *path,
                              const mel_convention *convention, const cli_input_options *options,
                              float **frames, size_t *n, lull_error *error);

/* Applies the conversion to frames as they stream in (in place); `name` stands in messages. */
lull_status cli_convert_frames(const mel_convention *convention, const cli_input_options *options,
                               const char *name, float *frames, size_t n, lull_error *error);

/* Converts as --from says, or without it checks that the frames can be of the convention. */
lull_status cli_take_frames(const mel_convention *convention, const cli_input_options *options,
                            const char *name, float *frames, size_t n, lull_error *error);

/* A recording ("-": standard input) as mono at `rate`, with the remark; digital silence is refused. *samples: base_free.
 */
lull_status cli_read_recording(const char *path, int rate, bool quiet, float **samples,
                               size_t *count, lull_error *error);

/* The frames of a recording that standard input held. */
lull_status cli_parse_recording(const void *bytes, size_t size, const mel_convention *convention,
                                const cli_input_options *options, float **frames, size_t *n,
                                lull_error *error);

bool cli_is_npy(const char *path);

#endif
