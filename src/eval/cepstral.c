/* Mel-cepstral distortion: see cepstral.h. */
#include "eval/cepstral.h"

#include <math.h>

#include "base/memory.h"
#include "mel/front_end.h"

/* c_1 … c_13 of one frame of ln magnitudes. */
static void cepstrum(const float *frame, int bands, double *c) {
    for (int i = 1; i <= EVAL_CEPSTRAL_ORDER; i++) {
        double sum = 0;
        for (int b = 0; b < bands; b++) sum += frame[b] * cos(M_PI * i * (b + 0.5) / bands);
        c[i - 1] = sum * 2.0 / bands;
    }
}

lull_status eval_cepstral_distortion(const float *a, const float *b, size_t count, int rate,
                                     double *db, lull_error *error) {
    mel_convention convention;
    float *mel_a = NULL, *mel_b = NULL;
    size_t n = 0;
    lull_status status = mel_convention_named("hifigan", rate, &convention, error);
    if (status == LULL_OK) status = mel_from_samples(&convention, a, count, &mel_a, &n, error);
    if (status == LULL_OK) status = mel_from_samples(&convention, b, count, &mel_b, &n, error);
    if (status == LULL_OK) {
        double total = 0;
        for (size_t f = 0; f < n; f++) {
            double ca[EVAL_CEPSTRAL_ORDER], cb[EVAL_CEPSTRAL_ORDER], sum = 0;
            cepstrum(mel_a + f * (size_t)convention.bands, convention.bands, ca);
            cepstrum(mel_b + f * (size_t)convention.bands, convention.bands, cb);
            for (int i = 0; i < EVAL_CEPSTRAL_ORDER; i++) sum += (ca[i] - cb[i]) * (ca[i] - cb[i]);
            total += 10 / log(10) * sqrt(2 * sum);
        }
        *db = n ? total / (double)n : NAN;
    }
    base_free(mel_a);
    base_free(mel_b);
    return status;
}
