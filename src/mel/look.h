/* What numbers that should be a mel look like: their range, and the level that the sound would
 * have. The level follows from the numbers by Parseval's theorem: a frame's mean square is
 * 2/(n_fft·Σ window²)·Σ_k E(f_k)², E the envelope that the bands imply (mel/envelope.h). It is what
 * tells scales apart, because speech lies between silence and full scale in every convention. */
#ifndef MEL_LOOK_H
#define MEL_LOOK_H

#include "mel/convention.h"

/* The sound that frames would be, read as a convention says. Levels in dB of full scale (a square
 * wave of amplitude 1 is 0). */
typedef struct mel_sound {
    double loudest;   /* the level that one frame in twenty exceeds */
    double median;    /* the level of the middle frame */
    double beyond;    /* share of samples beyond full scale, were they Gaussian */
    double contrast;  /* standard deviation of ln amplitude above the floor */
    double roughness; /* median |second difference in time| of ln amplitude, lower bands */
} mel_sound;

typedef struct mel_look {
    size_t frames, bands;
    double lowest, highest, mean, deviation;
    double at_lowest;               /* share of values within 1e-4 of the lowest */
    double along_time, along_bands; /* median |difference| of neighbours */
    size_t padded;                  /* frames of one number in all bands, not silence */
    bool constant;                  /* all numbers are one */
    mel_sound sound;                /* as the convention says */
} mel_look;

/* frames: n × bands finite numbers, n > 0. */
void mel_look_at(const mel_convention *convention, const float *frames, size_t n, mel_look *look);
void mel_look_listen(const mel_convention *convention, const float *frames, size_t n,
                     mel_sound *sound);

/* Is this a sound that can be? Nothing is louder than full scale, and what is near it moves. */
bool mel_sound_is_possible(const mel_sound *sound);

/* Do float32 numbers look like the halves of float64 ones? */
bool mel_look_is_float64(const float *values, size_t count);

/* Would turning rows and columns make frames of these numbers? */
bool mel_look_is_turned(const mel_look *look);

/* Of numbers as frames of `bands`: how much they differ along time, as a multiple of along bands.
 * Speech is near 1; 0 for fewer than two frames. */
double mel_look_unevenness(const float *values, size_t count, size_t bands);

/* Frames of one number in all bands, which no sound makes, are padding: they become silence.
 * Returns how many. */
size_t mel_look_silence_padding(const mel_convention *convention, float *frames, size_t n);

#endif
