/* One utterance at a time through the vocoder or a classical baseline: what a worker of lull synth
 * does. */
#ifndef CLI_SYNTHESIS_H
#define CLI_SYNTHESIS_H

#include "cli/input.h"
#include "cli/jobs.h"
#include "cli/sink.h"
#include "io/npy.h"

/* What all workers share; not changed while they run. */
typedef struct synthesis_settings {
    const lull_model *model; /* NULL: no network */
    /* What every input is read as (`said`, by -c); else each as what is written beside it, and as
     * `unsaid` those that say nothing. */
    mel_convention unsaid;
    bool said;
    mel_convention first; /* that of the first input: what a worker begins with */
    lull_options options;
    cli_input_options input;
    npy_array noise;   /* data NULL: the generator's */
    npy_array f0;      /* of every frame, Hz; data NULL: what the pitch network hears */
    bool plot;         /* a picture beside each output */
    const char *trace; /* folder for the steps, or NULL */
    int griffin_lim;   /* iterations; 0 = not asked for */
    recording_format format;
    bool wav; /* on standard output */
    int rate; /* of the output, Hz */
    /* Called as samples come out, from any worker: how many, and of the job's `total` (0 = not
     * known), of `rate` a second. False: stop, the user gave up. */
    bool (*progress)(void *context, size_t fresh, size_t total, int rate);
    void *context;
} synthesis_settings;

typedef struct synthesis_worker synthesis_worker;

/* Creates the vocoder that the settings ask for (none for Griffin-Lim), for the first input's
 * convention. The settings must outlive it. */
lull_status synthesis_worker_new(const synthesis_settings *settings, synthesis_worker **worker,
                                 lull_error *error);
void synthesis_worker_free(synthesis_worker *worker);

/* Turns one input into one output; where it is of another convention than the one before, a vocoder
 * for it is opened. *seconds: how much came out, also on failure; *limited: how many samples of it
 * the limiter reduced. On failure no output file is left. */
lull_status synthesis_run(synthesis_worker *worker, const cli_job *job, double *seconds,
                          uint64_t *limited, lull_error *error);

/* NAME.wav's picture is NAME.png. */
lull_status synthesis_picture(const char *output, char *path, size_t size, lull_error *error);

#endif
