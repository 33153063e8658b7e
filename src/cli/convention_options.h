/* Options that choose a mel convention: a named one or a model's, with any number changed. */
#ifndef CLI_CONVENTION_OPTIONS_H
#define CLI_CONVENTION_OPTIONS_H

#include "mel/convention.h"

typedef struct cli_convention_options {
    const char *name, *statistics;
    int rate, n_fft, window, hop, bands;
    double fmin, fmax;
} cli_convention_options;

#define CLI_CONVENTION_DEFAULT                                                                     \
    { NULL, NULL, 0, 0, 0, 0, 0, -1.0, -1.0 }

#define CLI_CONVENTION_HELP                                                                        \
    "a name of 'lull info --conventions', NAME,member=value, or a .json file"

#define CLI_CONVENTION_OPTIONS(c)                                                                  \
    CLI_TEXT('c', "convention", "NAME", &(c).name, CLI_CONVENTION_HELP " (default: the model's)"), \
        CLI_INT(0, "rate", "HZ", &(c).rate, 1000, 384000, "sample rate of the convention"),        \
        CLI_INT(0, "n-fft", "N", &(c).n_fft, 16, MEL_MAX_FFT, "transform length"),                 \
        CLI_INT(0, "window", "N", &(c).window, 16, MEL_MAX_FFT, "window length"),                  \
        CLI_INT(0, "hop", "N", &(c).hop, 1, MEL_MAX_FFT, "samples from frame to frame"),           \
        CLI_INT(0, "bands", "N", &(c).bands, 1, MEL_MAX_BANDS, "mel bands"),                       \
        CLI_NUMBER(0, "fmin", "HZ", &(c).fmin, 0, 192000, "lowest frequency of the bands"),        \
        CLI_NUMBER(0, "fmax", "HZ", &(c).fmax, 1, 192000, "highest frequency of the bands"),       \
        CLI_TEXT(0, "statistics", "FILE", &(c).statistics,                                         \
                 "mean and deviation (.npy, .npz, .json): subtract and divide")

/* A convention as -c says it: NAME, NAME,member=value,… or FILE.json. rate 0: its own. */
lull_status cli_read_convention(const char *text, int rate, mel_convention *convention,
                                lull_error *error);

/* The convention: the named one, else that of the model (its path from -m or the default one). */
lull_status cli_find_convention(const cli_convention_options *options, const char *model_option,
                                mel_convention *convention, lull_error *error);

/* The model and the convention of the input. base: what -c says, else what is written beside
 * `input` (an array, or NULL), else the model's. *model: NULL for "none", else that of
 * cli_open_model. A model of the lull family reads frames of any convention (vocoder_new_reading), a
 * DiffWave model its own alone: LULL_MISMATCH.
 * Several inputs: once with NULL, then cli_convention_of for each. */
lull_status cli_choose_model(const char *option, const char *convention, const char *input,
                             lull_model **model, mel_convention *base, lull_error *error);

/* What an input is read as where no -c says it: what is written beside an array, else `unsaid`.
 * *said: whether there was anything. model: what is to read it, or NULL. */
lull_status cli_convention_of(const char *input, const lull_model *model,
                              const mel_convention *unsaid, mel_convention *base, bool *said,
                              lull_error *error);

/* Are they the frames that the model was trained on, so that their numbers are converted to its
 * own? False without a model. */
bool cli_model_shares_frames(const lull_model *model, const mel_convention *base);

/* A vocoder for frames of `target`: with the model, or (NULL) without a network. */
lull_status cli_new_vocoder(const lull_model *model, const mel_convention *target,
                            const lull_options *options, lull_vocoder **vocoder, lull_error *error);

#endif
