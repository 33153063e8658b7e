/* How far a refined low band is from the recording's: see refined_loss.h. */
#include "train/refined_loss.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "mel/stft.h"

enum { SIZES = 3 };
static const double SECONDS[SIZES] = {0.0464, 0.032, 0.0174};
static const double POWER = 0.4;
static const double FLOOR = 1e-4, SILENCE = 1e-6; /* of a magnitude; of the level's square */

typedef struct size_part {
    mel_stft *low, *whole; /* the same frames at both rates */
    int bins;              /* that count, from 1 on */
    double *weight;        /* [bins + 1] their sum is 1 */
    float *spectrum;       /* frames × (bins + 1) pairs, of what was made */
    float *magnitude;      /* frames × (bins + 1), of the recording, at the low rate's scale */
    float *frame;
} size_part;

struct train_refined_loss {
    int decimation;
    size_t samples;
    size_part parts[SIZES];
};

static size_t frames_in(const size_part *p, size_t samples) {
    const size_t size = (size_t)p->low->grid.size;
    return samples < size ? 0 : (samples - size) / (size_t)p->low->grid.hop + 1;
}

static lull_status part_new(size_part *p, double seconds, int rate, int decimation, double edge,
                            size_t samples, lull_error *error) {
    const int size = 2 * (int)lround(seconds * rate / decimation / 2), hop = size / 4;
    const mel_stft_grid low = {.size = size, .window = size, .hop = hop};
    const mel_stft_grid whole = {
        .size = size * decimation, .window = size * decimation, .hop = hop * decimation};
    lull_status status = mel_stft_new(&low, MEL_STFT_FAST, &p->low, error);
    if (!status) status = mel_stft_new(&whole, MEL_STFT_FAST, &p->whole, error);
    if (status) return status;
    const double width = (double)rate / (size * decimation);
    p->bins = (int)(edge / width);
    if (p->bins > size / 2 - 1) p->bins = size / 2 - 1;
    const size_t cells = frames_in(p, samples) * (size_t)(p->bins + 1);
    p->weight = base_alloc((size_t)p->bins + 1, sizeof *p->weight);
    p->spectrum = base_alloc(2 * cells + 2, sizeof(float));
    p->magnitude = base_alloc(cells + 1, sizeof(float));
    p->frame = base_alloc((size_t)size, sizeof(float));
    if (!p->weight || !p->spectrum || !p->magnitude || !p->frame) return base_no_memory(error);
    double sum = 0;
    for (int k = 1; k <= p->bins; k++) sum += p->weight[k] = 1 / (24.7 + 0.108 * k * width);
    for (int k = 1; k <= p->bins; k++) p->weight[k] /= sum;
    return LULL_OK;
}

lull_status train_refined_loss_new(int sample_rate, int decimation, double edge, size_t samples,
                                   train_refined_loss **result, lull_error *error) {
    *result = NULL;
    train_refined_loss *loss = base_alloc(1, sizeof *loss);
    if (!loss) return base_no_memory(error);
    loss->decimation = decimation;
    loss->samples = samples;
    lull_status status = LULL_OK;
    for (int i = 0; i < SIZES && !status; i++)
        status =
            part_new(&loss->parts[i], SECONDS[i], sample_rate, decimation, edge, samples, error);
    if (status) {
        train_refined_loss_free(loss);
        return status;
    }
    *result = loss;
    return LULL_OK;
}

void train_refined_loss_free(train_refined_loss *loss) {
    if (!loss) return;
    for (int i = 0; i < SIZES; i++) {
        size_part *p = &loss->parts[i];
        mel_stft_free(p->low);
        mel_stft_free(p->whole);
        base_free(p->weight);
        base_free(p->spectrum);
        base_free(p->magnitude);
        base_free(p->frame);
    }
    base_free(loss);
}

size_t train_refined_loss_bytes(const train_refined_loss *loss) {
    size_t sum = sizeof *loss;
    for (int i = 0; i < SIZES; i++)
        sum += 3 * sizeof(float) * frames_in(&loss->parts[i], loss->samples) *
               (size_t)(loss->parts[i].bins + 1);
    return sum;
}

/* Both spectra of every frame; the mean power of the recording's. */
static double analyse(size_part *p, int decimation, const float *made, const float *target,
                      size_t frames) {
    const size_t cells = (size_t)p->bins + 1;
    double power = 0;
    for (size_t f = 0; f < frames; f++) {
        float *magnitude = p->magnitude + f * cells;
        const int64_t begin = mel_stft_begin(p->low, (int64_t)f);
        mel_stft_analyse(p->whole, target + begin * decimation);
        for (size_t k = 0; k < cells; k++) {
            const float *bin = p->whole->spectrum + 2 * k;
            magnitude[k] = hypotf(bin[0], bin[1]) / (float)decimation;
            power += p->weight[k] * (double)magnitude[k] * (double)magnitude[k];
        }
        mel_stft_analyse(p->low, made + begin);
        memcpy(p->spectrum + 2 * f * cells, p->low->spectrum, 2 * cells * sizeof(float));
    }
    return power / (double)frames;
}

double train_refined_loss_run(train_refined_loss *loss, const float *made, const float *target,
                              size_t samples, float *gradient) {
    double total = 0;
    memset(gradient, 0, samples * sizeof *gradient);
    for (int i = 0; i < SIZES; i++) {
        size_part *p = &loss->parts[i];
        const size_t frames = frames_in(p, samples), cells = (size_t)p->bins + 1;
        if (frames == 0) continue;
        const int size = p->low->grid.size;
        const double power = analyse(p, loss->decimation, made, target, frames);
        const double level = sqrt(power + SILENCE * size), share = 1.0 / (SIZES * (double)frames);
        for (size_t f = 0; f < frames; f++) {
            float *out = p->low->spectrum;
            memset(out, 0, 2 * (size_t)p->low->bins * sizeof *out);
            for (size_t k = 1; k < cells; k++) {
                const float *bin = p->spectrum + 2 * (f * cells + k);
                const double ours = hypot(bin[0], bin[1]);
                const double a = ours / level + FLOOR;
                const double b = p->magnitude[f * cells + k] / level + FLOOR;
                const double root = pow(a, POWER), difference = root - pow(b, POWER);
                const double weight = share * p->weight[k];
                total += weight * fabs(difference);
                if (ours == 0) continue;
                /* Synthesis divides by the size and counts a bin twice. */
                const double slope = weight * (difference > 0 ? 1 : -1) * POWER * root / a / level;
                const float scale = (float)(slope / ours * size * 0.5);
                out[2 * k] = scale * bin[0];
                out[2 * k + 1] = scale * bin[1];
            }
            mel_stft_synthesise(p->low, p->frame);
            p->low->kernels->add(p->frame, gradient + mel_stft_begin(p->low, (int64_t)f), size);
        }
    }
    return total;
}
