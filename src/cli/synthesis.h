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
    const lull_model *model;   /* NULL: no network */
    mel_convention convention; /* the reading's target */
    lull_options options;
    const cli_reading *reading;
    npy_array noise;   /* data NULL: the generator's */
    npy_array f0;      /* of every frame, Hz; data NULL: what the pitch network hears */
    bool plot;         /* a picture beside each output */
    const char *trace; /* folder for the steps, or NULL */
    int griffin_lim;   /* iterations; 0 = not asked for */
    recording_format format;
    bool wav; /* on standard output */
    int rate; /* of the output, Hz */
    /* Called as samples come out, from any worker: `done` of the job's `total` samples (0 = not
     * known). False: stop, the user gave up. */
    bool (*progress)(void *context, size_t fresh, size_t total);
    void *context;
} synthesis_settings;

typedef struct synthesis_worker synthesis_worker;

/* Creates the vocoder that the settings ask for (none for Griffin-Lim). The settings must outlive
 * it. */
lull_status synthesis_worker_new(const synthesis_settings *settings, synthesis_worker **worker,
                                 lull_error *error);
void synthesis_worker_free(synthesis_worker *worker);

/* Turns one input into one output. *samples: how many came out, also on failure; *limited: how many
 * of them the limiter reduced. On failure no output file is left. */
lull_status synthesis_run(synthesis_worker *worker, const cli_job *job, size_t *samples,
                          uint64_t *limited, lull_error *error);

/* NAME.wav's picture is NAME.png. */
lull_status synthesis_picture(const char *output, char *path, size_t size, lull_error *error);

#endif
