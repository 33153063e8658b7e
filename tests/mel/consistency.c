/* Mel consistency: against reference data, as a stream, at the ends, its cost in memory. */
#include "mel/consistency.h"
#include "mel/guide.h"
#include "mel/low_band.h"
#include "mel/filterbank.h"
#include "mel/front_end.h"
#include "mel/whiten.h"

#include "goldens.h"

#include "base/random.h"
#include <complex.h>

/* The golden keeps the first 40 frames of its signals. Frames that begin before sample 10240 − 1024
 * are whole: the first 37; what the first 34 of them become is known to the last bit when the
 * window is 3. */
enum { FRAMES = 40, COUNT = FRAMES * 256, SIZE = 1024, KNOWN = 33 * 256 };

static mel_convention hifigan16(void) {
    lull_error error;
    mel_convention c;
    assert_ok(mel_convention_named("hifigan", 16000, &c, &error), error);
    return c;
}

/* The golden's mel, frame after frame. */
static float *golden_frames(void) {
    float *mel = golden_tensor("mel", 80 * 93), *frames = base_alloc(80 * FRAMES, sizeof(float));
    for (size_t b = 0; b < 80; b++)
        for (size_t f = 0; f < FRAMES; f++) frames[f * 80 + b] = mel[b * 93 + f];
    base_free(mel);
    return frames;
}

/* Windowed synthesis frames of a signal: window²·segment. */
static float *cut(const mel_convention *c, const float *signal, size_t count, size_t n) {
    const size_t size = (size_t)c->n_fft;
    float *frames = base_alloc(n * size, sizeof(float));
    const long lead = c->centred ? c->n_fft / 2 : (c->n_fft - c->hop) / 2;
    const long first = (c->n_fft - c->window) / 2;
    for (size_t f = 0; f < n; f++)
        for (long i = 0; i < c->window; i++) {
            const long at = (long)f * c->hop - lead + first + i;
            const double w = 0.5 - 0.5 * cos(2 * M_PI * (double)i / c->window);
            if (at >= 0 && at < (long)count)
                frames[f * size + (size_t)(first + i)] = (float)(w * w) * signal[at];
        }
    return frames;
}

/* Runs the whole stage; checks that the delay is what it says. */
static void run(const mel_convention *c, const float *mel, const float *open, size_t n,
                int iterations, int low, int window, double momentum, float *out) {
    lull_error error;
    mel_consistency *stage;
    assert_ok(mel_consistency_new(
                  c,
                  &(mel_refinement){
                      .iterations = iterations, .window = window, .momentum = momentum, .low = low},
                  &stage, &error),
              error);
    const size_t hop = (size_t)c->hop, delay = (size_t)mel_consistency_delay_of(c, window);
    size_t written = 0;
    for (size_t f = 0; f < n; f++) {
        written += mel_consistency_push(stage, mel + f * (size_t)c->bands,
                                        open + f * (size_t)c->n_fft, NULL, out + written);
        assert_int_equal(written, f + 1 > delay ? (f + 1 - delay) * hop : 0);
    }
    for (size_t got; (got = mel_consistency_finish(stage, out + written)) > 0;) written += got;
    assert_int_equal(written, n * hop);
    assert_int_equal(mel_consistency_finish(stage, out), 0);
    mel_consistency_free(stage);
}

static void window_matches_reference(void **state) {
    (void)state;
    const mel_convention c = hifigan16();
    float *mel = golden_frames(), *audio = golden_tensor("audio_eta1", COUNT);
    float *golden = golden_tensor("refined_window3_8", COUNT),
          *out = base_alloc(COUNT, sizeof(float));
    float *open = cut(&c, audio, COUNT, FRAMES);
    run(&c, mel, open, FRAMES, 8, 0, 3, 0.9, out);
    assert_within("window of 3, 8 iterations", largest_difference(out, golden, KNOWN), 5e-3);
    base_free(mel);
    base_free(audio);
    base_free(golden);
    base_free(out);
    base_free(open);
}

/* Without iterations the stage adds windowed frames up: window²·segment gives the signal back, for
 * every convention, window and length, one frame included. */
static void no_iterations_is_overlap_add(void **state) {
    (void)state;
    static const char *const names[] = {"hifigan", "tacotron2", "diffwave", "parallelwavegan"};
    static const int windows[] = {0, 1, 5};
    static const size_t lengths[] = {1, 2, 3, 7, 40};
    for (size_t i = 0; i < 4 * 3 * 5; i++) {
        lull_error error;
        mel_convention c;
        assert_ok(mel_convention_named(names[i % 4], 0, &c, &error), error);
        const size_t n = lengths[i / 12], count = n * (size_t)c.hop;
        float *signal = base_alloc(count, sizeof(float)), *out = base_alloc(count, sizeof(float));
        float *mel = base_alloc(n * 80, sizeof(float));
        random_normal(5, 0, 0, signal, count);
        float *open = cut(&c, signal, count, n);
        run(&c, mel, open, n, 0, 0, windows[i / 4 % 3], 0.9, out);
        /* The last samples of a non-centred signal have less window over them, never less than the
         * limit. */
        assert_true(largest_difference(out, signal, count) < 1e-4);
        base_free(signal);
        base_free(out);
        base_free(mel);
        base_free(open);
    }
}

/* Mean |ln mel − ln mel| between a signal and what was wanted, of the bands from…to − 1. */
static double mel_error_of(const mel_convention *c, const float *signal, size_t count,
                           const float *wanted, size_t n, size_t from, size_t to) {
    lull_error error;
    float *frames;
    size_t got;
    assert_ok(mel_from_samples(c, signal, count, &frames, &got, &error), error);
    assert_true(got >= n);
    double sum = 0;
    for (size_t i = 0; i < n * (size_t)c->bands; i++)
        if (i % (size_t)c->bands >= from && i % (size_t)c->bands < to)
            sum += fabs((double)frames[i] - (double)wanted[i]);
    base_free(frames);
    return sum / (double)(n * (to - from));
}

static double mel_error(const mel_convention *c, const float *signal, size_t count,
                        const float *wanted, size_t n) {
    return mel_error_of(c, signal, count, wanted, n, 0, (size_t)c->bands);
}

/* Noise opened through the colouring filter: the mel error falls with iterations and window, in
 * every convention. */
static void refining_noise_reaches_the_mel(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int rate;
        double unit; /* one natural logarithm in this convention */
    } cases[] = {{"hifigan", 16000, 1},
                 {"tacotron2", 22050, 1},
                 {"diffwave", 22050, 0.2 / M_LN10},
                 {"parallelwavegan", 24000, 1 / M_LN10}};
    for (size_t i = 0; i < 4; i++) {
        lull_error error;
        mel_convention c;
        size_t n;
        assert_ok(mel_convention_named(cases[i].name, cases[i].rate, &c, &error), error);
        float *mel = golden_mel(cases[i].name, cases[i].rate, 80, &n);
        const size_t count = n * (size_t)c.hop;
        float *noise = base_alloc(count, sizeof(float)), *out = base_alloc(count, sizeof(float));
        random_normal(1, 0, 0, noise, count);
        assert_ok(mel_filter_whole(&c, 0, mel, n, noise, noise, count, true, &error), error);
        float *open = cut(&c, noise, count, n);
        const double raw = mel_error(&c, noise, count, mel, n) / cases[i].unit;
        run(&c, mel, open, n, 8, 0, 0, 0.9, out);
        const double narrow = mel_error(&c, out, count, mel, n) / cases[i].unit;
        run(&c, mel, open, n, 16, 0, 4, 0.9, out);
        const double wide = mel_error(&c, out, count, mel, n) / cases[i].unit;
        print_message("    %s: mel error %.3f, then %.3f, then %.3f\n", cases[i].name, raw, narrow,
                      wide);
        assert_true(narrow < 0.7 * raw);
        assert_true(wide < 0.3 * raw);
        base_free(mel);
        base_free(noise);
        base_free(out);
        base_free(open);
    }
}

/* ---- the low band ---- */

static void rates_are_divided(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int rate, decimation;
    } cases[] = {{"hifigan-22k", 0, 4},    {"hifigan-16k", 0, 4},   {"vocos-24k", 0, 4},
                 {"cosyvoice2-24k", 0, 4}, {"styletts2-24k", 0, 4}, {"parallelwavegan-24k", 0, 4},
                 {"speecht5-16k", 0, 4},   {"diffsinger-44k", 0, 8}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lull_error error;
        mel_convention c;
        assert_ok(mel_convention_named(cases[i].name, cases[i].rate, &c, &error), error);
        assert_int_equal(mel_low_band_decimation(&c), cases[i].decimation);
    }
    lull_error error;
    mel_convention c;
    assert_ok(mel_convention_named("hifigan-22k", 0, &c, &error), error);
    c.hop = 275; /* divides with nothing */
    assert_int_equal(mel_low_band_decimation(&c), 1);
    assert_ok(mel_convention_named("hifigan-22k", 0, &c, &error), error);
    c.fmin = 1300; /* nothing there */
    assert_int_equal(mel_low_band_decimation(&c), 1);
}

/* A frame of a tone below the band's edge is its samples at the lower rate; what is put back is the
 * frame again, and a tone above the edge stays as it was. */
static void low_bands_are_taken_and_put(void **state) {
    (void)state;
    enum { size = 1024, rate = 22050, DIVIDED = 4, part = size / DIVIDED };
    lull_error error;
    mel_convention c;
    mel_low_band *band;
    assert_ok(mel_convention_named("hifigan-22k", 0, &c, &error), error);
    assert_ok(mel_low_band_new(&c, DIVIDED, &band, &error), error);
    float frame[size], below[size], above[size], low[part], got[size];
    for (int i = 0; i < size; i++) {
        const double window = 0.5 - 0.5 * cos(2 * M_PI * i / size);
        below[i] = (float)(window * window * cos(2 * M_PI * 700 / rate * i));
        above[i] = (float)(window * window * cos(2 * M_PI * 4000 / rate * i));
        frame[i] = below[i] + above[i];
    }
    mel_low_band_take(band, frame, low);
    for (int i = 0; i < part; i++) {
        assert_true(fabsf(low[i] - MEL_LOW_QUIET * below[DIVIDED * i]) < 1e-6f);
        low[i] /= MEL_LOW_QUIET;
    }
    memcpy(got, frame, sizeof got);
    mel_low_band_put(band, low, got);
    for (int i = 0; i < size; i++) assert_true(fabsf(got[i] - frame[i]) < 1e-5f);
    for (int i = 0; i < part; i++) low[i] = 0;
    mel_low_band_put(band, low, got);
    for (int i = 0; i < size; i++) assert_true(fabsf(got[i] - above[i]) < 1e-4f);
    mel_low_band_free(band);
    mel_low_band_free(NULL);
}

/* Iterations of the low band alone: its mel error falls, what is above stays as it was; where a rate
 * cannot be divided the whole band gets a quarter as many. */
static void the_low_band_is_refined(void **state) {
    (void)state;
    static const char *const names[] = {"hifigan", "parallelwavegan", "tacotron2"};
    for (size_t i = 0; i < 3; i++) {
        lull_error error;
        mel_convention c;
        size_t n;
        assert_ok(mel_convention_named(names[i], 0, &c, &error), error);
        float *mel = golden_mel(names[i], c.sample_rate, 80, &n);
        const size_t count = n * (size_t)c.hop;
        float *noise = base_alloc(count, sizeof(float)), *out = base_alloc(count, sizeof(float));
        float *plain = base_alloc(count, sizeof(float));
        random_normal(1, 0, 0, noise, count);
        assert_ok(mel_filter_whole(&c, 0, mel, n, noise, noise, count, true, &error), error);
        float *open = cut(&c, noise, count, n);
        size_t low = 0, high = 0; /* bands wholly below the ramp, and wholly above */
        const double edge = mel_low_band_edge(&c);
        while (mel_filterbank_edge(&c, (int)low + 2) < edge - MEL_LOW_RAMP_HZ) low++;
        while (mel_filterbank_edge(&c, (int)high) < edge + 50) high++;
        run(&c, mel, open, n, 2, 0, 4, 0.9, plain);
        run(&c, mel, open, n, 2, 40, 4, 0.9, out);
        const double before = mel_error_of(&c, plain, count, mel, n, 0, low);
        const double after = mel_error_of(&c, out, count, mel, n, 0, low);
        const double above = mel_error_of(&c, plain, count, mel, n, high, 80);
        const double above_after = mel_error_of(&c, out, count, mel, n, high, 80);
        print_message("    %s: below %.3f, then %.3f; above %.4f, then %.4f\n", names[i], before,
                      after, above, above_after);
        assert_true(after < 0.5 * before);
        assert_true(fabs(above_after - above) < 0.02 * above);
        /* The same 40 iterations of the whole band: the low one comes as near. */
        run(&c, mel, open, n, 40, 0, 4, 0.9, plain);
        assert_true(after < 1.3 * mel_error_of(&c, plain, count, mel, n, 0, low));
        c.hop -= 2; /* of no frame of these mels, but of a grid that does not divide */
        base_free(open);
        open = cut(&c, noise, count, n);
        run(&c, mel, open, n, 1, 17, 2, 0.9, out);
        run(&c, mel, open, n, 5, 0, 2, 0.9, plain);
        assert_memory_equal(out, plain, n * (size_t)c.hop * sizeof(float));
        base_free(mel);
        base_free(noise);
        base_free(out);
        base_free(plain);
        base_free(open);
    }
}

/* √ of the magnitudes of the low band's bins of frame f of a signal. */
static void roots_of(const mel_convention *c, mel_stft *stft, const float *signal, size_t f,
                     float *roots) {
    float segment[SIZE];
    mel_stft_cut(stft, signal, COUNT, mel_stft_begin(stft, (int64_t)f), false, segment);
    mel_stft_analyse(stft, segment);
    for (int k = 0; k < mel_low_band_bins(c); k++)
        roots[k] = sqrtf(hypotf(stft->spectrum[2 * k], stft->spectrum[2 * k + 1]));
}

/* What a network says of a frame, as magnitudes, weights and floors; beyond the bins nothing. */
static void guides_are_read(void **state) {
    (void)state;
    enum { BINS = 119 };
    lull_error error;
    const mel_convention c = hifigan16();
    const int decimation = mel_low_band_decimation(&c);
    mel_envelope *envelope;
    mel_guide guide;
    float *frame = golden_frames(), log_envelope[SIZE / 2 + 1], said[2 * BINS];
    assert_ok(mel_envelope_new_low(&c, decimation, &envelope, &error), error);
    assert_ok(mel_guide_init(&c, &guide, &error), error);
    assert_int_equal(guide.bins, BINS);
    for (int k = 0; k < BINS; k++) {
        said[k] = 0.02f * (float)(k - 50);
        said[BINS + k] = 0.1f * (float)(k - 50);
    }
    assert_true(mel_guide_share(24, 1) == 1 && mel_guide_share(1, 0) == 1);
    assert_true(fabsf(mel_guide_share(24, 7) - 0.5f) < 1e-6f);
    mel_guide_read(&guide, envelope, frame, said, 0.5f);
    mel_envelope_log(envelope, frame, log_envelope);
    for (int k = 0; k < guide.count; k++) {
        if (k >= BINS) {
            assert_true(guide.target[k] == 0 && guide.weight[k] == 0 && guide.floor[k] > 0);
            continue;
        }
        assert_true(fabsf(guide.target[k] - log_envelope[k] - said[k]) < 1e-5f);
        const float weight = k == 0 ? 0 : 0.5f / (1 + expf(2 - said[BINS + k]));
        assert_true(fabsf(guide.weight[k] - weight) < 1e-6f);
        const double faint = 0.05 * exp(log_envelope[k]);
        assert_true(fabs(guide.floor[k] / (faint * faint + 1e-12) - 1) < 1e-4);
    }
    mel_guide_clear(&guide);
    mel_envelope_free(envelope);
    base_free(frame);
}

/* What a network would say of frame f: nothing, the signal's magnitudes, or something absurd. */
enum { SAID_NOTHING, SAID_TRUTH, SAID_ABSURD, KINDS, LOW_BINS = 119 };
static void say(const mel_convention *c, mel_stft *stft, const float *signal, size_t f, int kind,
                const float *log_envelope, float *said) {
    roots_of(c, stft, signal, f, said);
    for (int k = 0; k < 2 * LOW_BINS; k++) {
        if (kind == SAID_ABSURD)
            said[k] = k % 2 ? 1e30f : -1e30f;
        else if (k < LOW_BINS)
            said[k] = 2 * logf(said[k] + 1e-6f) - log_envelope[k];
        else
            said[k] = 0.9f; /* a quarter of the way */
    }
}

/* The magnitudes of a signal's bins in the low band, beside its mel: what is made of the mel comes
 * nearer to them. However absurd they are, samples stay finite. */
static void known_magnitudes_are_approached(void **state) {
    (void)state;
    lull_error error;
    const mel_convention c = hifigan16();
    const mel_stft_grid grid = mel_stft_grid_of(&c);
    assert_int_equal(mel_low_band_bins(&c), LOW_BINS);
    float *audio = golden_tensor("audio_eta1", COUNT), *mel;
    float *noise = base_alloc(COUNT, sizeof(float)), *out = base_alloc(COUNT, sizeof(float));
    size_t frames;
    mel_envelope *envelope;
    mel_stft *stft;
    assert_ok(mel_from_samples(&c, audio, COUNT, &mel, &frames, &error), error);
    assert_ok(mel_envelope_new(&c, 0, &envelope, &error), error);
    assert_ok(mel_stft_new(&grid, MEL_STFT_FAST, &stft, &error), error);
    random_normal(1, 0, 0, noise, COUNT);
    assert_ok(mel_filter_whole(&c, 0, mel, FRAMES, noise, noise, COUNT, true, &error), error);
    float *open = cut(&c, noise, COUNT, FRAMES), is[LOW_BINS], should[LOW_BINS];
    double errors[KINDS] = {0};
    for (int kind = 0; kind < KINDS; kind++) {
        mel_consistency *stage;
        assert_ok(mel_consistency_new(&c, &(mel_refinement){1, 3, 0.9, 24}, &stage, &error), error);
        size_t written = 0;
        for (size_t f = 0; f < FRAMES; f++) {
            float log_envelope[SIZE / 2 + 1], said[2 * LOW_BINS];
            mel_envelope_log(envelope, mel + f * 80, log_envelope);
            say(&c, stft, audio, f, kind, log_envelope, said);
            written += mel_consistency_push(stage, mel + f * 80, open + f * SIZE,
                                            kind == SAID_NOTHING ? NULL : said, out + written);
        }
        for (size_t hop; (hop = mel_consistency_finish(stage, out + written)) > 0;) written += hop;
        assert_int_equal(written, COUNT);
        mel_consistency_free(stage);
        for (size_t f = 4; f < FRAMES - 4; f++) {
            roots_of(&c, stft, out, f, is);
            roots_of(&c, stft, audio, f, should);
            for (int k = 0; k < LOW_BINS; k++) {
                assert_true(isfinite(is[k]));
                errors[kind] += fabs((double)is[k] - (double)should[k]);
            }
        }
    }
    print_message("    error of magnitudes %.1f, known %.1f\n", errors[SAID_NOTHING],
                  errors[SAID_TRUTH]);
    assert_true(errors[SAID_TRUTH] < 0.7 * errors[SAID_NOTHING]);
    mel_envelope_free(envelope);
    mel_stft_free(stft);
    float *owned[] = {audio, mel, noise, out, open};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) base_free(owned[i]);
}

/* The same object gives the same bits after a reset, and another object too; it allocates nothing.
 */
static void reset_repeats(void **state) {
    (void)state;
    lull_error error;
    const mel_convention c = hifigan16();
    float *mel = golden_frames(), *audio = golden_tensor("audio_eta1", COUNT);
    float *open = cut(&c, audio, COUNT, FRAMES);
    float *first = base_alloc(COUNT, sizeof(float)), *second = base_alloc(COUNT, sizeof(float));
    run(&c, mel, open, FRAMES, 4, 6, 2, 0.9, first);
    mel_consistency *stage;
    assert_ok(mel_consistency_new(&c, &(mel_refinement){4, 2, 0.9, 6}, &stage, &error), error);
    base_memory_fail_at(1);
    for (size_t f = 0; f < 11; f++)
        mel_consistency_push(stage, mel, open + 20 * SIZE, NULL, second);
    mel_consistency_reset(stage);
    size_t written = 0;
    for (size_t f = 0; f < FRAMES; f++)
        written +=
            mel_consistency_push(stage, mel + f * 80, open + f * SIZE, NULL, second + written);
    for (size_t got; (got = mel_consistency_finish(stage, second + written)) > 0;) written += got;
    base_memory_fail_at(0);
    assert_memory_equal(first, second, COUNT * sizeof(float));
    mel_consistency_free(stage);
    base_free(mel);
    base_free(audio);
    base_free(open);
    base_free(first);
    base_free(second);
}

/* Silence in the mel makes silence, from any opening frame; nothing becomes NaN. */
static void silence_stays_silent(void **state) {
    (void)state;
    const mel_convention c = hifigan16();
    enum { n = 20, count = n * 256 };
    float mel[n * 80], noise[count], zero[count] = {0}, out[count];
    for (int i = 0; i < n * 80; i++) mel[i] = -11.512925f;
    random_normal(2, 0, 0, noise, count);
    float *open = cut(&c, noise, count, n);
    run(&c, mel, open, n, 16, 16, 3, 0.9, out);
    for (int i = 0; i < count; i++) assert_true(fabsf(out[i]) < 0.01f);
    base_free(open);
    open = cut(&c, zero, count, n);
    run(&c, mel, open, n, 16, 16, 3, 0.9, out);
    for (int i = 0; i < count; i++) assert_true(out[i] == 0);
    /* Nothing to work on, a loud mel wanted: no infinities. */
    for (int i = 0; i < n * 80; i++) mel[i] = 6;
    run(&c, mel, open, n, 8, 8, 2, 0.9, out);
    for (int i = 0; i < count; i++) assert_true(isfinite(out[i]));
    base_free(open);
}

/* Any finite mel, however absurd, leaves finite samples: opened through its own colouring gain,
 * too. */
static void absurd_mels_stay_finite(void **state) {
    (void)state;
    static const char *const names[] = {"hifigan", "diffwave", "parallelwavegan"};
    enum { n = 24 };
    for (int which = 0; which < 3; which++) {
        lull_error error;
        mel_convention c;
        assert_ok(mel_convention_named(names[which], 0, &c, &error), error);
        const size_t count = n * (size_t)c.hop;
        float mel[n * 80], *signal = base_alloc(count, sizeof(float));
        static const float values[] = {1e30f, -1e30f, 3e38f, 0, 50, -3e38f, 1e-38f};
        for (int i = 0; i < n * 80; i++) mel[i] = values[i / 80 % 7];
        random_normal(2, 0, 0, signal, count);
        assert_ok(mel_filter_whole(&c, 500, mel, n, signal, signal, count, true, &error), error);
        for (size_t i = 0; i < count; i++) assert_true(isfinite(signal[i]));
        float *open = cut(&c, signal, count, n);
        run(&c, mel, open, n, 32, 32, 3, 0.9, signal);
        for (size_t i = 0; i < count; i++) assert_true(isfinite(signal[i]));
        base_free(signal);
        base_free(open);
    }
}

static void bad_options_are_refused(void **state) {
    (void)state;
    lull_error error;
    mel_convention c = hifigan16();
    mel_consistency *stage;
    assert_int_equal(mel_consistency_new(&c, &(mel_refinement){-1, 0, 0.9, 0}, &stage, &error),
                     LULL_INVALID);
    assert_null(stage);
    assert_int_equal(mel_consistency_new(&c, &(mel_refinement){1, -1, 0.9, 0}, &stage, &error),
                     LULL_INVALID);
    assert_int_equal(mel_consistency_new(&c, &(mel_refinement){1, 1, 0.9, -1}, &stage, &error),
                     LULL_INVALID);
    assert_int_equal(mel_consistency_new(&c, &(mel_refinement){1, 257, 0.9, 0}, &stage, &error),
                     LULL_INVALID);
    assert_int_equal(mel_consistency_new(&c, &(mel_refinement){1, 1, 1.0, 0}, &stage, &error),
                     LULL_INVALID);
    assert_int_equal(mel_consistency_new(&c, &(mel_refinement){1, 1, NAN, 0}, &stage, &error),
                     LULL_INVALID);
    c.hop = 0;
    assert_int_equal(mel_consistency_new(&c, &(mel_refinement){1, 1, 0.9, 0}, &stage, &error),
                     LULL_INVALID);
    mel_consistency_free(NULL);
}

static void failing_allocations(void **state) {
    (void)state;
    lull_error error;
    const mel_convention c = hifigan16();
    int failed = 0;
    for (size_t at = 1;; at++) {
        mel_consistency *stage = NULL;
        base_memory_fail_at(at);
        const lull_status status =
            mel_consistency_new(&c, &(mel_refinement){1, 2, 0.9, 1}, &stage, &error);
        base_memory_fail_at(0);
        mel_consistency_free(stage);
        if (status == LULL_OK) break;
        assert_int_equal(status, LULL_NO_MEMORY);
        failed++;
    }
    assert_true(failed > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(window_matches_reference),
        cmocka_unit_test(no_iterations_is_overlap_add),
        cmocka_unit_test(refining_noise_reaches_the_mel),
        cmocka_unit_test(rates_are_divided),
        cmocka_unit_test(low_bands_are_taken_and_put),
        cmocka_unit_test(the_low_band_is_refined),
        cmocka_unit_test(guides_are_read),
        cmocka_unit_test(known_magnitudes_are_approached),
        cmocka_unit_test(reset_repeats),
        cmocka_unit_test(silence_stays_silent),
        cmocka_unit_test(absurd_mels_stay_finite),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
