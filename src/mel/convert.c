/* Frames of one convention as another's. */
#include "mel/convert.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/compression.h"
#include "mel/filterbank.h"

#include <math.h>
#include <string.h>

struct mel_conversion {
    mel_convention from, to;
    float slope; /* ln of a linear mel of `to` = slope·ln of one of `from` + shift */
    float shift[MEL_MAX_BANDS];
};

lull_status mel_conversion_new(const mel_convention *from, const mel_convention *to,
                               mel_conversion **conversion, lull_error *error) {
    *conversion = NULL;
    lull_status status = mel_convention_check(from, error);
    if (!status) status = mel_convention_check(to, error);
    if (status) return status;
    mel_convention alike = *from;
    alike.power = to->power;
    if (!mel_convention_same_frames(&alike, to))
        return base_fail(error, LULL_MISMATCH,
                         "mels of the '%s' convention are other frames than those of '%s' (they "
                         "differ in %s): no conversion makes one of the other",
                         from->name, to->name, mel_convention_difference(&alike, to));
    mel_filterbank *a = NULL, *b = NULL;
    mel_conversion *c = base_alloc(1, sizeof *c);
    if (!c) return base_no_memory(error);
    c->from = *from;
    c->to = *to;
    c->slope = (float)to->power / (float)from->power;
    status = mel_filterbank_new(from, &a, error);
    if (!status) status = mel_filterbank_new(to, &b, error);
    for (int i = 0; !status && i < from->bands; i++)
        if (a->sum[i] > 0 && b->sum[i] > 0) c->shift[i] = b->log_sum[i] - c->slope * a->log_sum[i];
    mel_filterbank_free(a);
    mel_filterbank_free(b);
    if (status)
        base_free(c);
    else
        *conversion = c;
    return status;
}

void mel_conversion_free(mel_conversion *conversion) {
    base_free(conversion);
}

void mel_conversion_run(const mel_conversion *conversion, float *frames, size_t n) {
    const mel_conversion *c = conversion;
    const int bands = c->from.bands;
    float values[MEL_MAX_BANDS];
    for (size_t f = 0; f < n; f++) {
        float *frame = frames + f * (size_t)bands;
        mel_to_natural_log(&c->from, frame, values);
        /* Within what a float holds, whatever the normalisations on the way. */
        for (int b = 0; b < bands; b++)
            values[b] = expf(fminf(fmaxf(c->slope * values[b] + c->shift[b], -80), 60));
        mel_compress(&c->to, values, frame);
    }
}
