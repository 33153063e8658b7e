/* What a crop's prediction costs, and the gradient of that by the prediction. */
#ifndef TRAIN_LOSS_H
#define TRAIN_LOSS_H

#include "lull.h"

/* Mean over the samples of (u − target)² or |u − target|; du is overwritten. */
double train_loss_l2(const float *u, const float *target, size_t n, float *du);
double train_loss_l1(const float *u, const float *target, size_t n, float *du);

/* The squared error below a frequency: of (u − target) through a low-pass filter, mean over the
 * samples, and a hundredth of the squared error itself, which keeps the rest in bounds. Outside the
 * crop the error is 0. */
typedef struct train_band_loss train_band_loss;
/* hertz: below sample_rate / 2. */
lull_status train_band_loss_new(int sample_rate, double hertz, size_t length,
                                train_band_loss **loss, lull_error *error);
/* As train_loss_l2. One thread at a time. */
double train_band_loss_run(train_band_loss *loss, const float *u, const float *target, float *du);
void train_band_loss_free(train_band_loss *loss);

/* The multi-resolution STFT loss of Parallel WaveGAN (Yamamoto, Song & Kim 2020, eq. 3–6): for
 * windows of 600, 1200 and 240 samples at 24 kHz (hops 120, 240, 50; transforms of 1024, 2048, 512;
 * scaled to the sample rate), the mean over the resolutions of ‖|S|−|Ŝ|‖_F/‖|S|‖_F + (1/N)·‖ln|S| −
 * ln|Ŝ|‖₁. Frames lie inside the signal. */
typedef struct train_stft_loss train_stft_loss;
lull_status train_stft_loss_new(int sample_rate, size_t length, train_stft_loss **loss,
                                lull_error *error);
/* Adds weight · ∂loss/∂u to du and returns weight · loss. One thread at a time. */
double train_stft_loss_run(train_stft_loss *loss, const float *u, const float *target,
                           double weight, float *du);
void train_stft_loss_free(train_stft_loss *loss);

#endif
