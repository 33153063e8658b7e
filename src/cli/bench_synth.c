/* lull bench: how fast a model speaks on this machine, at what latency, in how much memory, and
 * where the time goes. */
#include "cli/bench.h"

#include "base/error.h"
#include "base/os_file.h"
#include "base/os_thread.h"
#include "base/memory.h"
#include "base/clock.h"
#include "base/progress.h"
#include "cli/bench_run.h"
#include "cli/input.h"
#include "cli/options.h"
#include "io/npy.h"
#include "model/model.h"
#include "nn/kernels.h"
#include "nn/peak.h"
#include "vocoder/options.h"
#include "vocoder/vocoder.h"

#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MAX_ROWS = 32, MAX_SAMPLES_OF_MEMORY = 64, START_UPS = 5 };

typedef struct bench_settings {
    cli_synthesis synthesis;
    cli_input_options input;
    const char *operand; /* frames to synthesize, or NULL */
    double seconds, stream;
    int rounds;
    bool brief, json;
} bench_settings;

/* Resident memory while a long utterance streams through one vocoder. */
typedef struct memory_facts {
    double minutes[MAX_SAMPLES_OF_MEMORY], resident[MAX_SAMPLES_OF_MEMORY], most;
    int count;
} memory_facts;

/* Seconds, medians. `program`: lull synth from start to end on one second; 0 when not measured. */
typedef struct start_facts {
    double open, create, second, program;
} start_facts;

typedef struct bench_facts {
    char path[PATH_MAX];
    lull_model *model;
    lull_options asked, options; /* as given; the same complete, of the first row */
    const char *kernels;
    bool bf16_native;
    long cores;
    double peak_f32, peak_bf16; /* GFLOP/s of a core */
    bench_input input;
    bench_row rows[MAX_ROWS];
    int row_count;
    size_t latency;
    bench_live live;
    memory_facts memory;
    start_facts start;
    double snr; /* dB of the bfloat16 output against the float32 one; NAN: not measured */
} bench_facts;

/* ---- rows --------------------------------------------------------------------------------- */

static bench_row *add_row(bench_facts *facts, const lull_options *options, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bench_row *add_row(bench_facts *facts, const lull_options *options, const char *format,
                          ...) {
    bench_row *row = &facts->rows[facts->row_count++];
    va_list arguments;
    *row = (bench_row){.options = *options, .jobs = 1};
    va_start(arguments, format);
    vsnprintf(row->name, sizeof row->name, format, arguments);
    va_end(arguments);
    return row;
}

static const char *precision_name(lull_precision precision) {
    return precision == LULL_PRECISION_BF16 ? "bfloat16" : "float32";
}

/* The model's settings for other uses, where they are other settings. */
static void add_uses(bench_facts *facts) {
    static const char *const names[] = {
        [LULL_LIVE] = "live", [LULL_LOW_LATENCY] = "low latency", [LULL_OFFLINE] = "offline"};
    const lull_options *base = &facts->options;
    for (lull_use use = LULL_LIVE; use <= LULL_OFFLINE; use++) {
        lull_options asked = facts->asked, other;
        asked.use = use;
        if (vocoder_resolve_options(&asked, &facts->model->config, NULL, &other, NULL) != LULL_OK)
            continue;
        other.precision = base->precision;
        other.queue_frames = base->queue_frames;
        if (other.steps == base->steps && other.refine == base->refine &&
            other.refine_low == base->refine_low && other.refine_window == base->refine_window &&
            other.refine_momentum == base->refine_momentum && other.postnet == base->postnet)
            continue;
        add_row(facts, &other, "%s: %d steps, %d on %d", names[use], other.steps, other.refine,
                other.refine_window);
    }
}

/* The settings as given, then one thing at a time another way. */
static void choose_rows(bench_facts *facts, bool brief) {
    static const int steps[] = {1, 2, 4, 6, 12};
    const lull_options base = facts->options;
    lull_options other = base;
    add_row(facts, &base, "as given");
    if (brief) return;
    if (facts->bf16_native) {
        other.precision =
            base.precision == LULL_PRECISION_BF16 ? LULL_PRECISION_F32 : LULL_PRECISION_BF16;
        add_row(facts, &other, "%s", precision_name(other.precision));
    }
    add_uses(facts);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        other = base;
        other.steps = steps[i];
        if (steps[i] == base.steps || base.sampler == LULL_SAMPLER_FAST) continue;
        add_row(facts, &other, "%d step%s", steps[i], steps[i] == 1 ? "" : "s");
    }
    other = base;
    other.refine = other.refine_low = 0;
    if (base.refine > 0) add_row(facts, &other, "no refinement");
    other = base;
    other.postnet = !base.postnet;
    if (facts->model->config.postnet_channels > 0)
        add_row(facts, &other, other.postnet ? "with postnet" : "without postnet");
    add_row(facts, &base, "frame by frame")->push = 1;
    for (int n = 2; n <= facts->cores && n <= 16; n *= 2) {
        other = base;
        other.threads = n;
        add_row(facts, &other, "%d threads", n);
        add_row(facts, &base, "%d utterances at a time", n)->jobs = n;
    }
}

/* Interleaved, so that what disturbs the machine disturbs all rows. */
static lull_status measure_rows(bench_facts *facts, int rounds, lull_error *error) {
    lull_status status = LULL_OK;
    for (int i = 0; i < facts->row_count && status == LULL_OK; i++)
        status = bench_row_open(&facts->rows[i], facts->model, error);
    progress bar;
    progress_begin(&bar, "measuring", (double)rounds * facts->row_count, false);
    for (int round = 0; round < rounds && status == LULL_OK; round++) {
        for (int i = 0; i < facts->row_count && status == LULL_OK; i++) {
            status = bench_row_run(&facts->rows[i], &facts->input, error);
            progress_update(&bar, (double)round * facts->row_count + i + 1, NULL);
        }
    }
    progress_end(&bar);
    return status;
}

/* ---- everything else ---------------------------------------------------------------------- */

static lull_status measure_memory(bench_facts *facts, double minutes, lull_error *error) {
    memory_facts *memory = &facts->memory;
    lull_vocoder *vocoder = NULL;
    lull_options options = facts->options;
    options.queue_frames = 64;
    lull_status status = lull_vocoder_new(facts->model, &options, &vocoder, error);
    double every = minutes / 8, audio = 0, hop = facts->input.seconds / (double)facts->input.n;
    progress bar;
    progress_begin(&bar, "streaming", minutes, false);
    for (uint64_t i = 0; status == LULL_OK; i++) {
        size_t accepted = 0, produced = 0;
        float samples[4096];
        const float *frame =
            facts->input.frames + (size_t)(i % facts->input.n) * facts->input.bands;
        if (audio >= every * memory->count) {
            memory->minutes[memory->count] = audio;
            memory->resident[memory->count++] = bench_memory_now().now;
            progress_update(&bar, audio, NULL);
        }
        if (audio >= minutes) break;
        status = lull_vocoder_push(vocoder, frame, 1, &accepted, error);
        do {
            if (status == LULL_OK)
                status = lull_vocoder_pull(vocoder, samples, 4096, &produced, error);
        } while (status == LULL_OK && produced > 0);
        audio += hop / 60;
    }
    progress_end(&bar);
    memory->most = bench_memory_now().most;
    lull_vocoder_free(vocoder);
    return status;
}

/* The program itself, from its start to its end: what a user waits for one second of speech. */
static double time_program(const char *model, const char *mel, const char *output) {
    char *words[] = {"lull",      "synth", "-q",           "-m", (char *)model,
                     (char *)mel, "-o",    (char *)output, NULL};
    double times[START_UPS];
    char program[PATH_MAX];
    if (!os_program_path(program, sizeof program)) return 0;
    for (int i = 0; i < START_UPS; i++) {
        pid_t child = 0;
        int code = 0;
        double start = base_now();
        if (posix_spawn(&child, program, NULL, NULL, words, environ) != 0) return 0;
        if (waitpid(child, &code, 0) != child || code != 0) return 0;
        times[i] = base_now() - start;
    }
    return bench_median(times, START_UPS);
}

static lull_status measure_program(bench_facts *facts, const bench_input *second,
                                   lull_error *error) {
    const char *folder = getenv("TMPDIR");
    char path[PATH_MAX], mel[PATH_MAX + 16], output[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/lull-bench-XXXXXX", folder != NULL ? folder : "/tmp");
    if (mkdtemp(path) == NULL) return LULL_OK; /* not measured */
    snprintf(mel, sizeof mel, "%s/mel.npy", path);
    snprintf(output, sizeof output, "%s/out.wav", path);
    size_t shape[] = {1, second->n, second->bands};
    lull_status status = npy_write(mel, second->frames, 3, shape, error);
    if (status == LULL_OK) facts->start.program = time_program(facts->path, mel, output);
    unlink(mel);
    unlink(output);
    rmdir(path);
    return status;
}

/* Opening, creating, one second, each from the beginning. */
static lull_status measure_start(bench_facts *facts, lull_error *error) {
    double times[3][START_UPS];
    bench_input second = {0};
    lull_status status = bench_input_make(facts->model, 1, &second, error);
    for (int i = 0; i < START_UPS && status == LULL_OK; i++) {
        lull_model *model = NULL;
        lull_vocoder *vocoder = NULL;
        float *signal = NULL;
        size_t count = 0;
        double start = base_now(), opened = 0, created = 0;
        status = lull_model_open(facts->path, &model, error);
        opened = base_now();
        if (status == LULL_OK) status = lull_vocoder_new(model, &facts->options, &vocoder, error);
        created = base_now();
        if (status == LULL_OK)
            status = bench_signal(vocoder, &second, facts->model->config.mel.hop, &signal, &count,
                                  error);
        times[0][i] = opened - start;
        times[1][i] = created - opened;
        times[2][i] = base_now() - created;
        base_free(signal);
        lull_vocoder_free(vocoder);
        lull_model_close(model);
    }
    if (status == LULL_OK) {
        facts->start =
            (start_facts){bench_median(times[0], START_UPS), bench_median(times[1], START_UPS),
                          bench_median(times[2], START_UPS), 0};
        status = measure_program(facts, &second, error);
    }
    bench_input_free(&second);
    return status;
}

static lull_status measure_live(bench_facts *facts, lull_error *error) {
    lull_vocoder *vocoder = NULL;
    double hop = facts->input.seconds / (double)facts->input.n;
    lull_status status = lull_vocoder_new(facts->model, &facts->options, &vocoder, error);
    if (status == LULL_OK)
        status = bench_live_run(vocoder, &facts->input, hop, &facts->live, error);
    facts->latency = lull_vocoder_latency(vocoder);
    lull_vocoder_free(vocoder);
    return status;
}

/* The signal in one precision. */
static lull_status signal_in(const bench_facts *facts, lull_precision precision, float **signal,
                             size_t *count, lull_error *error) {
    lull_vocoder *vocoder = NULL;
    lull_options options = facts->options;
    options.precision = precision;
    lull_status status = lull_vocoder_new(facts->model, &options, &vocoder, error);
    if (status == LULL_OK)
        status = bench_signal(vocoder, &facts->input, facts->model->config.mel.hop, signal, count,
                              error);
    lull_vocoder_free(vocoder);
    return status;
}

static lull_status measure_precision(bench_facts *facts, lull_error *error) {
    float *exact = NULL, *rounded = NULL;
    size_t n = 0;
    double power = 0, noise = 0;
    lull_status status = signal_in(facts, LULL_PRECISION_F32, &exact, &n, error);
    if (status == LULL_OK) status = signal_in(facts, LULL_PRECISION_BF16, &rounded, &n, error);
    for (size_t i = 0; i < n && status == LULL_OK; i++) {
        power += (double)exact[i] * exact[i];
        noise += ((double)exact[i] - rounded[i]) * ((double)exact[i] - rounded[i]);
    }
    if (noise > 0) facts->snr = 10 * log10(power / noise);
    base_free(exact);
    base_free(rounded);
    return status;
}

/* ---- what it means ------------------------------------------------------------------------ */

/* GFLOP/s of the network in one thread, its gates and steps included in the time. By processor
 * time, so that other programs disturb little. */
static double network_rate(const bench_facts *facts, const bench_row *row) {
    bench_time t = bench_row_median(row);
    double parts = bench_parts(t);
    if (row->jobs > 1 || row->options.threads > 1 || !(parts > 0)) return 0;
    double flops = row->evaluations * model_network_flops(&facts->model->config);
    return flops / (t.cpu * t.network / parts) * 1e-9;
}

static double peak_of(const bench_facts *facts, const bench_row *row) {
    return row->options.precision == LULL_PRECISION_BF16 && facts->bf16_native ? facts->peak_bf16
                                                                               : facts->peak_f32;
}

/* ---- JSON --------------------------------------------------------------------------------- */

static void add_row_json(json_writer *json, yyjson_mut_val *rows, const bench_facts *facts,
                         const bench_row *row) {
    bench_time t = bench_row_median(row);
    yyjson_mut_val *object = json_add_object(json, rows, NULL);
    json_add_text(json, object, "name", row->name);
    json_add_text(json, object, "precision", precision_name(row->options.precision));
    json_add_number(json, object, "steps", row->options.steps);
    json_add_number(json, object, "evaluations", row->evaluations);
    json_add_number(json, object, "refine", row->options.refine);
    json_add_number(json, object, "refine_low", row->options.refine_low);
    json_add_number(json, object, "refine_window", row->options.refine_window);
    json_add_number(json, object, "refine_momentum", (double)row->options.refine_momentum);
    json_add_number(json, object, "postnet", row->options.postnet);
    json_add_number(json, object, "threads", row->options.threads);
    json_add_number(json, object, "utterances", row->jobs);
    json_add_number(json, object, "push_frames", row->push);
    json_add_number(json, object, "real_time_factor", t.wall);
    json_add_number(json, object, "cpu_per_second", t.cpu);
    yyjson_mut_val *rounds = json_add_array(json, object, "rounds");
    for (int i = 0; i < row->count; i++) json_add_number(json, rounds, NULL, row->rounds[i].wall);
    yyjson_mut_val *cpu = json_add_array(json, object, "rounds_cpu");
    for (int i = 0; i < row->count; i++) json_add_number(json, cpu, NULL, row->rounds[i].cpu);
    yyjson_mut_val *parts = json_add_object(json, object, "parts");
    json_add_number(json, parts, "conditioner", t.conditioner);
    json_add_number(json, parts, "source", t.source);
    json_add_number(json, parts, "network", t.network);
    json_add_number(json, parts, "consistency", t.consistency);
    double rate = network_rate(facts, row);
    if (rate > 0) {
        json_add_number(json, object, "network_gflops", rate);
        if (peak_of(facts, row) > 0)
            json_add_number(json, object, "network_part_of_peak", rate / peak_of(facts, row));
    }
}

static void add_memory_json(json_writer *json, yyjson_mut_val *root, const memory_facts *memory) {
    yyjson_mut_val *object = json_add_object(json, root, "memory");
    yyjson_mut_val *minutes = json_add_array(json, object, "minutes");
    yyjson_mut_val *resident = json_add_array(json, object, "resident_bytes");
    for (int i = 0; i < memory->count; i++) {
        json_add_number(json, minutes, NULL, memory->minutes[i]);
        json_add_number(json, resident, NULL, memory->resident[i]);
    }
    json_add_number(json, object, "most_bytes", memory->most);
}

static int print_json(const bench_facts *facts, bool brief) {
    double rate = facts->model->config.mel.sample_rate;
    json_writer json = json_writer_new();
    yyjson_mut_val *root = json.root;
    json_add_text(&json, root, "version", lull_version());
    json_add_text(&json, root, "model", facts->model->config.name);
    json_add_text(&json, root, "kernels", facts->kernels);
    json_add_number(&json, root, "cores", (double)facts->cores);
    yyjson_mut_val *peak = json_add_object(&json, root, "peak_gflops");
    json_add_number(&json, peak, "float32", facts->peak_f32);
    if (facts->peak_bf16 > 0) json_add_number(&json, peak, "bfloat16", facts->peak_bf16);
    json_add_number(&json, root, "audio_seconds", facts->input.seconds);
    yyjson_mut_val *rows = json_add_array(&json, root, "rows");
    for (int i = 0; i < facts->row_count; i++) add_row_json(&json, rows, facts, &facts->rows[i]);
    if (!brief) {
        yyjson_mut_val *live = json_add_object(&json, root, "latency");
        json_add_number(&json, live, "samples", (double)facts->latency);
        json_add_number(&json, live, "milliseconds", 1e3 * (double)facts->latency / rate);
        json_add_number(&json, live, "first_sound_seconds", facts->live.first_sound);
        json_add_number(&json, live, "slowest_frame_seconds", facts->live.slowest);
        add_memory_json(&json, root, &facts->memory);
        yyjson_mut_val *start = json_add_object(&json, root, "start");
        json_add_number(&json, start, "open_seconds", facts->start.open);
        json_add_number(&json, start, "create_seconds", facts->start.create);
        json_add_number(&json, start, "one_second_seconds", facts->start.second);
        if (facts->start.program > 0)
            json_add_number(&json, start, "program_seconds", facts->start.program);
        if (isfinite(facts->snr)) json_add_number(&json, root, "bfloat16_snr_db", facts->snr);
    }
    return cli_print_json(&json);
}

/* ---- text --------------------------------------------------------------------------------- */

static void print_row(const bench_facts *facts, const bench_row *row) {
    bench_time t = bench_row_median(row);
    double parts = bench_parts(t), least = t.wall, most = t.wall;
    double rate = network_rate(facts, row), peak = peak_of(facts, row);
    for (int i = 0; i < row->count; i++) {
        least = fmin(least, row->rounds[i].wall);
        most = fmax(most, row->rounds[i].wall);
    }
    printf("  %-28s%7.2f (%.2f-%.2f)%*s%7.1f", row->name, 1 / t.wall, 1 / most, 1 / least,
           (int)(12 - snprintf(NULL, 0, "%.2f-%.2f", 1 / most, 1 / least)), "", 1e3 * t.cpu);
    printf("  %3.0f %3.0f %3.0f %3.0f", 100 * t.conditioner / parts, 100 * t.source / parts,
           100 * t.network / parts, 100 * t.consistency / parts);
    if (rate > 0) printf("  %6.0f", rate);
    if (rate > 0 && peak > 0) printf(" %3.0f %%", 100 * rate / peak);
    printf("\n");
}

static const char *plural(int count) {
    return count == 1 ? "" : "s";
}

static void print_head(const bench_facts *facts, const bench_settings *settings) {
    const model_config *config = &facts->model->config;
    const lull_options *o = &facts->options;
    printf("  %s: %d Hz, %d step%s, %d refinement%s (%d of the low band) on %d frame%s, %s\n",
           config->name, config->mel.sample_rate, o->steps, plural(o->steps), o->refine,
           plural(o->refine), o->refine_low, o->refine_window, plural(o->refine_window),
           precision_name(o->precision));
    printf("  kernels %s; a core's peak %.0f GFLOP/s in float32", facts->kernels, facts->peak_f32);
    if (facts->peak_bf16 > 0) printf(", %.0f in bfloat16", facts->peak_bf16);
    printf("; %ld core%s\n", facts->cores, plural((int)facts->cores));
    printf("  %.1f s of audio, median (and range) of %d interleaved round%s\n\n",
           facts->input.seconds, settings->rounds, plural(settings->rounds));
    printf("  %-28s%-21s%8s  %-15s  %s\n", "", "times real time", "CPU ms/s", "share in %",
           "network");
    printf("  %-28s%-21s%8s  %-15s  %s\n", "", "", "", "mel src net fin", "GFLOP/s of peak");
}

static int print_text(const bench_facts *facts, const bench_settings *settings) {
    double rate = facts->model->config.mel.sample_rate;
    print_head(facts, settings);
    for (int i = 0; i < facts->row_count; i++) print_row(facts, &facts->rows[i]);
    if (settings->brief) return cli_finish_stdout();
    const memory_facts *memory = &facts->memory;
    printf("\n  latency     %.1f ms by construction; first sound %.1f ms after the first frame,\n"
           "              the slowest frame took %.1f ms\n",
           1e3 * (double)facts->latency / rate, 1e3 * facts->live.first_sound,
           1e3 * facts->live.slowest);
    if (memory->most > 0)
        printf(
            "  memory      %.1f MB resident at the start, %.1f MB after %.3g minutes, %.1f MB at "
            "most\n",
            memory->resident[0] / 1e6, memory->resident[memory->count - 1] / 1e6,
            memory->minutes[memory->count - 1], memory->most / 1e6);
    printf("  start       model %.1f ms, vocoder %.1f ms, one second of speech %.1f ms",
           1e3 * facts->start.open, 1e3 * facts->start.create, 1e3 * facts->start.second);
    if (facts->start.program > 0) printf("; lull synth in all %.0f ms", 1e3 * facts->start.program);
    printf("\n");
    if (isfinite(facts->snr))
        printf("  bfloat16    differs from float32 by %.1f dB less than the signal\n", facts->snr);
    return cli_finish_stdout();
}

/* ---- the command -------------------------------------------------------------------------- */

static lull_status read_input(bench_facts *facts, const bench_settings *settings,
                              lull_error *error) {
    const mel_convention *mel = &facts->model->config.mel;
    /* A run of the large models lasts about as long as one of the small ones. */
    double seconds = settings->seconds;
    if (!(seconds > 0)) seconds = facts->model->info.flops_per_second > 1e11 ? 1 : 4;
    if (settings->operand == NULL)
        return bench_input_make(facts->model, seconds, &facts->input, error);
    bench_input *input = &facts->input;
    cli_reading reading;
    lull_status status = cli_reading_init(&reading, &settings->input, mel, mel, error);
    if (status == LULL_OK)
        status = cli_read_input(settings->operand, &reading, &input->frames, &input->n, error);
    cli_reading_clear(&reading);
    input->bands = (size_t)mel->bands;
    input->seconds = (double)input->n * mel->hop / mel->sample_rate;
    return status;
}

static lull_status look_at_machine(bench_facts *facts, const bench_settings *settings,
                                   lull_error *error) {
    cli_synthesis_options(&settings->synthesis, &facts->asked);
    facts->kernels = nn_kernels_get()->name;
    facts->bf16_native = nn_kernels_get()->bf16_native;
    facts->cores = os_processors();
    facts->peak_f32 = nn_peak_f32(0.1);
    facts->peak_bf16 = nn_peak_bf16(0.1);
    facts->snr = NAN;
    lull_status status =
        vocoder_resolve_options(&facts->asked, &facts->model->config, NULL, &facts->options, error);
    if (facts->options.precision == LULL_PRECISION_AUTO)
        facts->options.precision = facts->bf16_native ? LULL_PRECISION_BF16 : LULL_PRECISION_F32;
    facts->options.queue_frames = facts->input.n;
    return status;
}

/* Memory first, while nothing else is there. */
static lull_status measure(bench_facts *facts, const bench_settings *settings, lull_error *error) {
    lull_status status = LULL_OK;
    if (!settings->brief) status = measure_memory(facts, settings->stream, error);
    choose_rows(facts, settings->brief);
    if (status == LULL_OK) status = measure_rows(facts, settings->rounds, error);
    if (settings->brief) return status;
    if (status == LULL_OK) status = measure_live(facts, error);
    if (status == LULL_OK) status = measure_start(facts, error);
    if (status == LULL_OK) status = measure_precision(facts, error);
    return status;
}

static int bench(const bench_settings *settings) {
    lull_error error = {LULL_OK, ""};
    bench_facts *facts = base_alloc(1, sizeof *facts);
    if (facts == NULL) return cli_failf("out of memory");
    lull_status status =
        cli_find_model(settings->synthesis.model, facts->path, sizeof facts->path, &error);
    if (status == LULL_OK) status = lull_model_open(facts->path, &facts->model, &error);
    if (status == LULL_OK) status = read_input(facts, settings, &error);
    if (status == LULL_OK) status = look_at_machine(facts, settings, &error);
    if (status == LULL_OK) status = measure(facts, settings, &error);
    int code = status != LULL_OK ? cli_fail(&error)
               : settings->json  ? print_json(facts, settings->brief)
                                 : print_text(facts, settings);
    for (int i = 0; i < facts->row_count; i++) bench_row_close(&facts->rows[i]);
    bench_input_free(&facts->input);
    lull_model_close(facts->model);
    base_free(facts);
    return code;
}

int bench_synth(int argc, char **argv) {
    bench_settings settings = {.synthesis = CLI_SYNTHESIS_DEFAULT, .rounds = 5, .stream = 0.1};
    int first = 0, code = CLI_OK;
    const cli_option options[] = {
        CLI_SYNTHESIS_OPTIONS(settings.synthesis),
        CLI_NUMBER(0, "seconds", "X", &settings.seconds, 0.05, 600.0,
                   "of made-up speech in a run (default 4, large models 1)"),
        CLI_INT(0, "rounds", "N", &settings.rounds, 1, BENCH_MAX_ROUNDS, "rounds (default 5)"),
        CLI_NUMBER(0, "stream", "MINUTES", &settings.stream, 0.0, 6000.0,
                   "stream so much and watch the memory (60: an hour)"),
        CLI_FLAG('b', "brief", &settings.brief, "measure the given settings alone"),
        CLI_FLAG('j', "json", &settings.json, "print JSON"),
        CLI_INPUT_OPTIONS(settings.input),
        CLI_MORE,
        CLI_SYNTHESIS_MORE(settings.synthesis),
        CLI_END};
    const cli_command_line line = {
        "bench",
        "[OPTIONS] [INPUT]\npulls [OPTIONS]\ntrain [OPTIONS]\nfft [OPTIONS]",
        "Measures synthesis on this machine: speed by precision, steps, threads and size\n"
        "of pushes, latency, memory, and where the time goes. INPUT: a mel spectrogram or\n"
        "recording in place of made-up speech. 'lull bench pulls --help': single pulls;\n"
        "'lull bench train --help': training; 'lull bench fft --help': transforms.\n"
        "LULL_CPU=NAME in the environment forces the kernels: reference, portable, avx2,\n"
        "avx512, avx512bf16, amx or neon.",
        NULL,
        options,
        0,
        1};
    if (!cli_parse(&line, argc, argv, &first, &code)) return code;
    settings.operand = first < argc ? argv[first] : NULL;
    return bench(&settings);
}
