/* lull play: mel spectrograms, recordings and frames on standard input, live through the sound
 * card. */
#include "cli/commands.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/clock.h"
#include "cli/convention_options.h"
#include "cli/live.h"
#include "cli/options.h"
#include "cli/paths.h"
#include "cli/remarks.h"
#include "cli/sink.h"
#include "cli/standard_input.h"
#include "cli/stop.h"
#include "model/model.h"
#include "vocoder/vocoder.h"

enum { INTERRUPTED = 130, MOST_DEVICES = 256, LOOK_MS = 40 };

/* What has to gather before the first sound: little where frames arrive one by one. */
static const double LIVE_LEAD_MS = 20.0, FILE_LEAD_MS = 100.0;

/* Between two looks for a device that is gone, and after Ctrl-C at most, seconds. */
static const double LOOK_AGAIN = 0.5, FAREWELL = 2.0;

typedef struct play_options {
    cli_synthesis synthesis;
    cli_input_options input;
    const char *device, *tee, *convention;
    double latency, volume, lead;
    int rate, format;
    bool list, reconnect, quiet;
} play_options;

/* What plays. */
typedef struct player {
    const play_options *options;
    lull_model *model;
    lull_model *pitch; /* of --pitch; NULL: none of its own */
    const lull_model_info *info;
    lull_vocoder *vocoder;
    frame_source *source;
    cli_reading reading;
    lull_model_info plain; /* of what plays, at the mel's rate and hop */
    audio_output *output;
    audio_tee *tee;
    live *session;
    bool shows, shown; /* the status line */
    double drawn;
} player;

/* ---- devices -------------------------------------------------------------------------------- */

static void print_device(audio_device *device) {
    char rates[128] = "";
    size_t at = 0;
    audio_device_rates(device);
    for (int i = 0; i < device->rate_count && at < sizeof rates; i++)
        at += (size_t)snprintf(rates + at, sizeof rates - at, " %d", device->rates[i]);
    printf("%c%3d  %s:%s\n", device->is_default ? '*' : ' ', device->number, device->interface,
           device->name);
    printf("      %d channels, %d Hz of its own; opens%s; latency %.0f to %.0f ms\n",
           device->channels, device->default_rate, *rates ? rates : " none of the usual rates",
           1000.0 * device->low_latency, 1000.0 * device->high_latency);
}

static int list_devices(void) {
    static audio_device devices[MOST_DEVICES];
    lull_error error = {LULL_OK, ""};
    if (audio_begin(&error)) return cli_fail(&error);
    size_t count = audio_device_list(devices, MOST_DEVICES);
    if (count > MOST_DEVICES) count = MOST_DEVICES;
    for (size_t i = 0; i < count; i++) print_device(&devices[i]);
    audio_end();
    if (count == 0) return cli_failf("no sound device found; 'lull synth' writes a file instead");
    printf("* the default device\n");
    return cli_finish_stdout();
}

/* ---- what the user sees --------------------------------------------------------------------- */

/* Samples of the signal as seconds. */
static double seconds_of(const player *p, uint64_t samples) {
    return (double)samples / p->info->sample_rate;
}

static double real_time_factor(const player *p, const live_figures *figures) {
    double made = seconds_of(p, figures->samples);
    return made > 0 ? figures->working / made : 0.0;
}

static void hide_status(player *p) {
    if (p->shown) fputs("\r\033[K", stderr);
    p->shown = false;
}

static void show_status(player *p) {
    double now = base_now();
    if (!p->shows || now - p->drawn < 0.1) return;
    audio_playback_figures f;
    live_figures l;
    audio_output_figures(p->output, &f);
    live_get_figures(p->session, &l);
    fprintf(stderr, "\r\033[K%8.1f s  ahead by %.2f s  %.3f of real time  %llu underrun%s%s",
            seconds_of(p, audio_output_position(p->output)),
            (double)f.ahead / audio_output_rate(p->output), real_time_factor(p, &l),
            (unsigned long long)f.gaps, f.gaps == 1 ? "" : "s",
            f.waiting && l.first_frame == 0 ? "  waiting for frames" : "");
    fflush(stderr);
    p->drawn = now;
    p->shown = true;
}

static void summarize(player *p) {
    audio_playback_figures f;
    live_figures l;
    char first[64] = "no sound", slack[48] = "", more[96] = "";
    audio_output_figures(p->output, &f);
    live_get_figures(p->session, &l);
    if (f.first_sample > 0 && l.first_frame > 0)
        snprintf(first, sizeof first, "first sound %.0f ms after the first frame",
                 1000.0 * (f.first_sample - l.first_frame + audio_output_latency(p->output)));
    if (f.slack >= 0) snprintf(slack, sizeof slack, ", worst slack %.0f ms", 1000.0 * f.slack);
    if (f.gaps > 0)
        snprintf(more, sizeof more, " (%.2f s of silence)",
                 (double)f.silent / audio_output_rate(p->output));
    cli_note(
        "played %.2f s: %s (device %.0f ms of it)%s, %llu underrun%s%s, %llu late at the device, "
        "%.3f of real time",
        seconds_of(p, audio_output_position(p->output)), first,
        1000.0 * audio_output_latency(p->output), slack, (unsigned long long)f.gaps,
        f.gaps == 1 ? "" : "s", more, (unsigned long long)f.device_late, real_time_factor(p, &l));
    const uint64_t limited = lull_vocoder_limited(p->vocoder);
    if (limited > 0)
        cli_note("%llu sample%s too loud and limited", (unsigned long long)limited,
                 limited == 1 ? " was" : "s were");
}

/* ---- playing -------------------------------------------------------------------------------- */

static void wait_a_little(int ms) {
    poll(NULL, 0, ms); /* a signal ends it early */
}

/* The device is gone. True when it is back. */
static bool wait_for_device(player *p) {
    hide_status(p);
    const char *name = audio_output_device(p->output)->name;
    double at = seconds_of(p, audio_output_position(p->output));
    if (!p->options->reconnect) {
        cli_failf("device '%s' disappeared after %.1f s of sound; --reconnect waits for it", name,
                  at);
        return false;
    }
    if (!p->options->quiet)
        cli_note("device '%s' disappeared after %.1f s of sound; waiting for it", name, at);
    while (!cli_stop_asked) {
        wait_a_little((int)(1000 * LOOK_AGAIN));
        if (!cli_stop_asked && audio_output_reopen(p->output, NULL) == LULL_OK) {
            if (!p->options->quiet)
                cli_note("device '%s' is back", audio_output_device(p->output)->name);
            return true;
        }
    }
    return false;
}

/* Until everything has been played, or the end came otherwise. */
static int watch(player *p) {
    for (double stopped = 0;;) {
        audio_output_state state = audio_output_check(p->output);
        if (p->tee) audio_tee_played(p->tee, audio_output_position(p->output));
        if (state == AUDIO_OUTPUT_DONE) break;
        if (cli_stop_asked && stopped == 0) {
            audio_output_stop(p->output);
            stopped = base_now();
        }
        if (stopped > 0 && (state == AUDIO_OUTPUT_LOST || base_now() - stopped > FAREWELL)) break;
        if (state == AUDIO_OUTPUT_LOST && !wait_for_device(p))
            return cli_stop_asked ? INTERRUPTED : CLI_FAILED;
        show_status(p);
        wait_a_little(LOOK_MS);
    }
    return cli_stop_asked ? INTERRUPTED : CLI_OK;
}

static lull_status open_output(player *p, lull_error *error) {
    const play_options *asked = p->options;
    audio_output_options options;
    audio_output_options_init(&options, p->info->sample_rate);
    options.device = asked->device;
    options.rate = asked->rate;
    options.latency_ms = asked->latency;
    options.volume = asked->volume;
    options.lead_ms = asked->lead >= 0                  ? asked->lead
                      : frame_source_is_live(p->source) ? LIVE_LEAD_MS
                                                        : FILE_LEAD_MS;
    return audio_output_open(&options, &p->output, error);
}

static lull_status prepare(player *p, const char *input, lull_error *error) {
    const play_options *asked = p->options;
    lull_options options;
    cli_synthesis_options(&asked->synthesis, &options);
    mel_convention base;
    lull_status status =
        cli_choose_model(asked->synthesis.model, asked->convention, input, &p->model, &base, error);
    if (!status) status = cli_open_pitch(&asked->synthesis, p->model, &options, &p->pitch, error);
    if (!status)
        status = cli_reading_init(
            &p->reading, &asked->input, &base,
            cli_model_shares_frames(p->model, &base) ? &p->model->config.mel : NULL, error);
    if (status) return status;
    const mel_convention *mel = &p->reading.target;
    p->plain = (lull_model_info){.name = p->model ? lull_model_get_info(p->model)->name : "none",
                                 .convention = mel->name,
                                 .bands = mel->bands,
                                 .sample_rate = mel->sample_rate,
                                 .hop = mel->hop,
                                 .n_fft = mel->n_fft};
    p->info = &p->plain;
    status = frame_source_open(input, &p->reading, &p->source, error);
    if (!status) status = open_output(p, error);
    if (!status) status = cli_new_vocoder(p->model, mel, &options, &p->vocoder, error);
    if (!status && !asked->quiet) cli_remark_settings(p->model, &options, !cli_is_recording(input));
    if (!status && asked->tee)
        status = audio_tee_open(asked->tee, p->info->sample_rate, (recording_format)asked->format,
                                &p->tee, error);
    return status;
}

static int play(const play_options *asked, const char *input) {
    player p = {.options = asked, .shows = !asked->quiet && isatty(STDERR_FILENO) == 1};
    lull_error error = {LULL_OK, ""};
    const char *name = strcmp(input, "-") == 0 ? cli_standard_input : input;
    cli_job job = {.input = (char *)input};
    int code = CLI_FAILED;
    cli_stop_catch(0, false);
    lull_status status = prepare(&p, input, &error);
    if (!status)
        status =
            live_start(p.vocoder, &p.reading, name, p.source, p.output, p.tee, &p.session, &error);
    if (status) {
        cli_fail(&error);
        audio_tee_abandon(p.tee); /* nothing was played */
        p.tee = NULL;
        goto done;
    }
    code = watch(&p);
    live_stop(p.session);
    hide_status(&p);
    if (live_failed(p.session, &error)) code = cli_fail(&error);
    if (!asked->quiet && audio_output_position(p.output) > 0) summarize(&p);
    frame_source_remark(p.source);
    if (code == CLI_OK && !asked->quiet)
        cli_remark_unsaid(asked->synthesis.model, asked->convention, &(cli_jobs){&job, 1, 1},
                          &p.reading.base);
done:
    live_free(p.session);
    if (audio_tee_close(p.tee, &error)) code = cli_fail(&error);
    audio_output_close(p.output);
    lull_vocoder_free(p.vocoder);
    frame_source_free(p.source);
    cli_reading_clear(&p.reading);
    lull_model_close(p.model);
    lull_model_close(p.pitch);
    return code;
}

int command_play(int argc, char **argv) {
    play_options asked = {.synthesis = CLI_SYNTHESIS_DEFAULT, .volume = 1.0, .lead = -1.0};
    int first = 0, code = CLI_OK;
    const cli_option options[] = {
        CLI_TEXT('d', "device", "NAME|N", &asked.device, "output device (default: the system's)"),
        CLI_FLAG('L', "list-devices", &asked.list, "show the output devices"),
        CLI_NUMBER(0, "latency", "MS", &asked.latency, 1, 2000, "of the device's buffer"),
        CLI_NUMBER(0, "lead", "MS", &asked.lead, 0, 500,
                   "sound that gathers before the first is played (default 20 on -, else 100)"),
        CLI_INT(0, "rate", "HZ", &asked.rate, 4000, 384000,
                "open the device at this rate (default: the model's, or else the device's)"),
        CLI_NUMBER('v', "volume", "X", &asked.volume, 0, 4, "factor (default 1)"),
        CLI_TEXT('o', "tee", "FILE.wav", &asked.tee, "write what is played, too"),
        CLI_CHOICE('f', "format", "F", &asked.format, cli_format_choices,
                   "of --tee (default pcm16)"),
        CLI_FLAG('R', "reconnect", &asked.reconnect, "wait for a device that disappears"),
        CLI_SYNTHESIS_OPTIONS(asked.synthesis),
        CLI_TEXT('c', "convention", "NAME", &asked.convention, "of the mel: " CLI_CONVENTION_HELP),
        CLI_FLAG('q', "quiet", &asked.quiet, "say nothing but errors"),
        CLI_MORE,
        CLI_SYNTHESIS_MORE(asked.synthesis),
        CLI_PITCH_OPTION(asked.synthesis),
        CLI_INPUT_OPTIONS(asked.input),
        CLI_END};
    const cli_command_line line = {
        "play",
        "[OPTIONS] INPUT\n--list-devices",
        "INPUT: a .npy mel spectrogram, a recording to analyse and resynthesize, or - for\n"
        "raw float32 frames on standard input, each played as it arrives. What is heard\n"
        "is what 'lull synth --live' writes. Ctrl-C fades out.",
        NULL,
        options,
        0,
        1};
    if (!cli_parse(&line, argc, argv, &first, &code)) return code;
    if (asked.list) return list_devices();
    if (first == argc)
        return cli_usage_error("play", "what to play? Give a file, or - for standard input");
    asked.input.quiet = asked.quiet;
    if (!cli_input_fine(&asked.input, "play")) return CLI_USAGE;
    return play(&asked, argv[first]);
}
