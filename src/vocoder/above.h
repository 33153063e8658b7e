/* What lies above a mel: noise of unit variance, or the source, coloured by the envelope that the
 * bandwidth network guesses (model/bandwidth.h), and added to the speech of the mel's own band,
 * which it leaves as it is. It belongs to the output: frame by frame with it, and with its delay. */
#ifndef VOCODER_ABOVE_H
#define VOCODER_ABOVE_H

#include "mel/overlap.h"
#include "mel/whiten.h"
#include "model/bandwidth.h"
#include "vocoder/noise.h"

typedef struct vocoder_above {
    /* Set by the path. */
    bool wanted;                /* false: nothing is added */
    const model_config *config; /* and parameters: NULL without a model */
    const model_parameters *parameters;
    const vocoder_noise_source *noise; /* NULL: the signal itself is white up there */
    int noise_row;

    const mel_convention *convention;
    int delay; /* hops by which the output runs behind */

    bandwidth *bandwidth;
    mel_frame_filter *filter; /* the output's */
    mel_overlap *overlap;     /* from the next hop of the output on */
    float *gain, *segment, *hop;
    int turns; /* frames opened or passed by after the end; `delay` at most */
} vocoder_above;

uint64_t vocoder_above_bytes(const vocoder_above *a);
/* filter: the output's, borrowed. */
lull_status vocoder_above_allocate(vocoder_above *a, mel_frame_filter *filter, lull_error *error);
void vocoder_above_clear(vocoder_above *a);
void vocoder_above_reset(vocoder_above *a);

/* Beside mel_consistency_push and mel_consistency_finish, which have just written n samples to
 * `out`: the same for what is above, added to them. The filter's last
 * segment is still the frame's, n_fft samples of the signal from sample `first` on. */
void vocoder_above_push(vocoder_above *a, const float *frame, int64_t first, float *out, size_t n);
void vocoder_above_finish(vocoder_above *a, float *out, size_t n);

#endif
