/* The path without a network in every mel convention of the table, and in some that nobody uses:
 * hops that do not divide the window or n_fft, windows shorter than n_fft, odd hops. The samples
 * are the same however the work is cut, they come as the latency says, and their mel is near the
 * one that was asked for. */
#include "models.h"

#include "mel/compression.h"
#include "mel/front_end.h"

enum { REFINE = 8, WINDOW = 4 };

static lull_vocoder *new_noise(const mel_convention *convention, int threads, size_t queue) {
    lull_error error;
    lull_vocoder *vocoder;
    lull_options options;
    lull_options_init(&options);
    options.unchecked = 1; /* frame by frame, noise looks like anything */
    options.seed = 3;
    options.refine = REFINE;
    options.refine_window = WINDOW;
    options.threads = threads;
    options.queue_frames = queue;
    if (vocoder_new_reading(NULL, convention, &options, &vocoder, &error))
        fail_msg("%s: %s", convention->name, error.message);
    return vocoder;
}

/* Pulses of a wandering pitch through three resonances, noise, and a pause: 0.4 s. */
static float *made_up_speech(int rate, size_t *count) {
    *count = (size_t)(0.4 * rate);
    float *x = base_alloc(*count, sizeof *x);
    double phase = 0, state[3][2] = {{0}};
    random_normal(1, 0, 0, x, *count);
    for (size_t i = 0; i < *count; i++) {
        const double t = (double)i / rate, noise = 0.02 * (double)x[i];
        const double input = noise + (phase >= 1);
        phase -= phase >= 1;
        phase += (140 + 40 * sin(2 * M_PI * 1.5 * t)) / rate;
        double sum = 0;
        for (int k = 0; k < 3; k++) {
            const double centre = k == 0 ? 500 + 200 * sin(9 * t) : k == 1 ? 1500 : 2700;
            const double r = 1 - M_PI * (80 + 40 * k) / rate,
                         a = 2 * r * cos(2 * M_PI * centre / rate);
            const double y = input + a * state[k][0] - r * r * state[k][1];
            state[k][1] = state[k][0];
            state[k][0] = y;
            sum += (1 - r) * y;
        }
        x[i] = (float)(t > 0.25 && t < 0.3 ? 1e-3 * noise : 0.9 * tanh(3 * sum));
    }
    return x;
}

/* Mean |difference| of the natural logarithms of two mels, over the bands within 60 dB of the
 * loudest; in nepers. */
static double mel_distance(const mel_convention *c, const float *wanted, const float *got,
                           size_t n) {
    const size_t bands = (size_t)c->bands;
    float a[MEL_MAX_BANDS], b[MEL_MAX_BANDS];
    double loudest = -1e9, sum = 0, count = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t f = 0; f < n; f++) {
            mel_to_natural_log(c, wanted + f * bands, a);
            mel_to_natural_log(c, got + f * bands, b);
            for (size_t k = 0; k < bands; k++) {
                if (pass == 0) loudest = fmax(loudest, (double)a[k]);
                if (pass == 0 || (double)a[k] < loudest - 6.9) continue;
                sum += fabs((double)a[k] - (double)b[k]);
                count++;
            }
        }
    return sum / count;
}

/* As many samples after f frames as the latency says, then the same however it is cut. */
static void stream(lull_vocoder *vocoder, const mel_convention *c, const float *mel, size_t n,
                   float *out) {
    const size_t hop = (size_t)c->hop, latency = lull_vocoder_latency(vocoder);
    size_t got = 0, accepted, produced;
    lull_error error;
    for (size_t f = 0; f < n; f++) {
        if (lull_vocoder_push(vocoder, mel + f * (size_t)c->bands, 1, &accepted, &error) ||
            accepted != 1)
            fail_msg("%s: frame %zu is not taken", c->name, f);
        do {
            if (lull_vocoder_pull(vocoder, out + got, n * hop - got, &produced, &error))
                fail_msg("%s: %s", c->name, error.message);
            got += produced;
        } while (produced > 0);
        const size_t due = (f + 1) * hop > latency ? (f + 1) * hop - latency : 0;
        if (got != due)
            fail_msg("%s: %zu samples after frame %zu, the latency of %zu says %zu", c->name, got,
                     f, latency, due);
    }
    lull_vocoder_finish(vocoder);
    do {
        if (lull_vocoder_pull(vocoder, out + got, n * hop - got, &produced, &error))
            fail_msg("%s: %s", c->name, error.message);
        got += produced;
    } while (produced > 0);
    assert_int_equal(got, n * hop);
    assert_true(lull_vocoder_ended(vocoder));
}

static void copy(const mel_convention *c, double most) {
    lull_error error;
    size_t count, n, again_n;
    float *speech = made_up_speech(c->sample_rate, &count), *mel, *again;
    if (mel_from_samples(c, speech, count, &mel, &n, &error)) fail_msg("%s", error.message);
    const size_t samples = n * (size_t)c->hop;
    float *out = base_alloc(samples, sizeof *out), *other = base_alloc(samples, sizeof *other);
    lull_vocoder *vocoder = new_noise(c, 1, 0);
    stream(vocoder, c, mel, n, out);
    static const size_t pushes[] = {1000, 1}, pulls[] = {1 << 20, 77};
    for (int i = 0; i < 2; i++) {
        lull_vocoder *cut = new_noise(c, i + 1, i == 1 ? 3 : 0);
        synthesize(cut, c, mel, n, pushes[i], pulls[i], other);
        if (memcmp(out, other, samples * sizeof *out))
            fail_msg("%s: pushes of %zu give other samples", c->name, pushes[i]);
        lull_vocoder_free(cut);
    }
    if (mel_from_samples(c, out, samples, &again, &again_n, &error)) fail_msg("%s", error.message);
    const double distance = mel_distance(c, mel, again, n < again_n ? n : again_n);
    printf("  %-20s %5d Hz, %4d/%4d/%3d: %.3f\n", c->name, c->sample_rate, c->n_fft, c->window,
           c->hop, distance);
    if (!(distance < most)) fail_msg("%s: the mel is off by %.3f", c->name, distance);
    lull_vocoder_free(vocoder);
    base_free(speech);
    base_free(mel);
    base_free(again);
    base_free(out);
    base_free(other);
}

static void all_of_the_table(void **state) {
    (void)state;
    int i = 0;
    for (const char *name; (name = mel_convention_name_at(i, NULL, NULL)); i++) {
        mel_convention convention;
        lull_error error;
        if (mel_convention_named(name, 0, &convention, &error)) fail_msg("%s", error.message);
        copy(&convention, 0.12);
    }
    assert_true(i >= 12);
}

static void others(void **state) {
    (void)state;
    static const struct {
        int rate, n_fft, window, hop;
        bool centred;
    } sizes[] = {
        {22050, 1024, 1024, 300, false}, /* three and a half hops to a window */
        {24000, 1200, 1200, 251, true},  /* an odd hop */
        {16000, 1024, 800, 200, false},  /* a short window */
        {44100, 1764, 1764, 441, true},  /* 10 ms of 40 */
        {22050, 1102, 1101, 275, true},  /* an odd window in a size with a large prime, 2·19·29 */
        {16000, 640, 640, 320, true},    /* half a window */
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        mel_convention c;
        lull_error error;
        if (mel_convention_named("hifigan-22k", sizes[i].rate, &c, &error))
            fail_msg("%s", error.message);
        c.n_fft = sizes[i].n_fft;
        c.window = sizes[i].window;
        c.hop = sizes[i].hop;
        c.centred = sizes[i].centred;
        strcpy(c.name, "another");
        if (mel_convention_check(&c, &error)) fail_msg("%s", error.message);
        copy(&c, 0.1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_of_the_table),
                                       cmocka_unit_test(others)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
