/* What commands read: mel arrays and recordings as frames of a model's convention. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "mel/convention.h"

typedef struct cli_input_options {
    int layout;       /* index in cli_layout_choices: 0 by shape, 1 bands-first, 2 frames-first */
    bool from_log10;  /* values are log10: multiply by ln 10 (models of natural logarithms) */
    bool from_linear; /* values are linear mel magnitudes: compress as the convention does */
    bool quiet;       /* no remarks on resampling and mixing */
} cli_input_options;

extern const char *const cli_layout_choices[]; /* "auto", "bands-first", "frames-first" */

#define CLI_INPUT_OPTIONS(i)                                                                       \
    CLI_CHOICE(0, "layout", "L", &(i).layout, cli_layout_choices, "bands-first or frames-first"),  \
    CLI_FLAG(0, "from-log10", &(i).from_log10, "mel values are log10; make them ln"),              \
    CLI_FLAG(0, "from-linear", &(i).from_linear, "mel values are linear; compress them")

/* Frames (n × bands, freed with base_free) from a .npy (by its first bytes) or a recording (analysed in the
 * convention, with a remark when it was resampled or mixed). Everything is checked; errors name the path. */
lull_status cli_read_input(const char *path, const mel_convention *convention,
                           const cli_input_options *options, float **frames, size_t *n,
                           lull_error *error);

/* Applies the conversions to frames as they stream in (in place). */
void cli_convert_frames(const mel_convention *convention, const cli_input_options *options,
                        float *frames, size_t n);

#endif
