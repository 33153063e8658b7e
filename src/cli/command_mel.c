/* lull mel: recordings to mel spectrograms. */
#include "cli/commands.h"

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/memory.h"
#include "cli/convention_options.h"
#include "cli/input.h"
#include "cli/jobs.h"
#include "cli/npz.h"
#include "cli/own.h"
#include "cli/options.h"
#include "mel/front_end.h"
#include "model/config.h"
#include "pitch/tracker.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <strings.h>
#include <sys/stat.h>

typedef struct mel_settings {
    mel_convention convention;
    bool frames_first, quiet, bare;
    const char *f0; /* file for the pitch, or NULL */
} mel_settings;

/* Sums over the frames of recordings, band by band. */
typedef struct statistics {
    double sum[MEL_MAX_BANDS], squares[MEL_MAX_BANDS];
    size_t frames, recordings;
} statistics;

/* Frames to stdout as raw little-endian float32: what `lull synth -` reads. */
static lull_status write_raw(const float *frames, size_t count, lull_error *error) {
    errno = 0;
    if (fwrite(frames, sizeof *frames, count, stdout) != count || fflush(stdout) != 0)
        return base_fail(error, LULL_IO, "standard output: %s", strerror(errno != 0 ? errno : EIO));
    return LULL_OK;
}

/* The convention, to be NAME.json beside an array, so that who reads it knows. */
static lull_status begin_beside(const char *path, const char *text, atomic_file **file,
                                lull_error *error) {
    char beside[PATH_MAX];
    if (snprintf(beside, sizeof beside, "%s.json", path) >= (int)sizeof beside)
        return base_fail(error, LULL_INVALID, "%s: the name is too long", path);
    lull_status status = atomic_file_open(beside, file, error);
    if (status == LULL_OK) status = atomic_file_write(*file, text, strlen(text), error);
    if (status == LULL_OK) status = atomic_file_write(*file, "\n", 1, error);
    return status;
}

static lull_status write_array(const char *path, const mel_settings *settings, const float *frames,
                               size_t n, lull_error *error) {
    const size_t bands = (size_t)settings->convention.bands;
    const size_t by_frames[2] = {n, bands}, by_bands[2] = {bands, n};
    const size_t *shape = settings->frames_first ? by_frames : by_bands;
    float *turned = settings->frames_first ? NULL : base_alloc(n * bands, sizeof *turned);
    char *text = model_convention_print(&settings->convention);
    atomic_file *array = NULL, *beside = NULL;
    lull_status status = LULL_OK;
    struct stat facts;
    if ((turned == NULL && !settings->frames_first) || text == NULL) {
        status = base_no_memory(error);
        goto done;
    }
    for (size_t f = 0; turned != NULL && f < n; f++)
        for (size_t b = 0; b < bands; b++) turned[b * n + f] = frames[f * bands + b];
    const float *data = turned != NULL ? turned : frames;
    if (cli_is_npz(path)) {
        status = npz_write(path, data, 2, shape, text, error);
    } else {
        /* Not beside a device or pipe. Both are written before either takes its place. */
        bool alone = settings->bare || (stat(path, &facts) == 0 && !S_ISREG(facts.st_mode));
        status = npy_begin(path, data, 2, shape, &array, error);
        if (status == LULL_OK && !alone) status = begin_beside(path, text, &beside, error);
        if (status == LULL_OK) {
            status = atomic_file_commit(array, error);
            array = NULL;
        }
        if (status == LULL_OK && beside != NULL) {
            status = atomic_file_commit(beside, error);
            beside = NULL;
        }
    }
done:
    atomic_file_abandon(array);
    atomic_file_abandon(beside);
    base_free(text);
    base_free(turned);
    return status;
}

/* The pitch at the middles of the mel's n frames: Hz, 0 where unvoiced. */
static lull_status write_pitch(const mel_settings *settings, const float *samples, size_t count,
                               size_t n, lull_error *error) {
    const mel_convention *convention = &settings->convention;
    pitch_estimate *track = base_alloc(n, sizeof *track);
    float *f0 = base_alloc(n, sizeof *f0);
    lull_status status = track && f0 ? LULL_OK : base_no_memory(error);
    if (!status)
        status =
            pitch_track(samples, count, convention->sample_rate,
                        mel_convention_first_centre(convention), convention->hop, track, n, error);
    for (size_t f = 0; !status && f < n; f++) f0[f] = track[f].f0;
    if (!status) status = npy_write(settings->f0, f0, 1, &n, error);
    base_free(track);
    base_free(f0);
    return status;
}

static lull_status analyse(const cli_job *job, const mel_settings *settings, lull_error *error) {
    float *samples = NULL, *frames = NULL;
    size_t count = 0, n = 0;
    const mel_convention *convention = &settings->convention;
    lull_status status = cli_read_recording(job->input, convention->sample_rate, settings->quiet,
                                            &samples, &count, error);
    if (status != LULL_OK) return status;
    status = mel_from_samples(convention, samples, count, &frames, &n, error);
    if (status == LULL_OK && n > 0 && settings->f0 != NULL)
        status = write_pitch(settings, samples, count, n, error);
    base_free(samples);
    if (status != LULL_OK) {
        base_free(frames);
        return status;
    }
    if (n == 0)
        status =
            base_fail(error, LULL_MISMATCH, "%s: %zu samples are too short for a mel frame of %d",
                      job->input, count, convention->hop);
    else if (strcmp(job->output, "-") == 0)
        status = write_raw(frames, n * (size_t)convention->bands, error);
    else
        status = write_array(job->output, settings, frames, n, error);
    base_free(frames);
    if (status == LULL_OK && !settings->quiet && strcmp(job->output, "-") != 0)
        cli_note("%s: %zu frames of %d bands, %s at %d Hz", job->output, n, convention->bands,
                 convention->name, convention->sample_rate);
    return status;
}

/* ---- --estimate-statistics ---------------------------------------------------------------- */

static lull_status add_recording(const char *path, const mel_settings *settings, statistics *sums,
                                 lull_error *error) {
    float *samples = NULL, *frames = NULL;
    size_t count = 0, n = 0;
    const mel_convention *convention = &settings->convention;
    const size_t bands = (size_t)convention->bands;
    lull_status status =
        cli_read_recording(path, convention->sample_rate, true, &samples, &count, error);
    if (status == LULL_OK)
        status = mel_from_samples(convention, samples, count, &frames, &n, error);
    base_free(samples);
    for (size_t i = 0; status == LULL_OK && i < n * bands; i++) {
        const double value = (double)frames[i];
        sums->sum[i % bands] += value;
        sums->squares[i % bands] += value * value;
    }
    if (status == LULL_OK) sums->frames += n, sums->recordings++;
    base_free(frames);
    return status;
}

/* Writes mean and deviation of each band as [2, bands], or JSON when the name ends in .json. */
static lull_status write_statistics(const char *path, const mel_settings *settings,
                                    const statistics *sums, lull_error *error) {
    mel_convention c = settings->convention;
    float values[2 * MEL_MAX_BANDS];
    const size_t bands = (size_t)c.bands, shape[2] = {2, bands};
    for (size_t b = 0; b < bands; b++) {
        const double n = (double)sums->frames, mean = sums->sum[b] / n;
        const double deviation = sqrt(fmax(sums->squares[b] / n - mean * mean, 0));
        /* A band that never moves (always at its floor) is only shifted. */
        values[b] = c.mean[b] = (float)mean;
        values[bands + b] = c.deviation[b] = deviation > 1e-6 ? (float)deviation : 1;
    }
    c.statistics = true;
    const size_t length = strlen(path);
    if (length < 5 || strcasecmp(path + length - 5, ".json") != 0)
        return npy_write(path, values, 2, shape, error);
    char *text = model_convention_print(&c);
    if (text == NULL) return base_no_memory(error);
    atomic_file *file = NULL;
    lull_status status = atomic_file_open(path, &file, error);
    if (status == LULL_OK) {
        status = atomic_file_write(file, text, strlen(text), error);
        if (status == LULL_OK)
            status = atomic_file_commit(file, error);
        else
            atomic_file_abandon(file);
    }
    base_free(text);
    return status;
}

static int estimate(char **inputs, int count, const char *output, mel_settings *settings) {
    lull_error error = {LULL_OK, ""};
    cli_jobs jobs;
    int code = CLI_OK;
    statistics *sums = base_alloc(1, sizeof *sums);
    const char *path = output != NULL ? output : "statistics.npy";
    struct stat facts;
    if (sums == NULL) return cli_failf("out of memory");
    settings->convention.statistics = false;
    /* The jobs' own outputs are not used: only their list of recordings. */
    lull_status status = cli_jobs_make(inputs, count, NULL, ".npy", false, true, &jobs, &error);
    if (status == LULL_OK) status = cli_check_ending(path, ".npy or .json", &error);
    if (output == NULL && stat(path, &facts) == 0 && status == LULL_OK)
        status = base_fail(&error, LULL_INVALID, "%s is there already; name another with -o", path);
    if (status != LULL_OK) {
        base_free(sums);
        return cli_fail(&error);
    }
    for (size_t i = 0; i < jobs.count; i++)
        if (add_recording(jobs.list[i].input, settings, sums, &error) != LULL_OK)
            code = cli_fail(&error);
    if (sums->frames == 0)
        code = cli_failf("no frames to measure in the recordings given");
    else if (write_statistics(path, settings, sums, &error) != LULL_OK)
        code = cli_fail(&error);
    else if (!settings->quiet)
        cli_note("%s: mean and deviation of %d bands over %zu frames of %zu recordings", path,
                 settings->convention.bands, sums->frames, sums->recordings);
    cli_jobs_free(&jobs);
    base_free(sums);
    return code;
}

/* ---- the command line --------------------------------------------------------------------- */

typedef struct mel_arguments {
    mel_settings settings;
    cli_convention_options convention;
    const char *output, *model;
    int layout;
    bool force, estimates;
} mel_arguments;

static bool parse(mel_arguments *a, int argc, char **argv, int *first, int *code) {
    const cli_option options[] = {
        CLI_TEXT(
            'o', "output", "PATH", &a->output,
            "file (.npy or .npz), or folder for several inputs, or - (default: NAME.npy here)"),
        CLI_TEXT('m', "model", "FILE", &a->model, "the model whose convention is meant"),
        CLI_CONVENTION_OPTIONS(a->convention),
        CLI_CHOICE(0, "layout", "L", &a->layout, cli_layout_choices,
                   "bands-first [bands, frames] (default) or frames-first"),
        CLI_FLAG(0, "estimate-statistics", &a->estimates,
                 "write mean and deviation of the recordings' bands (default: statistics.npy)"),
        CLI_FLAG(0, "bare", &a->settings.bare, "no NAME.npy.json with the convention beside it"),
        CLI_TEXT(0, "f0", "FILE", &a->settings.f0,
                 "write the pitch of every frame there too (.npy; Hz, 0 unvoiced)"),
        CLI_FLAG(0, "force", &a->force, "replace files that lull did not write, too"),
        CLI_FLAG('q', "quiet", &a->settings.quiet, "say nothing but errors"),
        CLI_END};
    const cli_command_line line = {
        "mel",
        "[OPTIONS] RECORDING... [-o OUTPUT]",
        "Analyses recordings (WAV, FLAC, Ogg, MP3; any rate; channels are mixed) into\n"
        "float32 .npy mel spectrograms in a model's convention or a named one. A folder\n"
        "stands for the recordings in it, - for one on standard input. '-o -': raw\n"
        "float32 frames to standard output.",
        NULL,
        options,
        1,
        -1};
    return cli_parse(&line, argc, argv, first, code);
}

int command_mel(int argc, char **argv) {
    mel_arguments a = {.convention = CLI_CONVENTION_DEFAULT};
    mel_settings *settings = &a.settings;
    lull_error error = {LULL_OK, ""};
    cli_jobs jobs;
    int first = 0, code = CLI_OK;
    if (!parse(&a, argc, argv, &first, &code)) return code;
    settings->frames_first = a.layout == 2;
    for (int i = first; i < argc; i++)
        if (cli_is_array(argv[i]))
            return cli_failf("%s: is an array, expected a recording", argv[i]);
    if (cli_find_convention(&a.convention, a.model, &settings->convention, &error) != LULL_OK)
        return cli_fail(&error);
    if (settings->f0 != NULL && cli_check_ending(settings->f0, ".npy", &error) != LULL_OK)
        return cli_fail(&error);
    if (a.estimates) return estimate(argv + first, argc - first, a.output, settings);
    if (cli_jobs_make(argv + first, argc - first, a.output, ".npy", false, a.force, &jobs,
                      &error) != LULL_OK)
        return error.status == LULL_INVALID ? cli_usage_error("mel", "%s", error.message)
                                            : cli_fail(&error);
    if (settings->f0 != NULL && jobs.count > 1)
        code = cli_usage_error("mel", "--f0 names one file: give one recording");
    for (size_t i = 0; i < jobs.count && code != CLI_USAGE; i++)
        if (analyse(&jobs.list[i], settings, &error) != LULL_OK) code = cli_fail(&error);
    cli_jobs_free(&jobs);
    return code;
}
