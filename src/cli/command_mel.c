/* lull mel: recordings to mel spectrograms. */
#include "cli/commands.h"

#include "base/error.h"
#include "base/memory.h"
#include "cli/convention_options.h"
#include "cli/input.h"
#include "cli/jobs.h"
#include "cli/options.h"
#include "mel/front_end.h"
#include "pitch/tracker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef struct mel_settings {
    mel_convention convention;
    bool frames_first, quiet;
    const char *f0; /* file for the pitch, or NULL */
} mel_settings;

/* Frames to stdout as raw little-endian float32: what `lull synth -` reads. */
static lull_status write_raw(const float *frames, size_t count, lull_error *error) {
    errno = 0;
    if (fwrite(frames, sizeof *frames, count, stdout) != count || fflush(stdout) != 0)
        return base_fail(error, LULL_IO, "standard output: %s", strerror(errno != 0 ? errno : EIO));
    return LULL_OK;
}

static lull_status write_array(const char *path, const mel_settings *settings, const float *frames,
                               size_t n, lull_error *error) {
    size_t bands = (size_t)settings->convention.bands;
    size_t by_frames[2] = {n, bands}, by_bands[2] = {bands, n};
    if (settings->frames_first) return npy_write(path, frames, 2, by_frames, error);
    float *turned = base_alloc(n * bands, sizeof *turned);
    if (turned == NULL) return base_no_memory(error);
    for (size_t f = 0; f < n; f++)
        for (size_t b = 0; b < bands; b++) turned[b * n + f] = frames[f * bands + b];
    lull_status status = npy_write(path, turned, 2, by_bands, error);
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

int command_mel(int argc, char **argv) {
    const char *output = NULL, *model = NULL;
    cli_convention_options asked = CLI_CONVENTION_DEFAULT;
    mel_settings settings;
    memset(&settings, 0, sizeof settings);
    bool force = false;
    int layout = 0, first = 0, code = CLI_OK;
    const cli_option options[] = {
        CLI_TEXT('o', "output", "PATH", &output,
                 "file, or folder for several inputs, or - (default: NAME.npy here)"),
        CLI_TEXT('m', "model", "FILE", &model, "the model whose convention is meant"),
        CLI_CONVENTION_OPTIONS(asked),
        CLI_CHOICE(0, "layout", "L", &layout, cli_layout_choices,
                   "bands-first [bands, frames] (default) or frames-first"),
        CLI_TEXT(0, "f0", "FILE", &settings.f0,
                 "write the pitch of every frame there too (.npy; Hz, 0 unvoiced)"),
        CLI_FLAG(0, "force", &force, "replace files that lull did not write, too"),
        CLI_FLAG('q', "quiet", &settings.quiet, "say nothing but errors"),
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
    if (!cli_parse(&line, argc, argv, &first, &code)) return code;

    lull_error error = {LULL_OK, ""};
    cli_jobs jobs;
    settings.frames_first = layout == 2;
    for (int i = first; i < argc; i++)
        if (cli_is_npy(argv[i])) return cli_failf("%s: is an array, expected a recording", argv[i]);
    if (cli_find_convention(&asked, model, &settings.convention, &error) != LULL_OK)
        return cli_fail(&error);
    if (cli_jobs_make(argv + first, argc - first, output, ".npy", false, force, &jobs, &error) !=
        LULL_OK)
        return error.status == LULL_INVALID ? cli_usage_error("mel", "%s", error.message)
                                            : cli_fail(&error);
    if (settings.f0 != NULL && jobs.count > 1) {
        cli_jobs_free(&jobs);
        return cli_usage_error("mel", "--f0 names one file: give one recording");
    }
    for (size_t i = 0; i < jobs.count; i++)
        if (analyse(&jobs.list[i], &settings, &error) != LULL_OK) code = cli_fail(&error);
    cli_jobs_free(&jobs);
    return code;
}
