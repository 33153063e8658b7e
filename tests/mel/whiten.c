/* The whitening filter: against reference data, there and back, frame by frame. */
#include "mel/whiten.h"

#include "goldens.h"

#include "base/random.h"

/* The golden keeps the signals' first 40 of 93 frames: KEPT samples, of which the first KNOWN do
 * not depend on what was left out. */
enum { FRAMES = 93, COUNT = FRAMES * 256, BINS = 513, KEPT = 40 * 256, KNOWN = KEPT - 768 };
static const double tilt = 500;

static mel_convention hifigan16(void) {
    lull_error error;
    mel_convention c;
    assert_ok(mel_convention_named("hifigan", 16000, &c, &error), error);
    return c;
}

static float *golden_frames(void) {
    float *mel = golden_tensor("mel", 80 * FRAMES),
          *frames = base_alloc(80 * FRAMES, sizeof(float));
    for (size_t b = 0; b < 80; b++)
        for (size_t f = 0; f < FRAMES; f++) frames[f * 80 + b] = mel[b * FRAMES + f];
    base_free(mel);
    return frames;
}

static void gains_match_reference(void **state) {
    (void)state;
    lull_error error;
    const mel_convention c = hifigan16();
    mel_envelope *envelope;
    assert_ok(mel_envelope_new(&c, tilt, &envelope, &error), error);
    assert_int_equal(mel_envelope_bins(envelope), BINS);
    float *frames = golden_frames(),
          *golden = golden_tensor("gain_color", 16 * BINS); /* frames 0, 6, … 90 */
    float gain[BINS], inverse[BINS], logs[BINS];
    double worst = 0, reciprocal = 0, tilted = 0, first = 0;
    for (size_t f = 0; f < FRAMES; f++) {
        mel_envelope_colouring_gain(envelope, frames + f * 80, gain);
        mel_envelope_whitening_gain(envelope, frames + f * 80, inverse);
        mel_envelope_log(envelope, frames + f * 80, logs);
        if (f % 6 == 0) worst = fmax(worst, largest_difference(gain, golden + f / 6 * BINS, BINS));
        for (int k = 0; k < BINS; k++) {
            reciprocal = fmax(reciprocal, fabs((double)gain[k] * (double)inverse[k] - 1));
            /* What the gain adds to the envelope is the tilt, the same in every frame. */
            const double level =
                (double)gain[k] / exp((double)logs[k]) / sqrt(1 + k * 15.625 / tilt);
            if (f == 0 && k == 0) first = level;
            tilted = fmax(tilted, fabs(level / first - 1));
        }
    }
    assert_within("colouring gain", worst, 1e-4);
    assert_within("colouring · whitening − 1", reciprocal, 1e-5);
    assert_within("gain / envelope / tilt − 1", tilted, 1e-5);
    base_free(frames);
    base_free(golden);
    mel_envelope_free(envelope);
}

static void whitened_speech_matches_reference(void **state) {
    (void)state;
    lull_error error;
    const mel_convention c = hifigan16();
    size_t count;
    float *frames = golden_frames(), *speech = golden_speech(16000, &count);
    float *golden = golden_tensor("speech_whitened", KEPT), *out = base_alloc(COUNT, sizeof(float));
    assert_true(count >= COUNT);
    assert_ok(mel_filter_whole(&c, tilt, frames, FRAMES, speech, out, COUNT, false, &error), error);
    assert_within("whitened speech", largest_difference(out, golden, KEPT), 1e-4);
    double power = 0;
    for (size_t i = 0; i < COUNT; i++) power += (double)out[i] * (double)out[i] / COUNT;
    print_message("    power %.3f\n", power);
    assert_true(power > 0.7 && power < 1.4);
    base_free(frames);
    base_free(speech);
    base_free(golden);
    base_free(out);
}

static void colouring_matches_reference(void **state) {
    (void)state;
    lull_error error;
    const mel_convention c = hifigan16();
    float *frames = golden_frames(), *whitened = golden_tensor("whitened_eta1", KEPT);
    float *golden = golden_tensor("audio_eta1", KEPT);
    assert_ok(mel_filter_whole(&c, tilt, frames, FRAMES, whitened, whitened, KEPT, true, &error),
              error);
    assert_within("coloured signal", largest_difference(whitened, golden, KNOWN), 1e-3);
    base_free(frames);
    base_free(whitened);
    base_free(golden);
}

/* There and back in every convention: what lies below fmax returns. */
static void there_and_back(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int rate;
    } cases[] = {{"hifigan", 16000},
                 {"hifigan", 22050},
                 {"tacotron2", 22050},
                 {"diffwave", 22050},
                 {"parallelwavegan", 24000}};
    for (size_t i = 0; i < 5; i++) {
        lull_error error;
        mel_convention c;
        size_t count, n;
        assert_ok(mel_convention_named(cases[i].name, cases[i].rate, &c, &error), error);
        float *mel = golden_mel(cases[i].name, cases[i].rate, 80, &n);
        float *speech = golden_speech(cases[i].rate, &count),
              *back = base_alloc(count, sizeof(float));
        assert_ok(mel_filter_whole(&c, tilt, mel, n, speech, back, count, false, &error), error);
        assert_ok(mel_filter_whole(&c, tilt, mel, n, back, back, count, true, &error), error);
        double signal = 0, noise = 0;
        for (size_t j = 512; j < (n - 3) * (size_t)c.hop; j++) {
            signal += (double)speech[j] * (double)speech[j];
            noise += pow((double)speech[j] - (double)back[j], 2);
        }
        print_message("    %s at %d Hz: %.1f dB\n", cases[i].name, cases[i].rate,
                      10 * log10(signal / noise));
        assert_true(signal > 10 * noise);
        base_free(mel);
        base_free(speech);
        base_free(back);
    }
}

/* Frame by frame and overlap-added by hand: the same as whole. */
static void frames_add_up_to_the_whole(void **state) {
    (void)state;
    lull_error error;
    const mel_convention c = hifigan16();
    float *frames = golden_frames(), *noise = base_alloc(COUNT, sizeof(float));
    float *whole = base_alloc(COUNT, sizeof(float));
    random_normal(9, 0, 0, noise, COUNT);
    assert_ok(mel_filter_whole(&c, tilt, frames, FRAMES, noise, whole, COUNT, true, &error), error);
    mel_envelope *envelope;
    mel_frame_filter *filter;
    assert_ok(mel_envelope_new(&c, tilt, &envelope, &error), error);
    assert_ok(mel_frame_filter_new(&c, &filter, &error), error);
    double *sum = base_alloc(COUNT + 2048, sizeof(double)),
           *weight = base_alloc(COUNT + 2048, sizeof(double));
    for (size_t f = 0; f < FRAMES; f++) {
        float gain[BINS], segment[1024];
        mel_envelope_colouring_gain(envelope, frames + f * 80, gain);
        for (size_t i = 0; i < 1024; i++) {
            const long at = (long)(f * 256 + i) - 384;
            segment[i] = at >= 0 && at < COUNT ? noise[at] : 0;
        }
        float before[1024], again[1024];
        memcpy(before, segment, sizeof before);
        mel_frame_filter_run(filter, gain, segment, segment);
        mel_frame_filter_again(filter, gain, again);
        assert_memory_equal(segment, again, sizeof again);
        for (size_t k = 0; k < BINS; k++) gain[k] = (float)(k % 7);
        mel_frame_filter_again(filter, gain, again);
        mel_frame_filter_run(filter, gain, before, before);
        assert_memory_equal(before, again, sizeof again);
        for (size_t i = 0; i < 1024; i++) {
            sum[f * 256 + i] += (double)segment[i];
            weight[f * 256 + i] += pow(0.5 - 0.5 * cos(2 * M_PI * (double)i / 1024), 4 / 2.0);
        }
    }
    double worst = 0;
    for (size_t i = 0; i < COUNT; i++)
        worst = fmax(worst, fabs(sum[i + 384] / weight[i + 384] - (double)whole[i]));
    assert_within("frames against whole", worst, 1e-5);
    base_free(sum);
    base_free(weight);
    base_free(frames);
    base_free(noise);
    base_free(whole);
    mel_envelope_free(envelope);
    mel_frame_filter_free(filter);
}

/* A mel says nothing above fmax: gains fall to exactly 0 there, and only where it ends below
 * Nyquist. */
static void nothing_above_fmax(void **state) {
    (void)state;
    lull_error error;
    mel_convention c;
    mel_envelope *envelope;
    float frame[80], gain[513], wanted[80], magnitude[513 + 31];
    for (int b = 0; b < 80; b++) frame[b] = -3;
    for (int k = 0; k < 513 + 31; k++) magnitude[k] = 1;
    assert_ok(mel_convention_named("hifigan", 22050, &c, &error), error);
    assert_ok(mel_envelope_new(&c, 0, &envelope, &error), error);
    for (int which = 0; which < 3; which++) {
        if (which == 0) mel_envelope_whitening_gain(envelope, frame, gain);
        if (which == 1) mel_envelope_colouring_gain(envelope, frame, gain);
        if (which == 2) {
            mel_envelope_wanted(envelope, frame, wanted);
            mel_envelope_correction(envelope, wanted, magnitude, gain);
        }
        for (int k = 0; k < 513; k++) {
            const double hz = k * 22050.0 / 1024;
            if (hz >= 8300) assert_true(gain[k] == 0);
            if (hz < 8250) assert_true(gain[k] > 0);
            if (hz > 7920 && hz < 8280) assert_true(gain[k] < gain[k - 1]);
        }
    }
    mel_envelope_free(envelope);
}

/* More bands than bins below 1 kHz: empty bands are passed over. */
static void empty_bands(void **state) {
    (void)state;
    lull_error error;
    mel_convention c = hifigan16();
    c.n_fft = c.window = 256;
    c.hop = 64;
    mel_envelope *envelope;
    assert_ok(mel_envelope_new(&c, tilt, &envelope, &error), error);
    float frame[80], gain[129];
    for (int b = 0; b < 80; b++) frame[b] = -4;
    mel_envelope_colouring_gain(envelope, frame, gain);
    for (int k = 0; k < 129; k++) assert_true(gain[k] > 1e-6f && gain[k] < 10);
    mel_envelope_free(envelope);
    c.fmin = 1001;
    c.fmax = 1002;
    assert_int_equal(mel_envelope_new(&c, tilt, &envelope, &error), LULL_INVALID);
    assert_non_null(strstr(error.message, "fmax"));
}

/* What a mel does not look at is silence, not noise as loud as the lowest band; just above its
 * beginning, where its first filter hardly looks, the gain rises. */
static void nothing_below_fmin(void **state) {
    (void)state;
    lull_error error;
    mel_convention c = hifigan16();
    c.fmin = 80;
    mel_envelope *envelope;
    assert_ok(mel_envelope_new(&c, tilt, &envelope, &error), error);
    float frame[80], gain[513];
    for (int b = 0; b < 80; b++) frame[b] = -4;
    mel_envelope_colouring_gain(envelope, frame, gain);
    for (int k = 0; k < 513; k++) {
        const double hz = k * 16000.0 / 1024;
        if (hz <= 72) assert_true(gain[k] == 0);
        if (hz >= 80 && hz < 7500) assert_true(gain[k] > 0);
        if (hz > 72 && hz < 88) assert_true(gain[k] > 0 && gain[k] < gain[k + 1]);
    }
    mel_envelope_free(envelope);
}

static void bad_arguments(void **state) {
    (void)state;
    lull_error error;
    mel_convention c = hifigan16();
    mel_envelope *envelope;
    mel_frame_filter *filter;
    assert_int_equal(mel_envelope_new(&c, -1, &envelope, &error), LULL_INVALID);
    assert_int_equal(mel_envelope_new(&c, NAN, &envelope, &error), LULL_INVALID);
    c.n_fft = 1023;
    assert_int_equal(mel_frame_filter_new(&c, &filter, &error), LULL_INVALID);
    assert_null(filter);
    float x[1] = {0};
    assert_int_equal(mel_filter_whole(&c, 0, x, 0, x, x, 1, true, &error), LULL_INVALID);
    mel_envelope_free(NULL);
    mel_frame_filter_free(NULL);
}

static void failing_allocations(void **state) {
    (void)state;
    lull_error error;
    const mel_convention c = hifigan16();
    float frames[160] = {0}, signal[512] = {0};
    int failed = 0;
    for (size_t at = 1;; at++) {
        base_memory_fail_at(at);
        const lull_status status =
            mel_filter_whole(&c, tilt, frames, 2, signal, signal, 512, true, &error);
        base_memory_fail_at(0);
        if (status == LULL_OK) break;
        assert_int_equal(status, LULL_NO_MEMORY);
        failed++;
    }
    assert_true(failed > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gains_match_reference),
        cmocka_unit_test(whitened_speech_matches_reference),
        cmocka_unit_test(colouring_matches_reference),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(frames_add_up_to_the_whole),
        cmocka_unit_test(nothing_above_fmax),
        cmocka_unit_test(nothing_below_fmin),
        cmocka_unit_test(empty_bands),
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
