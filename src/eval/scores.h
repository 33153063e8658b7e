/* Objective scores of a synthesized recording against its reference (docs/evaluation.md). Both
 * signals are mono, of one rate and one length. */
#ifndef EVAL_SCORES_H
#define EVAL_SCORES_H

#include "lull.h"

/* Every score, in the order in which tables show them. */
typedef enum {
    EVAL_MCD,     /* mel-cepstral distortion, dB (Kubichek 1993): cepstral.h */
    EVAL_STFT,    /* multi-resolution STFT distance (Yamamoto et al. 2020, eq. 6): spectral.h */
    EVAL_LSD_512, /* mean |Δ ln magnitude| at windows of 512 and 2048 samples: spectral.h */
    EVAL_LSD_2048,
    EVAL_MEL,         /* mean |Δ ln mel|, hifigan convention at the signals' rate: spectral.h */
    EVAL_F0,          /* root mean square error of F0 where both are voiced, cents: pitch.h */
    EVAL_F0_GROSS,    /* share of frames voiced in both whose F0 is more than 20 % off, per cent */
    EVAL_VOICING,     /* share of frames whose voicing decision differs, per cent */
    EVAL_PERIODICITY, /* root mean square error of the periodicity (1 − YIN's aperiodicity) */
    EVAL_ESTOI,   /* extended short-time objective intelligibility (Jensen & Taal 2016): estoi.h; 1
                      is best */
    EVAL_LEVEL,   /* level of output over reference, dB */
    EVAL_DC,      /* mean of the output minus mean of the reference */
    EVAL_CLIPPED, /* share of output samples at or beyond full scale, per cent */
    EVAL_MODULATION,       /* HF modulation of the output: modulation.h; the reference's is best */
    EVAL_MODULATION_ERROR, /* that less the reference's */
    EVAL_MODULATION_REFERENCE, /* of the reference: what the output's should be */
    EVAL_COUNT
} eval_score;

typedef struct eval_scores {
    double value[EVAL_COUNT]; /* NaN: not defined for this pair (no voiced frame, too short) */
} eval_scores;

const char *eval_score_name(eval_score score);  /* "mcd", … as in JSON and CSV */
const char *eval_score_title(eval_score score); /* "MCD dB", … as in tables */
const char *eval_score_about(eval_score score); /* what it measures, in half a sentence */
bool eval_score_higher_is_better(eval_score score);

/* Fails only for want of memory or on fewer than 512 samples. */
lull_status eval_compare(const float *reference, const float *output, size_t count, int rate,
                         eval_scores *scores, lull_error *error);

#endif
