/* All scores of a pair of recordings: see scores.h. */
#include "eval/scores.h"

#include <math.h>

#include "base/error.h"
#include "eval/cepstral.h"
#include "eval/estoi.h"
#include "eval/modulation.h"
#include "eval/pitch.h"
#include "eval/spectral.h"

typedef struct score_words {
    const char *name, *title, *about;
    bool higher_is_better;
} score_words;

static const score_words WORDS[EVAL_COUNT] = {
    [EVAL_MCD] = {"mcd", "MCD dB", "mel-cepstral distortion: how far the spectra's outlines differ",
                  false},
    [EVAL_STFT] = {"stft", "MR-STFT", "multi-resolution STFT distance, as vocoders are trained on",
                   false},
    [EVAL_LSD_512] = {"lsd_512", "LSD 512",
                      "mean |difference of ln magnitude|, windows of 512 samples", false},
    [EVAL_LSD_2048] = {"lsd_2048", "LSD 2048", "the same at 2048: harmonics, not only outlines",
                       false},
    [EVAL_MEL] = {"mel", "mel", "mean |difference| of the ln mel spectrograms", false},
    [EVAL_F0] = {"f0_cents", "F0 cents",
                 "root mean square error of the pitch where both are voiced", false},
    [EVAL_F0_GROSS] = {"f0_gross", "F0 gross %",
                       "frames voiced in both whose pitch is more than 20 % off", false},
    [EVAL_VOICING] = {"voicing", "voicing %", "frames voiced in one of the two only", false},
    [EVAL_PERIODICITY] = {"periodicity", "period.",
                          "root mean square error of how periodic voiced frames are", false},
    [EVAL_ESTOI] = {"estoi", "ESTOI", "extended short-time objective intelligibility; 1 is best",
                    true},
    [EVAL_LEVEL] = {"level_db", "level dB", "level of the output over the reference's", false},
    [EVAL_DC] = {"dc", "DC", "mean of the output minus mean of the reference", false},
    [EVAL_CLIPPED] = {"clipped", "clipped %", "samples of the output at full scale", false},
    [EVAL_MODULATION] = {"modulation", "HF mod.",
                         "how much 3 to 7.5 kHz pulse with the pitch; recordings 0.45 to 0.6",
                         false},
    [EVAL_MODULATION_ERROR] = {"modulation_error", "HF mod. off",
                               "that less the reference's: hoarse below 0, buzzing above", false},
    [EVAL_MODULATION_REFERENCE] = {"modulation_reference", "HF mod. ref.",
                                   "of the reference: what the output's should be", false},
};

const char *eval_score_about(eval_score score) {
    return WORDS[score].about;
}

const char *eval_score_name(eval_score score) {
    return WORDS[score].name;
}

const char *eval_score_title(eval_score score) {
    return WORDS[score].title;
}

bool eval_score_higher_is_better(eval_score score) {
    return WORDS[score].higher_is_better;
}

static void levels(const float *reference, const float *output, size_t count, eval_scores *scores) {
    double power_a = 0, power_b = 0, mean_a = 0, mean_b = 0;
    size_t clipped = 0;
    for (size_t i = 0; i < count; i++) {
        power_a += (double)reference[i] * reference[i];
        power_b += (double)output[i] * output[i];
        mean_a += reference[i];
        mean_b += output[i];
        /* The largest values that 16 bit files hold are full scale, too. */
        if (fabsf(output[i]) >= 32767.0f / 32768.0f) clipped++;
    }
    scores->value[EVAL_LEVEL] = power_a > 0 && power_b > 0 ? 10 * log10(power_b / power_a) : NAN;
    scores->value[EVAL_DC] = (mean_b - mean_a) / (double)count;
    scores->value[EVAL_CLIPPED] = 100.0 * (double)clipped / (double)count;
}

lull_status eval_compare(const float *reference, const float *output, size_t count, int rate,
                         eval_scores *scores, lull_error *error) {
    double *value = scores->value;
    eval_pitch_errors pitch = {NAN, NAN, NAN, NAN};
    if (count < 512)
        return base_fail(error, LULL_INVALID,
                         "only %zu samples to compare; at least 512 are needed", count);
    lull_status status =
        eval_cepstral_distortion(reference, output, count, rate, &value[EVAL_MCD], error);
    if (status == LULL_OK)
        status = eval_spectral_multi_resolution(reference, output, count, &value[EVAL_STFT], error);
    if (status == LULL_OK)
        status =
            eval_spectral_log_distance(reference, output, count, 512, &value[EVAL_LSD_512], error);
    if (status == LULL_OK)
        status = eval_spectral_log_distance(reference, output, count, 2048, &value[EVAL_LSD_2048],
                                            error);
    if (status == LULL_OK)
        status =
            eval_spectral_mel_distance(reference, output, count, rate, &value[EVAL_MEL], error);
    if (status == LULL_OK)
        status = eval_pitch_compare(reference, output, count, rate, &pitch, error);
    if (status == LULL_OK)
        status = eval_estoi(reference, output, count, rate, &value[EVAL_ESTOI], error);
    if (status == LULL_OK)
        status = eval_modulation(reference, output, count, rate, &value[EVAL_MODULATION_REFERENCE],
                                 &value[EVAL_MODULATION], error);
    value[EVAL_MODULATION_ERROR] = value[EVAL_MODULATION] - value[EVAL_MODULATION_REFERENCE];
    value[EVAL_F0] = pitch.cents;
    value[EVAL_F0_GROSS] = 100 * pitch.gross;
    value[EVAL_VOICING] = 100 * pitch.voicing;
    value[EVAL_PERIODICITY] = pitch.periodicity;
    levels(reference, output, count, scores);
    return status;
}
