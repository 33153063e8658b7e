/* lull plot: pictures of recordings and mel spectrograms. */
#include "cli/commands.h"

#include "base/error.h"
#include "base/memory.h"
#include "cli/convention_options.h"
#include "cli/input.h"
#include "cli/jobs.h"
#include "cli/options.h"
#include "picture/picture.h"
#include "pitch/tracker.h"
#include "recording/audio_file.h"
#include "recording/resample.h"
#include "picture/png_file.h"
#include "mel/front_end.h"
#include "model/model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef struct plot_options {
    const char *output, *reference, *model, *convention;
    cli_input_options input;
    picture_options picture;
    int rate;
    bool mel, stack, no_f0, quiet;
} plot_options;

/* A file as a panel: what it borrows, it owns here. */
typedef struct loaded {
    picture_source source;
    mel_convention mel;
    picture_f0 f0;
    char title[256];
    float *samples, *frames, *hz;
} loaded;

static void loaded_free(loaded *l) {
    base_free(l->samples);
    base_free(l->frames);
    base_free(l->hz);
}

/* ---- the fundamental frequency -------------------------------------------------------------- */

static const double F0_STEP = 0.005; /* seconds */

static lull_status track(loaded *l, const float *samples, size_t count, int rate,
                         lull_error *error) {
    size_t n = (size_t)((double)count / rate / F0_STEP) + 1;
    pitch_estimate *estimates = base_alloc(n, sizeof *estimates);
    l->hz = base_alloc(n, sizeof *l->hz);
    lull_status status = estimates && l->hz ? LULL_OK : base_no_memory(error);
    if (status == LULL_OK)
        status = pitch_track(samples, count, rate, 0, F0_STEP * rate, estimates, n, error);
    for (size_t i = 0; status == LULL_OK && i < n; i++) l->hz[i] = estimates[i].f0;
    base_free(estimates);
    l->f0 = (picture_f0){.hz = l->hz, .count = n, .step = F0_STEP};
    l->source.f0 = &l->f0;
    return status;
}

/* Recordings of rates that the tracker does not take go to the nearest one that it does. */
static lull_status follow(loaded *l, const float *samples, size_t count, int rate,
                          const plot_options *options, lull_error *error) {
    enum { LOWEST = 8000, HIGHEST = 96000 };
    if (options->no_f0) return LULL_OK;
    if (rate >= LOWEST && rate <= HIGHEST) return track(l, samples, count, rate, error);
    const int other = rate < LOWEST ? LOWEST : HIGHEST;
    float *resampled = NULL;
    size_t resampled_count = 0;
    lull_status status =
        recording_resample(samples, count, rate, other, &resampled, &resampled_count, error);
    if (status == LULL_OK) status = track(l, resampled, resampled_count, other, error);
    base_free(resampled);
    return status;
}

/* ---- files ---------------------------------------------------------------------------------- */

/* The named convention, else the model's, else the usual one. */
static lull_status find_convention(const plot_options *options, mel_convention *mel,
                                   lull_error *error) {
    lull_model *model = NULL;
    if (options->convention != NULL || options->rate > 0)
        return cli_read_convention(options->convention ? options->convention : "hifigan-22k",
                                   options->rate, mel, error);
    if (options->model != NULL) {
        lull_status status = lull_model_open(options->model, &model, error);
        if (status != LULL_OK) return status;
    } else if (cli_open_model(NULL, &model, NULL) != LULL_OK) {
        return mel_convention_named("hifigan-22k", 0, mel, error);
    }
    *mel = model->config.mel;
    lull_model_close(model);
    return LULL_OK;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static lull_status read_array(loaded *l, const char *path, const plot_options *options,
                              lull_error *error) {
    cli_input_options input = options->input;
    input.quiet = options->quiet;
    cli_reading reading;
    lull_status status = cli_reading_init(&reading, &input, &l->mel, &l->mel, error);
    if (status == LULL_OK) status = cli_read_input(path, &reading, &l->frames, &l->source.n, error);
    cli_reading_clear(&reading);
    return status;
}

/* A recording as a mel spectrogram. */
static lull_status analyse(loaded *l, const char *path, const plot_options *options,
                           lull_error *error) {
    float *samples = NULL;
    size_t count = 0;
    lull_status status = cli_analyse_recording(path, &l->mel, options->quiet, &samples, &count,
                                               &l->frames, &l->source.n, error);
    if (status == LULL_OK) status = follow(l, samples, count, l->mel.sample_rate, options, error);
    base_free(samples);
    return status;
}

static lull_status load_mel(loaded *l, const char *path, const plot_options *options,
                            const char *role, lull_error *error) {
    bool beside = false;
    lull_status status = LULL_OK;
    if (options->convention == NULL && cli_is_array(path))
        status = cli_convention_beside(path, &l->mel, &beside, error);
    if (status == LULL_OK && !beside) status = find_convention(options, &l->mel, error);
    if (status != LULL_OK) return status;
    if (cli_is_array(path))
        status = read_array(l, path, options, error);
    else
        status = analyse(l, path, options, error);
    if (status != LULL_OK) return status;
    l->source.frames = l->frames;
    l->source.convention = &l->mel;
    snprintf(l->title, sizeof l->title, "%s%.160s: %d mel bands, %s, %g kHz", role, base_name(path),
             l->mel.bands, l->mel.name, l->mel.sample_rate / 1000.0);
    return LULL_OK;
}

static lull_status load(loaded *l, const char *path, const plot_options *options, bool mel,
                        const char *role, lull_error *error) {
    memset(l, 0, sizeof *l);
    l->source.title = l->title;
    if (mel || cli_is_array(path)) return load_mel(l, path, options, role, error);
    recording_info info = {0};
    lull_status status = recording_file_read(path, 0, &l->samples, &l->source.count, &info, error);
    if (status != LULL_OK) return status;
    l->source.samples = l->samples;
    l->source.rate = info.rate;
    snprintf(l->title, sizeof l->title, "%s%.200s: %g kHz%s", role, base_name(path),
             info.rate / 1000.0, info.channels > 1 ? ", channels mixed" : "");
    return follow(l, l->samples, l->source.count, info.rate, options, error);
}

static lull_status write_png(const char *output, const picture_source *sources, int count,
                             const picture_options *options, lull_error *error) {
    uint8_t *png = NULL;
    size_t size = 0;
    if (strcmp(output, "-") != 0) return picture_write(output, sources, count, options, error);
    lull_status status = picture_encode(sources, count, options, &png, &size, error);
    if (status != LULL_OK) return status;
    errno = 0;
    if (fwrite(png, 1, size, stdout) != size || fflush(stdout) != 0)
        status = base_fail(error, LULL_IO, "standard output: %s", strerror(errno ? errno : EIO));
    base_free(png);
    return status;
}

/* One picture of `count` files; with a reference that is the first of two. */
static lull_status plot(char *const *paths, int count, const char *output,
                        const plot_options *options, lull_error *error) {
    loaded files[PICTURE_MOST_SOURCES];
    picture_source sources[PICTURE_MOST_SOURCES] = {{0}};
    picture_options picture = options->picture;
    bool mel = options->mel;
    picture.difference = options->reference != NULL;
    /* A mel and a recording are compared as mels. */
    for (int i = 0; i < count && picture.difference; i++) mel |= cli_is_array(paths[i]);
    lull_status status = LULL_OK;
    int loaded_count = 0;
    while (loaded_count < count && status == LULL_OK) {
        const char *role = !picture.difference ? "" : loaded_count == 0 ? "reference: " : "";
        loaded *file = &files[loaded_count];
        status = load(file, paths[loaded_count++], options, mel, role, error);
        sources[loaded_count - 1] = file->source;
    }
    if (status == LULL_OK) status = write_png(output, sources, count, &picture, error);
    for (int i = 0; i < loaded_count; i++) loaded_free(&files[i]);
    if (status == LULL_OK && !options->quiet && strcmp(output, "-") != 0)
        cli_note("%s written", output);
    return status;
}

static int plot_each(char **operands, int count, const plot_options *options) {
    lull_error error = {LULL_OK, ""};
    cli_jobs jobs;
    int code = CLI_OK;
    if (cli_jobs_make(operands, count, options->output, ".png", true, options->input.force, &jobs,
                      &error) != LULL_OK)
        return error.status == LULL_INVALID ? cli_usage_error("plot", "%s", error.message)
                                            : cli_fail(&error);
    for (size_t i = 0; i < jobs.count; i++)
        if (plot(&jobs.list[i].input, 1, jobs.list[i].output, options, &error) != LULL_OK)
            code = cli_fail(&error);
    cli_jobs_free(&jobs);
    return code;
}

/* Several files, one picture: named after the last one (of reference and output: the output). */
static int plot_together(char **operands, int count, const plot_options *options) {
    lull_error error = {LULL_OK, ""};
    cli_jobs jobs;
    char *paths[PICTURE_MOST_SOURCES];
    int code = CLI_OK;
    if (cli_jobs_make(operands + count - 1, 1, options->output, ".png", true, options->input.force,
                      &jobs, &error) != LULL_OK)
        return error.status == LULL_INVALID ? cli_usage_error("plot", "%s", error.message)
                                            : cli_fail(&error);
    int used = 0;
    if (options->reference != NULL) paths[used++] = (char *)options->reference;
    for (int i = 0; i < count; i++) paths[used++] = operands[i];
    if (jobs.count != 1)
        code = cli_usage_error("plot", "--reference and --stack take files, not folders");
    else if (plot(paths, used, jobs.list[0].output, options, &error) != LULL_OK)
        code = cli_fail(&error);
    cli_jobs_free(&jobs);
    return code;
}

int command_plot(int argc, char **argv) {
    plot_options asked = {.output = NULL};
    int first = 0, code = CLI_OK;
    const cli_option options[] = {
        CLI_TEXT('o', "output", "PATH", &asked.output,
                 "file, or folder for several inputs, or - (default: NAME.png here)"),
        CLI_TEXT('R', "reference", "FILE", &asked.reference,
                 "draw this above, and the difference below"),
        CLI_FLAG('s', "stack", &asked.stack, "all inputs in one picture, one above another"),
        CLI_FLAG('M', "mel", &asked.mel, "recordings as mel spectrograms, too"),
        CLI_FLAG(0, "no-f0", &asked.no_f0, "recordings without the curve of their pitch"),
        CLI_INT('W', "width", "N", &asked.picture.width, 300, 20000, "pixels (default 1000)"),
        CLI_INT('H', "height", "N", &asked.picture.panel_height, 48, 4000,
                "pixels of each panel (default 280)"),
        CLI_NUMBER(0, "range", "DB", &asked.picture.range_db, 10, 200,
                   "levels shown below the loudest (default 80)"),
        CLI_NUMBER(0, "max-hz", "HZ", &asked.picture.max_hz, 100, 400000,
                   "highest frequency of recordings (default: all)"),
        CLI_INT(0, "n-fft", "N", &asked.picture.n_fft, 16, MEL_MAX_FFT,
                "window of recordings, samples, even (default: about 46 ms)"),
        CLI_TEXT('m', "model", "FILE", &asked.model, "the model whose mel convention is meant"),
        CLI_TEXT('c', "convention", "NAME", &asked.convention,
                 CLI_CONVENTION_HELP " (default: what is beside the array, or the model's)"),
        CLI_INT(0, "rate", "HZ", &asked.rate, 1000, 384000, "its sample rate"),
        CLI_INPUT_OPTIONS(asked.input),
        CLI_FLAG('q', "quiet", &asked.quiet, "say nothing but errors"),
        CLI_END};
    const cli_command_line line = {
        "plot",
        "[OPTIONS] FILE... [-o OUTPUT]",
        "Draws spectrograms of recordings, and mel spectrograms (.npy), as PNG: seconds\n"
        "to the right, frequency upwards, levels in dB as colours, over recordings the\n"
        "pitch (F0, with an axis of its own). A folder stands for the files in it.",
        "examples:\n"
        "  lull plot speech.wav                     # speech.png\n"
        "  lull plot --reference voice.wav copy.wav # both, and their difference\n"
        "  lull plot --stack mel.npy speech.wav     # what went in above what came out",
        options,
        1,
        -1};
    if (!cli_parse(&line, argc, argv, &first, &code)) return code;
    int count = argc - first;
    if (asked.reference != NULL && (count != 1 || asked.stack))
        return cli_usage_error("plot", "--reference wants one input, and no --stack");
    if (asked.stack && count > PICTURE_MOST_SOURCES)
        return cli_usage_error("plot", "--stack takes %d inputs at most", PICTURE_MOST_SOURCES);
    if (asked.picture.n_fft % 2)
        return cli_usage_error("plot", "--n-fft wants an even number, not %d", asked.picture.n_fft);
    if (asked.reference != NULL || asked.stack) return plot_together(argv + first, count, &asked);
    return plot_each(argv + first, count, &asked);
}
