/* How the numbers of a mel become frames for a vocoder: what they are said to be (-c, --from,
 * --statistics, what is written beside the array), the check that they can be that, and the
 * conversion. */
#ifndef CLI_READING_H
#define CLI_READING_H

#include "mel/convert.h"
#include "mel/opening.h"

/* What the command line says of the input. */
typedef struct cli_input_options {
    int layout;             /* index in cli_layout_choices: 0 by shape, 1 bands-first, … */
    const char *from;       /* --from, or NULL */
    const char *statistics; /* a file, or NULL */
    bool force;             /* --force: no refusals of what merely looks wrong */
    bool quiet;             /* no remarks */
} cli_input_options;

extern const char *const cli_layout_choices[]; /* "auto", "bands-first", "frames-first" */

#define CLI_INPUT_OPTIONS(i)                                                                       \
    CLI_CHOICE(0, "layout", "L", &(i).layout, cli_layout_choices, "bands-first or frames-first"),  \
        CLI_TEXT(0, "from", "SCALE", &(i).from,                                                    \
                 "the values are ln, log10, db, linear, range:LOW,HIGH:MIN,MAX: convert"),         \
        CLI_TEXT(0, "statistics", "FILE", &(i).statistics,                                         \
                 "mean and deviation (.npy, .npz, .json) that standardised the mel: undo"),        \
        CLI_FLAG(0, "force", &(i).force, "go on with a mel that looks wrong; replace any file")

typedef struct cli_reading {
    cli_input_options options;
    mel_convention base;        /* of the array's frames */
    mel_convention input;       /* base with the values that the array has */
    mel_convention target;      /* what the vocoder reads */
    mel_conversion *conversion; /* input → target, NULL when they are the same */
} cli_reading;

/* True when --from can be read; otherwise prints the usage error of the command. */
bool cli_input_fine(const cli_input_options *options, const char *command);

/* base: the convention of arrays before --from and --statistics change its values. target NULL: the
 * vocoder reads what comes in as it is (there is no network). Errors:
 * LULL_MISMATCH when base and target see different frames; those of the statistics' file. */
lull_status cli_reading_init(cli_reading *reading, const cli_input_options *options,
                             const mel_convention *base, const mel_convention *target,
                             lull_error *error);
void cli_reading_clear(cli_reading *reading);

/* Checks n frames (n × bands) that are all there is, makes padding silence, and converts, in place;
 * `name` stands in messages and remarks. */
lull_status cli_reading_take(const cli_reading *reading, const char *name, float *frames, size_t n,
                             lull_error *error);

/* The frames of a stream as they come. */
typedef struct cli_reading_seen {
    size_t frames, padded; /* how many, and how many of them were made silence */
    double loudest;        /* level of the loudest one, dB of full scale */
} cli_reading_seen;
typedef struct cli_reading_stream {
    mel_opening opened; /* the first ones, which are checked */
    cli_reading_seen seen;
} cli_reading_stream;
lull_status cli_reading_stream_init(cli_reading_stream *stream, const cli_reading *reading,
                                    lull_error *error);
void cli_reading_stream_clear(cli_reading_stream *stream);

/* As cli_reading_take, for n more frames of a stream; remarks wait for its end. */
lull_status cli_reading_take_some(const cli_reading *reading, cli_reading_stream *stream,
                                  const char *name, float *frames, size_t n, lull_error *error);
void cli_reading_remark(const cli_reading *reading, const cli_reading_seen *seen, const char *name);

/* Nobody wants the sound of a mel that the limiter had to hold down throughout: LULL_MISMATCH when
 * more than one in twenty of all `samples`, half a second or more, were limited. --force lets it
 * be. */
lull_status cli_reading_check_limited(const cli_reading *reading, const char *name,
                                      uint64_t limited, uint64_t samples, lull_error *error);

/* What `lull synth --explain-mel` prints of n frames. */
void cli_reading_explain(const cli_reading *reading, const char *name, const float *frames,
                         size_t n);

/* Reads mean and deviation for the convention's bands into it: .npy [2, bands] or [2], .npz with
 * "mean" and "deviation" (or "std" or "scale"), .json with "mean" and "deviation". */
lull_status cli_read_statistics(const char *path, mel_convention *convention, lull_error *error);

#endif
