/* What flushing denormals to zero saves: processor time of synthesis with and without it, for
 * frames of a voice, of silence, of levels whose amplitudes are denormal, and for a network whose
 * weights are. With it nothing may be slower than the voice.
 *
 *     denormals [MODEL [ROUNDS]]     (a tiny network, 5 rounds) */
#include "fuzz/fuzz.h"

/* The vocoder with a switch: its file is compiled into this program. */
#define vocoder_denormals_off real_off
#include "vocoder/denormals.h"
#undef vocoder_denormals_off
static bool flushes;
static inline uint64_t vocoder_denormals_off(void) {
    uint64_t before = real_off();
    if (!flushes) vocoder_denormals_restore(before);
    return before;
}
#include "vocoder/vocoder.c"

#include "nn/peak.h"

enum { FRAMES = 200, CASES = 4, MOST_ROUNDS = 99 };

static float frames[FRAMES * MEL_MAX_BANDS];

static lull_model *open_model(const char *path) {
    lull_model *model = NULL;
    lull_error error = {0};
    if (!path) return tiny_model();
    lull_status status = lull_model_open(path, &model, &error);
    if (status) fprintf(stderr, "%s\n", error.message);
    expect(!status);
    return model;
}

/* Processor seconds of one utterance, level by level. */
static double run(lull_vocoder *v, size_t bands, int which) {
    static const float level[CASES] = {-4, -11.5f, -95, -4};
    float samples[4096];
    size_t accepted = 0, produced = 0, all = 0;
    for (size_t i = 0; i < FRAMES * bands; i++)
        frames[i] = level[which] + (which == 0 || which == 3 ? sinf(0.05f * (float)i) : 0);
    lull_vocoder_reset(v, 1);
    double began = nn_thread_seconds();
    expect(!lull_vocoder_push(v, frames, FRAMES, &accepted, NULL) && accepted == FRAMES);
    lull_vocoder_finish(v);
    do {
        expect(!lull_vocoder_pull(v, samples, 4096, &produced, NULL));
        all += produced;
    } while (produced > 0);
    expect(all > 0);
    return nn_thread_seconds() - began;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    static const char *const names[CASES] = {"a voice", "silence (e^-11.5)",
                                             "amplitudes of e^-95, denormal", "denormal weights"};
    const char *path = argc > 1 ? argv[1] : NULL;
    int rounds = argc > 2 ? atoi(argv[2]) : 5;
    expect(rounds > 0 && rounds <= MOST_ROUNDS);
    lull_options options;
    lull_options_init(&options);
    options.unchecked = 1; /* made-up frames look like anything */
    options.queue_frames = FRAMES;
    options.precision = LULL_PRECISION_F32;
    lull_model *models[2] = {open_model(path), open_model(path)};
    lull_vocoder *v[2] = {NULL, NULL};
    for (size_t i = 0; i < models[1]->parameters->size; i++)
        models[1]->parameters->data[i] *= 1e-39f;
    for (int i = 0; i < 2; i++) expect(!lull_vocoder_new(models[i], &options, &v[i], NULL));
    const lull_model_info *info = lull_model_get_info(models[0]);
    static double seconds[CASES][2][MOST_ROUNDS];
    /* Interleaved, so that what disturbs the machine disturbs all. */
    for (int round = 0; round < rounds; round++)
        for (int which = 0; which < CASES; which++)
            for (int on = 0; on < 2; on++) {
                flushes = on;
                seconds[which][on][round] = run(v[which == 3], (size_t)info->bands, which);
            }
    double audio = (double)FRAMES * info->hop / info->sample_rate, voice = 0;
    for (int which = 0; which < CASES; which++) {
        double *off = seconds[which][0], *on = seconds[which][1];
        qsort(off, (size_t)rounds, sizeof *off, ascending);
        qsort(on, (size_t)rounds, sizeof *on, ascending);
        printf("%-32s flushed %7.1f ms a second of audio, not flushed %7.1f: %.2f times\n",
               names[which], 1e3 * on[rounds / 2] / audio, 1e3 * off[rounds / 2] / audio,
               off[rounds / 2] / on[rounds / 2]);
        if (which == 0) voice = on[0];
        expect(on[0] < 2 * voice);
    }
    for (int i = 0; i < 2; i++) {
        lull_vocoder_free(v[i]);
        lull_model_close(models[i]);
    }
    return 0;
}
