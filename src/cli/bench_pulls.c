/* lull bench pulls: how long a pull takes, as a sound card's callback would call it. */
#include "cli/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/sort.h"
#include "cli/bench_run.h"
#include "cli/options.h"
#include "io/json.h"
#include "model/model.h"
#include "nn/peak.h"

enum { ROWS = 4, MOST_SAMPLES = 8192 };

typedef struct pulls_settings {
    cli_synthesis synthesis;
    int samples, work;
    double seconds;
    bool json;
} pulls_settings;

/* One way to call: as frames come, or with all of them in the queue; with or without a bound. */
typedef struct pulls_row {
    const char *arrival;
    int work;
    size_t pulls, missed, late, dry; /* missed: longer than the samples last, by processor time;
                                        late: by the clock; dry: short of samples once it spoke */
    double mean, high, worst;        /* seconds of processor time; high: 999 of 1000 are shorter */
    double worst_wall;
    double silent; /* seconds of audio for which the first pulls gave nothing */
} pulls_row;

typedef struct pulls_run {
    lull_vocoder *vocoder;
    const bench_input *input;
    size_t hop, samples, pushed, got, expected;
    bool live;
    double period;
    double *times;
} pulls_run;

/* Live: the next frame comes when the samples played reach its time. */
static lull_status push_due(pulls_run *r, size_t pull, lull_error *error) {
    size_t due = r->live ? pull * r->samples / r->hop + 1 : r->input->n;
    if (due > r->input->n) due = r->input->n;
    if (due <= r->pushed) return LULL_OK;
    size_t accepted = 0;
    lull_status status =
        lull_vocoder_push(r->vocoder, r->input->frames + r->pushed * r->input->bands,
                          due - r->pushed, &accepted, error);
    r->pushed += accepted;
    if (r->pushed == r->input->n) lull_vocoder_finish(r->vocoder);
    return status;
}

static lull_status run(pulls_run *r, pulls_row *row, lull_error *error) {
    float out[MOST_SAMPLES];
    size_t total = r->input->n * r->hop, latency = lull_vocoder_latency(r->vocoder);
    for (size_t pull = 0; r->got < total; pull++) {
        lull_status status = push_due(r, pull, error);
        if (status) return status;
        size_t produced = 0, wanted = r->samples < total - r->got ? r->samples : total - r->got;
        double cpu = nn_thread_seconds(), wall = base_now();
        status = lull_vocoder_pull(r->vocoder, out, wanted, &produced, error);
        wall = base_now() - wall;
        cpu = nn_thread_seconds() - cpu;
        if (status) return status;
        if (r->got == 0 && produced == 0) row->silent += r->period;
        /* In live use a pull may come before its samples are due; what counts is what was there. */
        size_t made = r->pushed * r->hop;
        if (r->pushed < r->input->n) made = made > latency ? made - latency : 0;
        if (r->got > 0 && produced < wanted && made >= r->got + wanted) row->dry++;
        r->got += produced;
        r->times[row->pulls++] = cpu;
        row->mean += cpu;
        row->missed += cpu > r->period;
        row->late += wall > r->period;
        if (wall > row->worst_wall) row->worst_wall = wall;
    }
    return LULL_OK;
}

static lull_status measure(const lull_model *model, const bench_input *input,
                           const pulls_settings *settings, pulls_row *row, lull_error *error) {
    const lull_model_info *info = lull_model_get_info(model);
    size_t total = input->n * (size_t)info->hop;
    lull_options options;
    cli_synthesis_options(&settings->synthesis, &options);
    options.queue_frames = input->n;
    options.pull_work = row->work;
    pulls_run r = {.input = input,
                   .hop = (size_t)info->hop,
                   .samples = (size_t)settings->samples,
                   .live = row->arrival[0] == 'l',
                   .period = settings->samples / (double)info->sample_rate};
    /* A bounded vocoder gives nothing in some of its first pulls. */
    r.times = base_alloc(4 * (total / r.samples + 4096), sizeof *r.times);
    if (!r.times) return base_no_memory(error);
    lull_status status = lull_vocoder_new(model, &options, &r.vocoder, error);
    if (!status) status = run(&r, row, error);
    lull_vocoder_free(r.vocoder);
    if (!status && row->pulls > 0) {
        qsort(r.times, row->pulls, sizeof *r.times, base_compare_doubles);
        row->mean /= (double)row->pulls;
        row->high = r.times[(size_t)(0.999 * (double)(row->pulls - 1))];
        row->worst = r.times[row->pulls - 1];
    }
    base_free(r.times);
    return status;
}

static int print_json(const pulls_settings *settings, double period, const pulls_row *rows) {
    json_writer json = json_writer_new();
    json_add_number(&json, json.root, "samples", settings->samples);
    json_add_number(&json, json.root, "period_seconds", period);
    yyjson_mut_val *list = json_add_array(&json, json.root, "rows");
    for (int i = 0; i < ROWS; i++) {
        yyjson_mut_val *object = json_add_object(&json, list, NULL);
        json_add_text(&json, object, "arrival", rows[i].arrival);
        json_add_number(&json, object, "pull_work", rows[i].work);
        json_add_number(&json, object, "pulls", (double)rows[i].pulls);
        json_add_number(&json, object, "mean_seconds", rows[i].mean);
        json_add_number(&json, object, "high_seconds", rows[i].high);
        json_add_number(&json, object, "worst_seconds", rows[i].worst);
        json_add_number(&json, object, "worst_wall_seconds", rows[i].worst_wall);
        json_add_number(&json, object, "missed", (double)rows[i].missed);
        json_add_number(&json, object, "late", (double)rows[i].late);
        json_add_number(&json, object, "dry", (double)rows[i].dry);
        json_add_number(&json, object, "silent_seconds", rows[i].silent);
    }
    return cli_print_json(&json);
}

static int print_text(const lull_model *model, const pulls_settings *settings, double period,
                      const pulls_row *rows) {
    printf("%s, pulls of %d samples, %.2f ms each; milliseconds of processor time\n\n"
           "  %-12s %-10s %8s %9s %8s %8s %8s %6s %7s\n",
           lull_model_get_info(model)->name, settings->samples, 1e3 * period, "frames", "pull_work",
           "mean", "99.9 %", "worst", "missed", "(clock)", "dry", "silent");
    for (int i = 0; i < ROWS; i++)
        printf("  %-12s %-10d %8.3f %9.3f %8.3f %8zu %8zu %6zu %7.1f\n", rows[i].arrival,
               rows[i].work, 1e3 * rows[i].mean, 1e3 * rows[i].high, 1e3 * rows[i].worst,
               rows[i].missed, rows[i].late, rows[i].dry, 1e3 * rows[i].silent);
    printf("\n  missed: longer than the samples last (clock: other programs included);\n"
           "  dry: short of samples that were due; silent: before the first sample, ms\n");
    return cli_finish_stdout();
}

static int bench(const pulls_settings *settings) {
    char path[4096];
    lull_error error = {LULL_OK, ""};
    lull_model *model = NULL;
    bench_input input = {0};
    pulls_row rows[ROWS] = {{.arrival = "live"},
                            {.arrival = "live", .work = settings->work},
                            {.arrival = "all there"},
                            {.arrival = "all there", .work = settings->work}};
    lull_status status = cli_find_model(settings->synthesis.model, path, sizeof path, &error);
    if (!status) status = lull_model_open(path, &model, &error);
    if (!status) status = bench_input_make(model, settings->seconds, &input, &error);
    for (int i = 0; i < ROWS && !status; i++)
        status = measure(model, &input, settings, &rows[i], &error);
    double period = model ? settings->samples / (double)model->config.mel.sample_rate : 0;
    int code = status           ? cli_fail(&error)
               : settings->json ? print_json(settings, period, rows)
                                : print_text(model, settings, period, rows);
    bench_input_free(&input);
    lull_model_close(model);
    return code;
}

int bench_pulls(int argc, char **argv) {
    pulls_settings settings = {
        .synthesis = CLI_SYNTHESIS_DEFAULT, .samples = 64, .work = 256, .seconds = 4};
    int first = 0, code = CLI_OK;
    const cli_option options[] = {CLI_INT(0, "samples", "N", &settings.samples, 1, MOST_SAMPLES,
                                          "samples that a pull asks for (default 64)"),
                                  CLI_INT(0, "work", "N", &settings.work, 1, 1 << 20,
                                          "the bound that is compared with none (default 256)"),
                                  CLI_NUMBER(0, "seconds", "X", &settings.seconds, 0.2, 600.0,
                                             "of made-up speech (default 4)"),
                                  CLI_SYNTHESIS_OPTIONS(settings.synthesis),
                                  CLI_FLAG('j', "json", &settings.json, "print JSON"),
                                  CLI_MORE,
                                  CLI_SYNTHESIS_MORE(settings.synthesis),
                                  CLI_END};
    const cli_command_line line = {
        "bench pulls",
        "[OPTIONS]",
        "How long single pulls take, as a sound card's callback makes them: with frames that\n"
        "come one by one in real time, and with all of them there from the start; with the\n"
        "work of a pull unbounded, and bounded (lull_options.pull_work).",
        NULL,
        options,
        0,
        0};
    if (!cli_parse(&line, argc, argv, &first, &code)) return code;
    return bench(&settings);
}
