/* Measured runs of the vocoder for lull bench: what was asked, what it took. */
#ifndef CLI_BENCH_RUN_H
#define CLI_BENCH_RUN_H

#include "lull.h"

/* An utterance to synthesize. */
typedef struct bench_input {
    float *frames;
    size_t n, bands;
    double seconds; /* of audio */
} bench_input;

/* A made-up voice with pauses, analysed in the model's convention: about `seconds` of it. */
lull_status bench_input_make(const lull_model *model, double seconds, bench_input *input,
                             lull_error *error);
void bench_input_free(bench_input *input);

/* Seconds for one second of audio; the parts are those of vocoder_stats, summed over threads. */
typedef struct bench_time {
    double wall, cpu;
    double conditioner, source, network, consistency;
} bench_time;

enum { BENCH_MAX_ROUNDS = 99, BENCH_MAX_JOBS = 64 };

/* One row of the table: vocoders that are kept from round to round. */
typedef struct bench_row {
    char name[48];
    lull_options options;
    int jobs; /* utterances at a time, each with its own vocoder */
    int push; /* frames between two looks for samples; 0 = all at once */

    lull_vocoder *vocoder[BENCH_MAX_JOBS];
    int evaluations; /* of the network for each of its frames */
    bench_time rounds[BENCH_MAX_ROUNDS];
    int count;
} bench_row;

lull_status bench_row_open(bench_row *row, const lull_model *model, lull_error *error);
void bench_row_close(bench_row *row);

/* One more round of a row. */
lull_status bench_row_run(bench_row *row, const bench_input *input, lull_error *error);

/* Medians over the rounds, each of its own. */
bench_time bench_row_median(const bench_row *row);

/* The sum of the parts, of which each is a share. */
double bench_parts(bench_time time);

/* The utterance as one signal (n·hop samples, to be freed with base_free). */
lull_status bench_signal(lull_vocoder *vocoder, const bench_input *input, int hop, float **signal,
                         size_t *count, lull_error *error);

/* Frames that arrive one by one, one every hop. Arrival is a count, not a wait: what is measured is
 * the work for each frame. */
typedef struct bench_live {
    double first_sound; /* seconds from the first frame's arrival to the first samples */
    double slowest;     /* seconds of the longest push and pull */
} bench_live;
lull_status bench_live_run(lull_vocoder *vocoder, const bench_input *input, double hop_seconds,
                           bench_live *live, lull_error *error);

/* Resident memory now and at most, bytes; 0 where the system does not say. */
typedef struct bench_memory {
    double now, most;
} bench_memory;
bench_memory bench_memory_now(void);

/* Processor seconds of this process. */
double bench_cpu_seconds(void);

double bench_median(const double *values, int count);

#endif
