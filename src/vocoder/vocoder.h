/* What the program needs of a vocoder beyond lull.h: given noise, no network, a look inside,
 * counts. */
#ifndef VOCODER_VOCODER_H
#define VOCODER_VOCODER_H

#include "mel/convention.h"
#include "vocoder/trace.h"

/* A vocoder for mels of any convention: colouring and mel consistency work in the mels' own, at
 * their own rate and hop; the networks read them as the model's (mel/reader.h). model NULL: no
 * network, but noise or the pitch source (options.source) coloured by the mel, then mel
 * consistency, the classical baseline; steps, sampler, eta, use and precision are then not used.
 * DiffWave models read their own convention alone (LULL_MISMATCH): their upsampler is made for one
 * hop. */
lull_status vocoder_new_reading(const lull_model *model, const mel_convention *convention,
                                const lull_options *options, lull_vocoder **vocoder,
                                lull_error *error);

/* Rows of noise that an utterance takes: see vocoder_path_noise_rows. */
int vocoder_noise_rows(const lull_vocoder *vocoder);

/* LULL_INVALID, and which, when a pitch can be none: what lull_vocoder_push_pitch refuses. */
lull_status vocoder_check_pitches(const float *pitches, size_t n, lull_error *error);

/* Takes noise from an array (row_count × samples, in the order of vocoder_path_noise_rows)
 * in place of the generator, until reset with NULL. The array is borrowed. Fails with LULL_MISMATCH
 * when it has another number of rows; frames beyond samples / hop are refused by push. Only before
 * the first push. */
lull_status vocoder_set_noise(lull_vocoder *vocoder, const float *rows, size_t row_count,
                              size_t samples, lull_error *error);

/* NULL: none. The signal that it shows is as the network has it: of a whitened model it becomes
 * speech by mel_filter_whole. */
void vocoder_set_trace(lull_vocoder *vocoder, const vocoder_trace *trace);
/* Evaluations of the network for each of its frames; 0 without a network. */
int vocoder_stages(const lull_vocoder *vocoder);
/* The sampler's steps and the options that it was made of, the model's defaults filled in. Owned by
 * the vocoder; the plan is NULL without a network. */
const struct diffusion_plan *vocoder_plan(const lull_vocoder *vocoder);
const lull_options *vocoder_options(const lull_vocoder *vocoder);

/* What the latency is the sum of, in the order of the signal; parts of one name that follow each
 * other (the steps) are one line, and what keeps nothing back has none. Returns the lines. */
enum { VOCODER_MAX_DELAYS = 16 };
typedef struct vocoder_delay {
    const char *name;
    int parts;
    size_t samples;
} vocoder_delay;
int vocoder_delays(const lull_vocoder *vocoder, vocoder_delay delays[VOCODER_MAX_DELAYS]);

typedef struct vocoder_stats {
    uint64_t blocks;    /* that the stages ran */
    double conditioner; /* seconds, summed over threads: frames, postnet and conditioner */
    double source;      /* noise, the pitch network, the pitch source and the crossover */
    double network;
    double consistency;  /* colouring, mel consistency and output */
    int threads, block;  /* block: network frames at most */
    const char *kernels; /* name of the kernel table, "" without a network */
    bool bf16;
    size_t weight_bytes; /* packed weights */
} vocoder_stats;
vocoder_stats vocoder_get_stats(const lull_vocoder *vocoder);

#endif
