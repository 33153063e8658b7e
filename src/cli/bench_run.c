/* Runs and their clocks. */
#include "cli/bench_run.h"

#include "base/error.h"
#include "base/os_memory.h"
#include "base/memory.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/sort.h"
#include "mel/front_end.h"
#include "model/model.h"
#include "vocoder/vocoder.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { PULL = 4096 };

/* ---- input -------------------------------------------------------------------------------- */

/* Pulses whose pitch wanders, through three slowly moving resonances, with noise between them and a
 * pause now and then: a spectrogram that moves as speech does. */
static void fill_voice(int rate, float *samples, size_t count) {
    double phase = 0, state[3][2] = {{0}};
    random_normal(1, 0, 0, samples, count);
    for (size_t i = 0; i < count; i++) {
        double t = (double)i / rate, syllable = 0.5 - 0.5 * cos(2 * M_PI * 3.1 * t);
        double noise = samples[i], pulse = 0, sum = 0;
        phase += (120 + 30 * sin(2 * M_PI * 0.7 * t) + 5 * sin(2 * M_PI * 5 * t)) / rate;
        if (phase >= 1) phase -= 1, pulse = 1;
        const double centre[3] = {500 + 250 * sin(2 * M_PI * 1.3 * t),
                                  1500 + 500 * sin(2 * M_PI * 0.9 * t), 2700};
        double input = pulse + 0.02 * noise;
        for (int k = 0; k < 3; k++) {
            double r = 1 - M_PI * (80 + 40 * k) / rate,
                   a = 2 * r * cos(2 * M_PI * centre[k] / rate);
            double y = input + a * state[k][0] - r * r * state[k][1];
            state[k][1] = state[k][0];
            state[k][0] = y;
            sum += (1 - r) * y;
        }
        bool pause = fmod(t, 2.5) > 2.2;
        samples[i] = (float)(pause ? 1e-4 * noise : tanh(1.5 * syllable * sum));
    }
}

lull_status bench_input_make(const lull_model *model, double seconds, bench_input *input,
                             lull_error *error) {
    const mel_convention *mel = &model->config.mel;
    size_t count = (size_t)(seconds * mel->sample_rate);
    if (count < 4 * (size_t)mel->n_fft) count = 4 * (size_t)mel->n_fft;
    float *samples = base_alloc(count, sizeof *samples);
    if (samples == NULL) return base_no_memory(error);
    fill_voice(mel->sample_rate, samples, count);
    lull_status status = mel_from_samples(mel, samples, count, &input->frames, &input->n, error);
    base_free(samples);
    input->bands = (size_t)mel->bands;
    input->seconds = (double)input->n * mel->hop / mel->sample_rate;
    return status;
}

void bench_input_free(bench_input *input) {
    base_free(input->frames);
}

/* ---- clocks ------------------------------------------------------------------------------- */

double bench_cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

bench_memory bench_memory_now(void) {
    bench_memory memory;
    os_memory_used(&memory.now, &memory.most);
    return memory;
}

double bench_median(const double *values, int count) {
    double sorted[BENCH_MAX_ROUNDS];
    if (count <= 0) return 0;
    memcpy(sorted, values, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, base_compare_doubles);
    return 0.5 * (sorted[(count - 1) / 2] + sorted[count / 2]);
}

/* ---- a run -------------------------------------------------------------------------------- */

static lull_status pull_all(lull_vocoder *vocoder, float *to, size_t *got, lull_error *error) {
    float samples[PULL];
    size_t produced = 0;
    do {
        lull_status status = lull_vocoder_pull(vocoder, samples, PULL, &produced, error);
        if (status != LULL_OK) return status;
        if (to != NULL) memcpy(to + *got, samples, produced * sizeof *samples);
        *got += produced;
    } while (produced > 0);
    return LULL_OK;
}

/* The whole utterance, `push` frames at a time. */
static lull_status run(lull_vocoder *vocoder, const bench_input *input, size_t push, float *to,
                       lull_error *error) {
    size_t done = 0, got = 0;
    while (done < input->n) {
        size_t n = push > 0 && push < input->n - done ? push : input->n - done, accepted = 0;
        lull_status status =
            lull_vocoder_push(vocoder, input->frames + done * input->bands, n, &accepted, error);
        if (status == LULL_OK && (push > 0 || accepted < n))
            status = pull_all(vocoder, to, &got, error);
        if (status != LULL_OK) return status;
        done += accepted;
    }
    lull_vocoder_finish(vocoder);
    return pull_all(vocoder, to, &got, error);
}

lull_status bench_signal(lull_vocoder *vocoder, const bench_input *input, int hop, float **signal,
                         size_t *count, lull_error *error) {
    *count = input->n * (size_t)hop;
    *signal = base_alloc(*count, sizeof **signal);
    if (*signal == NULL) return base_no_memory(error);
    lull_vocoder_reset(vocoder, 0);
    return run(vocoder, input, 0, *signal, error);
}

/* ---- rows --------------------------------------------------------------------------------- */

lull_status bench_row_open(bench_row *row, const lull_model *model, lull_error *error) {
    for (int i = 0; i < row->jobs; i++) {
        lull_status status = lull_vocoder_new(model, &row->options, &row->vocoder[i], error);
        if (status != LULL_OK) return status;
    }
    row->evaluations = vocoder_stages(row->vocoder[0]);
    return LULL_OK;
}

void bench_row_close(bench_row *row) {
    for (int i = 0; i < row->jobs; i++) lull_vocoder_free(row->vocoder[i]);
}

typedef struct job {
    const bench_row *row;
    const bench_input *input;
    lull_vocoder *vocoder;
    pthread_t thread;
    lull_status status;
    lull_error error;
} job;

static void *run_job(void *context) {
    job *j = context;
    lull_vocoder_reset(j->vocoder, 0);
    /* NOLINTNEXTLINE(*-core.NullDereference): a row has at least one job. */
    j->status = run(j->vocoder, j->input, (size_t)j->row->push, NULL, &j->error);
    return NULL;
}

/* One utterance on this thread, or several, each on a thread of its own. */
static lull_status run_jobs(const bench_row *row, const bench_input *input, lull_error *error) {
    job jobs[BENCH_MAX_JOBS] = {{0}};
    int started = 0;
    lull_status status = LULL_OK;
    for (int i = 0; i < row->jobs; i++)
        jobs[i] = (job){.row = row, .input = input, .vocoder = row->vocoder[i]};
    for (int i = 1; i < row->jobs && status == LULL_OK; i++) {
        if (pthread_create(&jobs[i].thread, NULL, run_job, &jobs[i]) == 0)
            started = i;
        else
            status = base_fail(error, LULL_UNSUPPORTED, "the system starts no more threads");
    }
    run_job(&jobs[0]);
    for (int i = 1; i <= started; i++) pthread_join(jobs[i].thread, NULL);
    for (int i = 0; i <= started && status == LULL_OK; i++) {
        status = jobs[i].status;
        if (status != LULL_OK && error != NULL) *error = jobs[i].error;
    }
    return status;
}

static bench_time parts_of(const bench_row *row) {
    bench_time sum = {0};
    for (int i = 0; i < row->jobs; i++) {
        vocoder_stats stats = vocoder_get_stats(row->vocoder[i]);
        sum.conditioner += stats.conditioner;
        sum.source += stats.source;
        sum.network += stats.network;
        sum.consistency += stats.consistency;
    }
    return sum;
}

lull_status bench_row_run(bench_row *row, const bench_input *input, lull_error *error) {
    bench_time before = parts_of(row);
    double audio = input->seconds * row->jobs, wall = base_now(), cpu = bench_cpu_seconds();
    lull_status status = run_jobs(row, input, error);
    if (status != LULL_OK) return status;
    wall = base_now() - wall;
    cpu = bench_cpu_seconds() - cpu;
    bench_time after = parts_of(row);
    row->rounds[row->count++] =
        (bench_time){.wall = wall / audio,
                     .cpu = cpu / audio,
                     .conditioner = (after.conditioner - before.conditioner) / audio,
                     .source = (after.source - before.source) / audio,
                     .network = (after.network - before.network) / audio,
                     .consistency = (after.consistency - before.consistency) / audio};
    return LULL_OK;
}

bench_time bench_row_median(const bench_row *row) {
    double values[6][BENCH_MAX_ROUNDS];
    for (int i = 0; i < row->count; i++) {
        values[0][i] = row->rounds[i].wall;
        values[1][i] = row->rounds[i].cpu;
        values[2][i] = row->rounds[i].conditioner;
        values[3][i] = row->rounds[i].source;
        values[4][i] = row->rounds[i].network;
        values[5][i] = row->rounds[i].consistency;
    }
    return (bench_time){.wall = bench_median(values[0], row->count),
                        .cpu = bench_median(values[1], row->count),
                        .conditioner = bench_median(values[2], row->count),
                        .source = bench_median(values[3], row->count),
                        .network = bench_median(values[4], row->count),
                        .consistency = bench_median(values[5], row->count)};
}

double bench_parts(bench_time t) {
    return t.conditioner + t.source + t.network + t.consistency;
}

/* ---- live --------------------------------------------------------------------------------- */

lull_status bench_live_run(lull_vocoder *vocoder, const bench_input *input, double hop_seconds,
                           bench_live *live, lull_error *error) {
    size_t got = 0, accepted = 0;
    double ready = 0; /* when the work for the last frame was done */
    *live = (bench_live){0, 0};
    lull_vocoder_reset(vocoder, 0);
    for (size_t i = 0; i < input->n; i++) {
        double arrival = (double)i * hop_seconds, start = base_now();
        lull_status status =
            lull_vocoder_push(vocoder, input->frames + i * input->bands, 1, &accepted, error);
        size_t before = got;
        if (status == LULL_OK) status = pull_all(vocoder, NULL, &got, error);
        if (status != LULL_OK) return status;
        double took = base_now() - start;
        ready = (arrival > ready ? arrival : ready) + took;
        if (took > live->slowest) live->slowest = took;
        if (before == 0 && got > 0) live->first_sound = ready;
    }
    return LULL_OK;
}
