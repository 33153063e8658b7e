/* lull bench fft: the Fourier transforms, by FFTW where the build has it and by lull's own. */
#include "cli/bench.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/random.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "io/json.h"
#include "mel/fft.h"
#include "mel/stockham.h"

/* Of the conventions, and of half and twice their length. */
static const int SIZES[] = {512, 600, 800, 960, 1024, 1200, 1280, 1536, 1764, 1920, 2048, 4096};

enum { COUNT = sizeof SIZES / sizeof *SIZES };

typedef struct fft_times {
    double own, other; /* seconds for one transform and its inverse; other: 0 without FFTW */
} fft_times;

typedef struct fft_settings {
    int rounds;
    bool json;
} fft_settings;

typedef void turn(void *transform);

static void turn_pair(void *transform) {
    mel_fft_pair_forward(transform);
    mel_fft_pair_inverse(transform);
}

static void turn_real(void *transform) {
    mel_fft_forward(transform);
    mel_fft_inverse(transform);
}

/* A pair whose transform is lull's own, in any build. */
typedef struct own_pair {
    mel_stockham *transform;
    float *frames, *spectrum;
} own_pair;

static void turn_own_pair(void *context) {
    own_pair *p = context;
    mel_stockham_run(p->transform, true, p->frames, p->spectrum);
    mel_stockham_run(p->transform, false, p->spectrum, p->frames);
}

/* Seconds of one call, the best of the rounds. A round lasts about 2 ms; the samples are made anew
 * for each, since they grow. */
static double best_of(int rounds, turn *run, void *transform, float *samples, size_t n) {
    double best = 1e9;
    int calls = 16;
    for (int round = -3; round < rounds; round++) {
        double spent = 0;
        for (int done = 0; done < calls; done += 8) {
            random_normal(1, 0, 0, samples, n);
            const double started = base_now();
            for (int i = 0; i < 8; i++) run(transform);
            spent += base_now() - started;
        }
        if (round < 0 && spent < 2e-3) calls *= 4;
        if (round >= 0 && spent / calls < best) best = spent / calls;
    }
    return best;
}

static lull_status time_pair(int size, int rounds, fft_times *times, lull_error *error) {
    mel_fft_pair *pair;
    own_pair own = {0};
    lull_status status = mel_fft_pair_new(size, &pair, error);
    if (status) return status;
    const size_t n = 2 * (size_t)size;
    status = mel_stockham_new(size, false, 0, &own.transform, error);
    if (!status) {
        own.frames = pair->frames;
        own.spectrum = pair->spectrum;
        times->own = best_of(rounds, turn_own_pair, &own, pair->frames, n);
        if (!pair->own) times->other = best_of(rounds, turn_pair, pair, pair->frames, n);
    }
    mel_stockham_free(own.transform);
    mel_fft_pair_free(pair);
    return status;
}

static lull_status time_real(int size, int rounds, fft_times *times, lull_error *error) {
    for (int kind = 0; kind < 2; kind++) {
        mel_fft *transform;
        const lull_status status = mel_fft_new(size, (mel_fft_kind)kind, &transform, error);
        if (status) return status;
        double *to = transform->own ? &times->own : &times->other;
        *to = best_of(rounds, turn_real, transform, transform->real, (size_t)size);
        mel_fft_free(transform);
    }
    return LULL_OK;
}

static void add_json(json_writer *json, yyjson_mut_val *row, const char *name,
                     const fft_times *times) {
    yyjson_mut_val *object = json_add_object(json, row, name);
    json_add_number(json, object, "own_seconds", times->own);
    if (times->other > 0) json_add_number(json, object, "fftw_seconds", times->other);
}

static int print_json(const fft_times *pairs, const fft_times *reals) {
    json_writer json = json_writer_new();
    json_add_text(&json, json.root, "version", lull_version());
    json_add_text(&json, json.root, "fft", mel_fft_backend());
    yyjson_mut_val *rows = json_add_array(&json, json.root, "rows");
    for (int i = 0; i < COUNT; i++) {
        yyjson_mut_val *row = json_add_object(&json, rows, NULL);
        json_add_number(&json, row, "size", SIZES[i]);
        add_json(&json, row, "pair", &pairs[i]);
        add_json(&json, row, "real", &reals[i]);
    }
    return cli_print_json(&json);
}

static void print_times(const fft_times *times) {
    printf("%10.2f", 1e6 * times->own);
    if (times->other > 0)
        printf("%10.2f%8.2f", 1e6 * times->other, times->own / times->other);
    else
        printf("%10s%8s", "", "");
}

static int print_text(const fft_times *pairs, const fft_times *reals) {
    printf("  Microseconds for a transform and its inverse, one core; this build uses %s\n\n",
           mel_fft_backend());
    printf("  %5s%28s%28s\n", "", "two frames (complex)", "one frame (real)");
    printf("  %5s%10s%10s%8s%10s%10s%8s\n", "size", "own", "fftw", "ratio", "own", "fftw", "ratio");
    for (int i = 0; i < COUNT; i++) {
        printf("  %5d", SIZES[i]);
        print_times(&pairs[i]);
        print_times(&reals[i]);
        printf("\n");
    }
    return cli_finish_stdout();
}

int bench_fft(int argc, char **argv) {
    fft_settings settings = {.rounds = 20};
    fft_times pairs[COUNT] = {{0}}, reals[COUNT] = {{0}};
    int first = 0, code = CLI_OK;
    const cli_option options[] = {CLI_INT(0, "rounds", "N", &settings.rounds, 1, 1000,
                                          "rounds, of which the best counts (default 20)"),
                                  CLI_FLAG('j', "json", &settings.json, "print JSON"), CLI_END};
    const cli_command_line line = {
        "bench fft",
        "[OPTIONS]",
        "Measures the Fourier transforms of the sizes that mel conventions have: lull's own,\n"
        "which makes mel frames in every build, and FFTW, which a build with -Dfft=fftw\n"
        "refines with.",
        NULL,
        options,
        0,
        0};
    if (!cli_parse(&line, argc, argv, &first, &code)) return code;
    lull_error error = {LULL_OK, ""};
    lull_status status = LULL_OK;
    for (int i = 0; i < COUNT && !status; i++) {
        status = time_pair(SIZES[i], settings.rounds, &pairs[i], &error);
        if (!status) status = time_real(SIZES[i], settings.rounds, &reals[i], &error);
    }
    if (status) return cli_fail(&error);
    return settings.json ? print_json(pairs, reals) : print_text(pairs, reals);
}
