/* Crops: see crops.h. */
#include "train/crops.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"
#include "mel/compression.h"
#include "mel/fft.h"
#include "mel/filterbank.h"
#include "mel/kernels.h"
#include "mel/whiten.h"
#include "mel/window.h"

/* Streams of random numbers under a run's seed; each is indexed by the crop's number. */
enum { STREAM_POSITION = 0x4c000000, STREAM_PLACE, STREAM_GAIN, STREAM_DEGRADE, STREAM_MEL_NOISE };

struct train_crops {
    const model_config *config;
    train_corpus *corpus;
    train_crops_options options;
    mel_envelope *envelope;
    mel_frame_filter *filter;
    int around; /* frames of mel kept on each side of the crop: margin, the whitening's reach,
                   smoothing */
    int64_t audio_first, audio_count; /* samples of the recording that `audio` holds */
    const mel_kernels *kernels;
    mel_filterbank *filterbank;
    fft *transform;
    float *audio, *frames, *noise, *scratch, *gain, *segment, *synthesis, *window_power, *sum,
        *power;
    float *window, *magnitude, *linear;
};

static int frames_of_reach(const mel_convention *mel) {
    return (mel->n_fft / 2 + mel->hop - 1) / mel->hop + 1;
}

lull_status train_crops_new(const model_config *config, train_corpus *corpus,
                            const train_crops_options *options, train_crops **result,
                            lull_error *error) {
    const mel_convention *mel = &config->mel;
    *result = NULL;
    size_t hop = (size_t)mel->hop, n_fft = (size_t)mel->n_fft, bins = n_fft / 2 + 1;
    train_crops *crops = base_alloc(1, sizeof *crops);
    if (crops == NULL) return base_no_memory(error);
    crops->config = config;
    crops->corpus = corpus;
    crops->options = *options;
    int reach = frames_of_reach(mel);
    crops->around = (options->margin > reach ? options->margin : reach) + 2;
    size_t frames = (size_t)options->frames + 2 * (size_t)crops->around;
    crops->kernels = mel_kernels_get();
    crops->audio = base_alloc(frames * hop + n_fft, sizeof(float));
    crops->frames = base_alloc(frames * (size_t)mel->bands, sizeof(float));
    crops->window = base_alloc(n_fft, sizeof(float));
    crops->magnitude = base_alloc(bins + 31, sizeof(float));
    crops->linear = base_alloc((size_t)mel->bands, sizeof(float));
    crops->noise = base_alloc(frames * (size_t)mel->bands, sizeof(float));
    crops->scratch = base_alloc(frames * (size_t)mel->bands, sizeof(float));
    crops->gain = base_alloc(bins, sizeof(float));
    crops->segment = base_alloc(n_fft + 31, sizeof(float));
    crops->synthesis = base_alloc(n_fft + 31, sizeof(float));
    crops->window_power = base_alloc(n_fft + 31, sizeof(float));
    crops->sum = base_alloc((size_t)options->frames * hop, sizeof(float));
    crops->power = base_alloc((size_t)options->frames * hop, sizeof(float));
    lull_status status = LULL_OK;
    if (!crops->audio || !crops->noise || !crops->scratch || !crops->gain || !crops->segment ||
        !crops->synthesis || !crops->window_power || !crops->sum || !crops->power ||
        !crops->frames || !crops->window || !crops->magnitude || !crops->linear)
        status = base_no_memory(error);
    if (!status) status = mel_envelope_new(mel, config->tilt_hz, &crops->envelope, error);
    if (!status) status = mel_frame_filter_new(mel, &crops->filter, error);
    if (!status) status = mel_filterbank_new(mel, &crops->filterbank, error);
    if (!status) status = fft_new(mel->n_fft, &crops->transform, error);
    if (status) {
        train_crops_free(crops);
        return status;
    }
    mel_window_fill(mel, crops->window);
    /* Ones through the filter with gain 1: window² as the filter has it. */
    for (size_t i = 0; i < bins; i++) crops->gain[i] = 1.0f;
    for (size_t i = 0; i < n_fft; i++) crops->segment[i] = 1.0f;
    mel_frame_filter_run(crops->filter, crops->gain, crops->segment, crops->window_power);
    *result = crops;
    return LULL_OK;
}

void train_crops_free(train_crops *crops) {
    if (crops == NULL) return;
    mel_envelope_free(crops->envelope);
    mel_frame_filter_free(crops->filter);
    mel_filterbank_free(crops->filterbank);
    fft_free(crops->transform);
    float *owned[] = {crops->audio,   crops->noise,     crops->scratch,      crops->gain,
                      crops->segment, crops->synthesis, crops->window_power, crops->sum,
                      crops->power,   crops->frames,    crops->window,       crops->magnitude,
                      crops->linear};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) base_free(owned[i]);
    base_free(crops);
}

int train_crops_margin(const train_crops *crops) {
    return crops->options.margin;
}

/* ---- choice ------------------------------------------------------------------------------- */

static size_t recording_at(const train_corpus *corpus, size_t sample) {
    size_t low = 0, high = corpus->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (corpus->first_sample[middle] <= sample)
            low = middle;
        else
            high = middle;
    }
    return low;
}

void train_crops_choose(const train_crops *crops, uint64_t index, train_crop *crop) {
    const train_corpus *corpus = crops->corpus;
    const train_crops_options *options = &crops->options;
    uint64_t seed = options->seed;
    memset(crop, 0, sizeof *crop);
    crop->index = index;
    size_t total = corpus->first_sample[corpus->count];
    size_t sample = (size_t)(random_uniform(seed, STREAM_POSITION, index) * (double)total);
    crop->recording = recording_at(corpus, sample < total ? sample : total - 1);
    size_t frames = corpus->recordings[crop->recording].samples / (size_t)crops->config->mel.hop;
    size_t places = frames >= (size_t)options->frames ? frames - (size_t)options->frames + 1 : 1;
    size_t place = (size_t)(random_uniform(seed, STREAM_PLACE, index) * (double)places);
    crop->first_frame = (int64_t)(place < places ? place : places - 1);
    double db = options->gain_db * (2.0 * random_uniform(seed, STREAM_GAIN, index) - 1.0);
    crop->gain = options->gain_db > 0.0 ? pow(10.0, db / 20.0) : 1.0;
    if (options->degrade > 0.0 &&
        random_uniform(seed, STREAM_DEGRADE, 16 * index) < options->degrade) {
        double uniform[8];
        for (uint64_t i = 0; i < 8; i++)
            uniform[i] = random_uniform(seed, STREAM_DEGRADE, 16 * index + 1 + i);
        train_degrade_draw(uniform, &crop->degrade);
    }
}

/* ---- rendering ---------------------------------------------------------------------------- */

/* First sample of mel frame f in the recording. */
static int64_t frame_start(const mel_convention *mel, int64_t f) {
    return f * mel->hop - mel_window_lead(mel);
}

/* Samples that frames first … end-1 of the recording see: read into crops->audio, with the crop's
 * gain. */
static lull_status read_audio(train_crops *crops, const train_crop *crop, int64_t first,
                              int64_t end, lull_error *error) {
    const mel_convention *mel = &crops->config->mel;
    int64_t samples = (int64_t)crops->corpus->recordings[crop->recording].samples;
    int64_t from = frame_start(mel, first), to = frame_start(mel, end - 1) + mel->n_fft;
    if (from < 0) from = 0;
    if (to > samples) to = samples;
    crops->audio_first = from;
    crops->audio_count = to - from;
    lull_status status = train_corpus_read(crops->corpus, crop->recording, from,
                                           (size_t)(to - from), crops->audio, error);
    if (status || crop->gain == 1.0) return status;
    float gain = (float)crop->gain;
    for (int64_t i = 0; i < to - from; i++) crops->audio[i] *= gain;
    return LULL_OK;
}

/* n_fft samples from `start` on, outside the audio zeros or its reflection (as analysis pads a
 * recording). */
static void take_segment(const train_crops *crops, int64_t start, bool reflect) {
    int64_t n_fft = crops->config->mel.n_fft, first = crops->audio_first,
            end = first + crops->audio_count;
    int64_t from = start < first ? first : start;
    int64_t to = start + n_fft > end ? end : start + n_fft;
    if (to < from) to = from;
    memset(crops->segment, 0, (size_t)n_fft * sizeof(float));
    memcpy(crops->segment + (from - start), crops->audio + (from - first),
           (size_t)(to - from) * sizeof(float));
    if (!reflect) return;
    for (int64_t i = start; i < from; i++) {
        int64_t mirrored = 2 * first - i; /* first is 0 here: the beginning of the recording */
        if (mirrored >= first && mirrored < end)
            crops->segment[i - start] = crops->audio[mirrored - first];
    }
    for (int64_t i = to; i < start + n_fft; i++) {
        int64_t mirrored = 2 * (end - 1) - i;
        if (mirrored >= first && mirrored < end)
            crops->segment[i - start] = crops->audio[mirrored - first];
    }
}

/* Mel frames first … end-1 of the recording as analysing the whole of it gives them, in
 * crops->frames. */
static void analyse(train_crops *crops, int64_t first, int64_t end) {
    const mel_convention *mel = &crops->config->mel;
    fft *t = crops->transform;
    for (int64_t f = first; f < end; f++) {
        take_segment(crops, frame_start(mel, f), mel->padding == MEL_PADDING_REFLECT);
        crops->kernels->product(crops->segment, crops->window, t->real, t->size);
        fft_forward(t);
        crops->kernels->magnitude(t->spectrum, (float)mel->magnitude_epsilon, crops->magnitude,
                                  t->bins);
        mel_filterbank_raise(mel, crops->magnitude, t->bins);
        mel_filterbank_apply(crops->filterbank, crops->magnitude, crops->linear);
        mel_compress(mel, crops->linear, crops->frames + (f - first) * mel->bands);
    }
}

/* Weighted overlap-add of the crop's part of every frame that reaches it, divided by Σ window². */
static void whiten(train_crops *crops, const train_crop *crop, int64_t first, int64_t end,
                   float *signal) {
    const mel_convention *mel = &crops->config->mel;
    int64_t n_fft = mel->n_fft, hop = mel->hop;
    int64_t begin = crop->first_frame * hop, count = (int64_t)crops->options.frames * hop;
    memset(crops->sum, 0, (size_t)count * sizeof(float));
    memset(crops->power, 0, (size_t)count * sizeof(float));
    for (int64_t f = first; f < end; f++) {
        int64_t start = frame_start(mel, f);
        int64_t from = start < begin ? begin : start;
        int64_t to = start + n_fft > begin + count ? begin + count : start + n_fft;
        if (from >= to) continue;
        take_segment(crops, start, false);
        mel_envelope_whitening_gain(crops->envelope, crops->frames + (f - first) * mel->bands,
                                    crops->gain);
        mel_frame_filter_run(crops->filter, crops->gain, crops->segment, crops->synthesis);
        const float *synthesis = crops->synthesis + (from - start),
                    *power = crops->window_power + (from - start);
        float *sum_out = crops->sum + (from - begin), *power_out = crops->power + (from - begin);
        for (int64_t i = 0; i < to - from; i++) {
            sum_out[i] += synthesis[i];
            power_out[i] += power[i];
        }
    }
    for (int64_t i = 0; i < count; i++) /* as mel_filter_whole divides */
        signal[i] = crops->power[i] > 0.0f ? crops->sum[i] / fmaxf(crops->power[i], 0.01f) : 0.0f;
}

/* Mel frames *first … *end-1, the crop's and those around it as far as the recording goes, in
 * crops->frames; its audio in crops->audio. */
static lull_status analyse_around(train_crops *crops, const train_crop *crop, int64_t *first,
                                  int64_t *end, lull_error *error) {
    const train_recording *recording = &crops->corpus->recordings[crop->recording];
    /* Frames that have their hop of audio. */
    int64_t available = (int64_t)recording->samples / crops->config->mel.hop;
    *first = crop->first_frame - crops->around;
    *end = crop->first_frame + crops->options.frames + crops->around;
    if (*first < 0) *first = 0;
    if (*end > available) *end = available;
    lull_status status = read_audio(crops, crop, *first, *end, error);
    if (!status) analyse(crops, *first, *end);
    return status;
}

/* Degrades `n` frames in crops->frames as the crop says. */
static void degrade(train_crops *crops, const train_crop *crop, size_t n) {
    size_t bands = (size_t)crops->config->mel.bands;
    if (crop->degrade.passes == 0) return;
    uint64_t room = (uint64_t)(crops->options.frames + 2 * crops->around) * (uint64_t)bands;
    random_normal(crops->options.seed, STREAM_MEL_NOISE, crop->index * room, crops->noise,
                  n * bands);
    train_degrade_apply(&crop->degrade, &crops->config->mel, crops->frames, n, crops->noise,
                        crops->scratch);
}

lull_status train_crops_render(train_crops *crops, const train_crop *crop, float *signal,
                               float *mel, lull_error *error) {
    const model_config *config = crops->config;
    int64_t hop = config->mel.hop, bands = config->mel.bands, margin = crops->options.margin;
    int64_t first, end;
    lull_status status = analyse_around(crops, crop, &first, &end, error);
    if (status) return status;
    degrade(crops, crop, (size_t)(end - first));
    const float *frames = crops->frames;
    for (int64_t f = -margin; f < crops->options.frames + margin; f++) {
        int64_t from = crop->first_frame + f;
        float *out = mel + (f + margin) * bands;
        if (from >= first && from < end)
            memcpy(out, frames + (from - first) * bands, (size_t)bands * sizeof *out);
        else
            for (int64_t b = 0; b < bands; b++) out[b] = (float)-config->mel_offset;
    }
    int64_t begin = crop->first_frame * hop;
    if (config->whitened)
        whiten(crops, crop, first, end, signal);
    else
        memcpy(signal, crops->audio + (begin - crops->audio_first),
               (size_t)(crops->options.frames * hop) * sizeof *signal);
    return LULL_OK;
}

lull_status train_crops_mels(train_crops *crops, const train_crop *crop, float *exact,
                             float *degraded, lull_error *error) {
    int64_t first, end;
    lull_status status = analyse_around(crops, crop, &first, &end, error);
    if (status) return status;
    size_t bands = (size_t)crops->config->mel.bands;
    size_t bytes = (size_t)crops->options.frames * bands * sizeof *exact;
    const float *own = crops->frames + (size_t)(crop->first_frame - first) * bands;
    memcpy(exact, own, bytes);
    degrade(crops, crop, (size_t)(end - first));
    memcpy(degraded, own, bytes);
    return LULL_OK;
}
