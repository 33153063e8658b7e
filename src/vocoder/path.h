/* The path of sound: the table of parts between the queue and the samples, and the lines and rings
 * between them.
 *
 *     queue → frames ┬──────────────────────────────────────────────────────┐
 *                    ├→ conditioner ⇒ rows                                  │
 *                    │                 ↓      ↓                             ↓
 *                    ├→ start ──────→ step → step → … → crossover ──────→ output + above
 *                    └→ voices → source ─┴──────┴──────────┘
 *
 * Without a pitch there is no crossover, without a network the source alone or noise. A network
 * that has learned to read the source beside the signal gets it at every step. What lies above the
 * mel (above.h) is made within the output: it belongs to the frames that are open there.
 */
#ifndef VOCODER_PATH_H
#define VOCODER_PATH_H

#include "vocoder/conditioner.h"
#include "vocoder/crossover.h"
#include "vocoder/frames.h"
#include "vocoder/output.h"
#include "vocoder/source_part.h"
#include "vocoder/start.h"
#include "vocoder/step.h"
#include "vocoder/voices.h"

typedef struct vocoder_path {
    const lull_model *model; /* NULL: no network */
    mel_convention convention;
    lull_options options;            /* complete */
    const denoiser_weights *weights; /* the model's */
    diffusion_plan *plan;            /* NULL: no network */
    vocoder_noise_source noise;

    vocoder_part
        *part; /* in the order of the signal: what a part reads was made by one before it */
    int parts;

    vocoder_frames frames;
    vocoder_conditioner conditioner;
    vocoder_voices voices;
    vocoder_source_context source_part;
    vocoder_start start, beside; /* beside: the source where there is no pitch */
    vocoder_step *step;
    int steps, block; /* block: network frames at most at a time */
    vocoder_crossover crossover;
    vocoder_output output;
    vocoder_line *lines,
        *carries; /* lines[k] is step k's input, lines[steps] what the last one makes;
                              carries NULL: none */
    vocoder_line source, crossed; /* the source beside a network, and what the crossover makes */
} vocoder_path;

/* Fills an empty path of the options as they were given: its parts, their sizes and latency. After
 * a failure too, vocoder_path_clear frees what there is. */
lull_status vocoder_path_init(vocoder_path *path, const lull_model *model,
                              const mel_convention *convention, const lull_options *options,
                              lull_error *error);
/* Bytes that the path takes beside the weights, which all vocoders of a model share. */
uint64_t vocoder_path_bytes(const vocoder_path *path);
/* Makes it ready to run. */
lull_status vocoder_path_allocate(vocoder_path *path, lull_error *error);
void vocoder_path_clear(vocoder_path *path);
void vocoder_path_reset(vocoder_path *path, uint64_t seed);

/* Rows of noise that an utterance takes, in this order: one for the start, or for what is in its
 * place without a network; one for each step that draws; one beside a network that reads a source or
 * gives way to one above the crossover, the source's own or plain noise for want of a pitch; one for
 * what lies above the mel where the signal is not white there. */
int vocoder_path_noise_rows(const vocoder_path *path);

/* Samples that all parts together keep back. */
size_t vocoder_path_latency(const vocoder_path *path);

#endif
