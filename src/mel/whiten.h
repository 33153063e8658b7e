/* STFT-domain filtering by a gain per frame: training's way into the whitened domain (whole
 * signals), and the vocoder's way out of it, frame by frame. Frames are the mel's: window n_fft
 * (Hann), hop, centred where the convention centres them, zeros outside the signal. */
#ifndef MEL_WHITEN_H
#define MEL_WHITEN_H

#include "mel/envelope.h"
#include "mel/stft.h"

/* Whole signals: out[count] = inverse STFT (weighted overlap-add, divided by Σwindow²) of
 * gain·STFT(in). frames: n × bands; colour = false whitens, true colours. Samples beyond the
 * frames' reach are 0. */
lull_status mel_filter_whole(const mel_convention *convention, double tilt_hz, const float *frames,
                             size_t n, const float *in, float *out, size_t count, bool colour,
                             lull_error *error);

/* One frame of filtering, for streams: segment (n_fft samples around the frame's centre) → windowed
 * synthesis frame window·irfft(gain·rfft(window·segment)), not yet overlap-added. Nothing goes
 * from frame to frame; synthesis may be segment. Also serves training, where crops are filtered
 * with given gains. */
typedef struct mel_frame_filter mel_frame_filter;
lull_status mel_frame_filter_new(const mel_convention *convention, mel_frame_filter **filter,
                                 lull_error *error);
void mel_frame_filter_run(mel_frame_filter *filter, const float *gain, const float *segment,
                          float *synthesis);
/* The same segment as the last time, by another gain. */
void mel_frame_filter_again(mel_frame_filter *filter, const float *gain, float *synthesis);
/* Its grid and window. Owned by the filter. */
const mel_stft *mel_frame_filter_stft(const mel_frame_filter *filter);
void mel_frame_filter_free(mel_frame_filter *filter);

#endif
