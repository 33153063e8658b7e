/* The mel conventions that lull knows by name. */
#include "mel/convention.h"

#include "base/error.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* HiFi-GAN's front end; Tacotron 2's differs in the place of the frames alone. */
static void fill_hifigan(mel_convention *c, int sample_rate) {
    c->sample_rate = sample_rate ? sample_rate : 22050;
    c->n_fft = c->window = 1024;
    c->hop = 256;
    c->bands = 80;
    c->fmin = 0;
    c->fmax = fmin(8000, c->sample_rate / 2.0);
    c->scale = MEL_SCALE_SLANEY;
    c->compression = MEL_COMPRESS_LN;
    c->floor = 1e-5;
    c->magnitude_epsilon = 1e-9;
}

static void fill_diffwave(mel_convention *c, int sample_rate) {
    c->sample_rate = sample_rate ? sample_rate : 22050;
    c->n_fft = c->window = 1024;
    c->hop = 256;
    c->bands = 80;
    c->fmin = 20;
    c->fmax = c->sample_rate / 2.0;
    c->scale = MEL_SCALE_HTK;
    c->compression = MEL_COMPRESS_DIFFWAVE;
    c->floor = 1e-5;
    c->centred = true;
    c->normalized_window = true;
}

/* 2048/300 with a window of 1200 at 24 kHz, 1024/256 at lower rates, as its published
 * configurations. */
static void fill_parallelwavegan(mel_convention *c, int sample_rate) {
    c->sample_rate = sample_rate ? sample_rate : 24000;
    const bool high = c->sample_rate >= 24000;
    c->n_fft = high ? 2048 : 1024;
    c->window = high ? 1200 : 1024;
    c->hop = high ? 300 : 256;
    c->bands = 80;
    c->fmin = 80;
    c->fmax = fmin(7600, c->sample_rate / 2.0);
    c->scale = MEL_SCALE_SLANEY;
    c->compression = MEL_COMPRESS_LOG10;
    c->floor = 1e-10;
    c->centred = true;
}

lull_status mel_convention_named(const char *name, int sample_rate, mel_convention *convention,
                                 lull_error *error) {
    memset(convention, 0, sizeof *convention);
    if (sample_rate != 0 && (sample_rate < 1000 || sample_rate > 768000))
        return base_fail(error, LULL_INVALID, "sample rate %d: expected 1000 to 768000 Hz",
                         sample_rate);
    if (strcmp(name, "hifigan") == 0) {
        fill_hifigan(convention, sample_rate);
    } else if (strcmp(name, "tacotron2") == 0) {
        fill_hifigan(convention, sample_rate);
        convention->centred = true;
    } else if (strcmp(name, "diffwave") == 0) {
        fill_diffwave(convention, sample_rate);
    } else if (strcmp(name, "parallelwavegan") == 0) {
        fill_parallelwavegan(convention, sample_rate);
    } else {
        return base_fail(error, LULL_INVALID,
                         "unknown mel convention '%.60s': expected hifigan, tacotron2, diffwave or "
                         "parallelwavegan",
                         name);
    }
    snprintf(convention->name, sizeof convention->name, "%s", name);
    return LULL_OK;
}

static lull_status check_sizes(const mel_convention *c, lull_error *error) {
    if (c->sample_rate < 1000 || c->sample_rate > 768000)
        return base_fail(error, LULL_INVALID,
                         "mel convention: sample rate %d, expected 1000 to 768000 Hz",
                         c->sample_rate);
    if (c->n_fft < 16 || c->n_fft > MEL_MAX_FFT || c->n_fft % 2 != 0)
        return base_fail(error, LULL_INVALID,
                         "mel convention: n_fft %d, expected an even number from 16 to %d",
                         c->n_fft, MEL_MAX_FFT);
    if (c->window < 4 || c->window > c->n_fft)
        return base_fail(error, LULL_INVALID, "mel convention: window %d, expected 4 to n_fft (%d)",
                         c->window, c->n_fft);
    if (c->hop < 1 || c->hop > c->window)
        return base_fail(error, LULL_INVALID,
                         "mel convention: hop %d, expected 1 to the window (%d)", c->hop,
                         c->window);
    if (!c->centred && (c->n_fft - c->hop) % 2 != 0)
        return base_fail(error, LULL_INVALID,
                         "mel convention: n_fft - hop is odd (%d - %d), so that frames would begin "
                         "between samples; expected an even hop, or a centred convention",
                         c->n_fft, c->hop);
    if (c->bands < 1 || c->bands > MEL_MAX_BANDS)
        return base_fail(error, LULL_INVALID, "mel convention: %d bands, expected 1 to %d",
                         c->bands, MEL_MAX_BANDS);
    return LULL_OK;
}

lull_status mel_convention_check(const mel_convention *c, lull_error *error) {
    const lull_status status = check_sizes(c, error);
    if (status) return status;
    if (!(c->fmin >= 0 && c->fmin < c->fmax && c->fmax <= c->sample_rate / 2.0))
        return base_fail(
            error, LULL_INVALID,
            "mel convention: fmin %g and fmax %g Hz, expected 0 <= fmin < fmax <= half the "
            "sample rate (%g Hz)",
            c->fmin, c->fmax, c->sample_rate / 2.0);
    if (c->scale != MEL_SCALE_SLANEY && c->scale != MEL_SCALE_HTK)
        return base_fail(error, LULL_INVALID, "mel convention: unknown mel scale %d",
                         (int)c->scale);
    if (c->compression != MEL_COMPRESS_LN && c->compression != MEL_COMPRESS_LOG10 &&
        c->compression != MEL_COMPRESS_DIFFWAVE)
        return base_fail(error, LULL_INVALID, "mel convention: unknown compression %d",
                         (int)c->compression);
    if (!(c->floor >= 1e-30 && c->floor <= 1))
        return base_fail(error, LULL_INVALID, "mel convention: floor %g, expected 1e-30 to 1",
                         c->floor);
    if (!(c->magnitude_epsilon >= 0 && c->magnitude_epsilon <= 1))
        return base_fail(error, LULL_INVALID,
                         "mel convention: magnitude epsilon %g, expected 0 to 1",
                         c->magnitude_epsilon);
    for (int b = 0; c->statistics && b < c->bands; b++)
        if (!isfinite(c->mean[b]) || !isfinite(c->deviation[b]) || c->deviation[b] <= 0)
            return base_fail(
                error, LULL_INVALID,
                "mel convention: band %d has mean %g and deviation %g, expected finite "
                "numbers and a positive deviation",
                b, (double)c->mean[b], (double)c->deviation[b]);
    return LULL_OK;
}

int mel_convention_first_centre(const mel_convention *convention) {
    return convention->centred ? 0 : convention->hop / 2;
}
