/* The pitch source: its definition, its spectrum, its period. */
#include "vocoder/source.h"

#include "../pitch/signals.h"
#include "mel/fft.h"
#include "pitch/label.h"

static const vocoder_noise_source noise = {.seed = 5};

static pitch_values voice(float f0, float voicing, float low, float high) {
    pitch_values v = {.f0 = f0, .voicing = voicing};
    for (int b = 0; b < PITCH_BANDS; b++) v.aperiodicity[b] = b < 3 ? low : high;
    return v;
}

/* The whole of it: `frames` hops. */
static float *make(int rate, int hop, int centre, const pitch_values *voices, size_t frames,
                   const vocoder_noise_source *from) {
    lull_error error;
    vocoder_source *s;
    float *out = base_alloc((frames + 1) * (size_t)hop, sizeof *out);
    size_t n = 0;
    assert_non_null(out);
    assert_ok(vocoder_source_new(rate, hop, centre, 0, &s, &error), error);
    for (size_t f = 0; f < frames; f++)
        n += (size_t)vocoder_source_push(s, &voices[f], 0, from, out + n);
    assert_int_equal(n, (frames - 1) * (size_t)hop + (size_t)centre);
    vocoder_source_finish(s, from, out + n, hop - centre);
    vocoder_source_free(s);
    return out;
}

/* Without a voice it is the noise, bit for bit, whatever the pitch. */
static void test_noise(void **state) {
    (void)state;
    enum { FRAMES = 20, HOP = 256 };
    pitch_values voices[FRAMES];
    float wanted[FRAMES * HOP];
    for (int f = 0; f < FRAMES; f++)
        voices[f] = f % 2 ? voice(100 + (float)f, 0, 0, 0) : voice(200, 1, 1, 1);
    vocoder_noise_draw(&noise, 0, 0, wanted, FRAMES * HOP);
    float *out = make(22050, HOP, HOP / 2, voices, FRAMES, &noise);
    assert_memory_equal(out, wanted, sizeof wanted);
    base_free(out);
}

/* As defined, at odd sizes and with everything moving; twice the same bits. */
static void test_definition(void **state) {
    (void)state;
    const struct {
        int rate, hop, centre;
    } cases[] = {{22050, 256, 128}, {16000, 200, 0}, {24000, 301, 150}, {48000, 512, 256}};
    enum { FRAMES = 7 };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int rate = cases[c].rate, hop = cases[c].hop, centre = cases[c].centre;
        size_t n = FRAMES * (size_t)hop;
        lull_error error;
        pitch_values voices[FRAMES] = {voice(150, 0, 0, 0),       voice(160, 1, 0, 0.5f),
                                       voice(120, 0.7f, 0.1f, 1), voice(240, 1, 0.5f, 0.2f),
                                       voice(90, 1, 0, 0),        voice(90, 0, 0, 0),
                                       voice(100, 0, 1, 1)};
        float *plain = base_alloc(n, sizeof *plain);
        float *out = make(rate, hop, centre, voices, FRAMES, &noise);
        float *again = make(rate, hop, centre, voices, FRAMES, &noise);
        assert_ok(vocoder_source_plain(rate, hop, centre, voices, FRAMES, &noise, plain, n, &error),
                  error);
        for (size_t i = 0; i < n; i++)
            if (!(fabsf(out[i] - plain[i]) < 2e-3f))
                fail_msg("%d Hz, hop %d, sample %zu: %g, not %g", rate, hop, i, out[i], plain[i]);
        assert_memory_equal(out, again, n * sizeof *out);
        base_free(plain);
        base_free(out);
        base_free(again);
    }
}

/* The signal's end may be asked for in any part of a hop. */
static void test_end(void **state) {
    (void)state;
    lull_error error;
    pitch_values v = voice(130, 1, 0.2f, 0.6f);
    float whole[200], part[200];
    for (int n = 0; n <= 200; n += 40) {
        vocoder_source *s;
        assert_ok(vocoder_source_new(16000, 200, 100, 0, &s, &error), error);
        assert_int_equal(vocoder_source_push(s, &v, 0, &noise, whole), 100);
        vocoder_source_finish(s, &noise, whole, 200);
        vocoder_source_reset(s);
        assert_int_equal(vocoder_source_push(s, &v, 0, &noise, part), 100);
        vocoder_source_finish(s, &noise, part, n);
        assert_memory_equal(whole, part, (size_t)n * sizeof *part);
        vocoder_source_free(s);
    }
}

/* Power in every band within 1 dB of white noise's, whatever the voice. */
static void test_white(void **state) {
    (void)state;
    enum { FRAMES = 350, HOP = 256, SIZE = 4096 };
    const int rates[] = {16000, 22050, 48000};
    const float voicings[] = {0, 0.3f, 1}, shares[] = {0, 0.5f, 1};
    lull_error error;
    mel_fft *transform;
    assert_ok(mel_fft_new(SIZE, MEL_FFT_EXACT, &transform, &error), error);
    for (int r = 0; r < 3; r++)
        for (int v = 0; v < 3; v++)
            for (int low = 0; low < 3; low++) {
                int rate = rates[r];
                pitch_values voices[FRAMES];
                for (int f = 0; f < FRAMES; f++)
                    voices[f] = voice(140 + 40 * sinf(0.05f * (float)f), voicings[v], shares[low],
                                      shares[2 - low]);
                float *out = make(rate, HOP, HOP / 2, voices, FRAMES, &noise);
                double power[SIZE / 2 + 1] = {0};
                int pieces = 0;
                for (int at = 0; at + SIZE <= FRAMES * HOP; at += SIZE / 2, pieces++) {
                    for (int i = 0; i < SIZE; i++)
                        transform->real[i] =
                            out[at + i] * (float)(0.5 - 0.5 * cos(2 * M_PI * i / SIZE));
                    mel_fft_forward(transform);
                    for (int k = 0; k <= SIZE / 2; k++)
                        power[k] += transform->spectrum[2 * k] * transform->spectrum[2 * k] +
                                    transform->spectrum[2 * k + 1] * transform->spectrum[2 * k + 1];
                }
                for (int b = 0; b < PITCH_BANDS && PITCH_BAND_EDGES[b + 1] < rate / 2; b++) {
                    double sum = 0;
                    int count = 0;
                    for (int k = b ? 0 : 20; k <= SIZE / 2; k++) {
                        double at = (double)k * rate / SIZE;
                        if (at < PITCH_BAND_EDGES[b] || at >= PITCH_BAND_EDGES[b + 1]) continue;
                        sum += power[k];
                        count++;
                    }
                    double level = 10 * log10(sum / count / pieces / (0.375 * SIZE));
                    if (!(fabs(level) < 1))
                        fail_msg("%d Hz, voicing %g, aperiodicity %g and %g, band %d: %.2f dB",
                                 rate, voicings[v], shares[low], shares[2 - low], b, level);
                }
                base_free(out);
            }
    mel_fft_free(transform);
}

/* What the labels of a recording would be of it. */
static void test_labels(void **state) {
    (void)state;
    enum { FRAMES = 172, HOP = 256, RATE = 22050 };
    const float highs[] = {0, 0.5f, 1};
    lull_error error;
    for (int i = 0; i < 3; i++) {
        pitch_values voices[FRAMES], found[FRAMES];
        for (int f = 0; f < FRAMES; f++)
            voices[f] = voice(120 * exp2f((float)f / FRAMES), 1, 0, highs[i]);
        float *out = make(RATE, HOP, HOP / 2, voices, FRAMES, &noise);
        assert_ok(pitch_label(out, FRAMES * HOP, RATE, HOP / 2, HOP, found, FRAMES, &error), error);
        double mean[PITCH_BANDS] = {0};
        int right = 0;
        for (int f = 10; f < FRAMES - 10; f++) {
            right += fabs(1200 * log2(found[f].f0 / voices[f].f0)) < 20;
            for (int b = 0; b < PITCH_BANDS; b++)
                mean[b] += found[f].aperiodicity[b] / (FRAMES - 20);
        }
        assert_in_range(right, (FRAMES - 20) * 95 / 100, FRAMES - 20);
        for (int b = 0; b < PITCH_BANDS - 1; b++)
            assert_near(mean[b], voices[0].aperiodicity[b], 0.25);
        base_free(out);
    }
}

/* Nonsense is taken for the nearest sense, and never becomes something that is not finite. */
static void test_nonsense(void **state) {
    (void)state;
    enum { FRAMES = 8, HOP = 256 };
    const float values[FRAMES] = {NAN, -1, 0, INFINITY, 1e9f, -INFINITY, 5, 20000};
    pitch_values voices[FRAMES];
    for (int f = 0; f < FRAMES; f++) {
        voices[f] = voice(values[f], f % 3 ? 1 : values[f], values[7 - f], 0);
    }
    float *out = make(22050, HOP, 0, voices, FRAMES, &noise);
    for (int i = 0; i < FRAMES * HOP; i++) assert_true(isfinite(out[i]));
    base_free(out);
}

static void test_memory(void **state) {
    (void)state;
    lull_error error;
    vocoder_source *s;
    for (size_t n = 1;; n++) {
        base_memory_fail_at(n);
        lull_status status = vocoder_source_new(16000, 256, 128, 0, &s, &error);
        base_memory_fail_at(0);
        if (status == LULL_OK) break;
        assert_int_equal(status, LULL_NO_MEMORY);
        assert_null(s);
        assert_true(n < 40);
    }
    vocoder_source_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_noise),  cmocka_unit_test(test_definition),
        cmocka_unit_test(test_end),    cmocka_unit_test(test_white),
        cmocka_unit_test(test_labels), cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
