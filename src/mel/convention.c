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
    if (sample_rate != 0 && (sample_rate < MEL_LEAST_RATE || sample_rate > MEL_MOST_RATE))
        return base_fail(error, LULL_INVALID, "sample rate %d: expected %d to %d Hz", sample_rate,
                         MEL_LEAST_RATE, MEL_MOST_RATE);
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

static bool has_statistics(const void *convention) {
    return ((const mel_convention *)convention)->statistics;
}

const char *const mel_scale_names[] = {"slaney", "htk", NULL};
const char *const mel_compression_names[] = {"ln", "log10", "diffwave", NULL};

#define STATISTICS(field, least_, help_)                                                           \
    {                                                                                              \
        .name = #field, .kind = MEMBER_KIND_FLOATS, .offset = offsetof(mel_convention, field),     \
        .least = least_, .most = 1e30, .capacity = MEL_MAX_BANDS,                                  \
        .count = offsetof(mel_convention, bands), .shown = has_statistics, .help = help_           \
    }

const member mel_convention_members[] = {
    MEMBER_TEXT(mel_convention, name, "convention", "hifigan",
                "hifigan, tacotron2, diffwave or parallelwavegan: brings all the other numbers"),
    MEMBER_INT(mel_convention, sample_rate, "sample_rate", MEL_LEAST_RATE, MEL_MOST_RATE, "22050",
               "of the recordings, Hz"),
    MEMBER_INT(mel_convention, n_fft, "n_fft", 16, MEL_MAX_FFT, "1024",
               "samples of a transform; even"),
    MEMBER_INT(mel_convention, window, "window", 4, MEL_MAX_FFT, "1024",
               "samples of the Hann window in it"),
    MEMBER_INT(mel_convention, hop, "hop", 1, MEL_MAX_FFT, "256", "samples from frame to frame"),
    MEMBER_INT(mel_convention, bands, "bands", 1, MEL_MAX_BANDS, "80", "numbers in a frame"),
    MEMBER_NUMBER(mel_convention, fmin, "fmin", 0, MEL_MOST_RATE / 2, "0",
                  "where the lowest band begins, Hz"),
    MEMBER_NUMBER(mel_convention, fmax, "fmax", 1, MEL_MOST_RATE / 2, "8000",
                  "where the highest band ends, Hz"),
    MEMBER_NAME(mel_convention, scale, "scale", mel_scale_names, "slaney",
                "the mel scale; slaney's filters have equal areas, htk's equal peaks"),
    MEMBER_NAME(mel_convention, compression, "compression", mel_compression_names, "ln",
                "of the magnitudes"),
    MEMBER_NUMBER(mel_convention, floor, "floor", 1e-30, 1, "1e-5",
                  "least magnitude, before the logarithm"),
    MEMBER_NUMBER(mel_convention, magnitude_epsilon, "magnitude_epsilon", 0, 1, "1e-9",
                  "added to squared magnitudes before the root"),
    MEMBER_BOOL(mel_convention, centred, "centred", "false",
                "frame f is centred at sample f * hop, not at (f + 1/2) * hop"),
    MEMBER_BOOL(mel_convention, normalized_window, "normalized_window", "false",
                "magnitudes are divided by the root of the window's energy"),
    STATISTICS(mean, -1e30, "of every band: subtracted from it"),
    STATISTICS(deviation, 1e-30, "of every band: it is divided by it"),
    {0},
};

static lull_status check_sizes(const mel_convention *c, lull_error *error) {
    if (c->n_fft % 2 != 0)
        return base_fail(error, LULL_INVALID, "mel convention: n_fft %d, expected an even number",
                         c->n_fft);
    if (c->window > c->n_fft)
        return base_fail(error, LULL_INVALID, "mel convention: window %d, expected 4 to n_fft (%d)",
                         c->window, c->n_fft);
    if (c->hop > c->window)
        return base_fail(error, LULL_INVALID,
                         "mel convention: hop %d, expected 1 to the window (%d)", c->hop,
                         c->window);
    if (!c->centred && (c->n_fft - c->hop) % 2 != 0)
        return base_fail(error, LULL_INVALID,
                         "mel convention: n_fft - hop is odd (%d - %d), so that frames would begin "
                         "between samples; expected an even hop, or a centred convention",
                         c->n_fft, c->hop);
    return LULL_OK;
}

lull_status mel_convention_check(const mel_convention *c, lull_error *error) {
    lull_status status = members_check(mel_convention_members, c, "mel convention", error);
    if (!status) status = check_sizes(c, error);
    if (status) return status;
    if (!(c->fmin < c->fmax && c->fmax <= c->sample_rate / 2.0))
        return base_fail(
            error, LULL_INVALID,
            "mel convention: fmin %g and fmax %g Hz, expected 0 <= fmin < fmax <= half the "
            "sample rate (%g Hz)",
            c->fmin, c->fmax, c->sample_rate / 2.0);
    return LULL_OK;
}

int mel_convention_first_centre(const mel_convention *convention) {
    return convention->centred ? 0 : convention->hop / 2;
}
