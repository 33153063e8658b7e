/* Crops: see crops.h. */
#include "train/crops.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"
#include "mel/analysis.h"
#include "mel/overlap.h"
#include "mel/whiten.h"
#include "train/crop_source.h"
#include "train/pairs.h"

/* Streams of random numbers under a run's seed; each is indexed by the crop's number. */
enum { STREAM_POSITION = 0x4c000000, STREAM_PLACE, STREAM_GAIN, STREAM_DEGRADE, STREAM_MEL_NOISE };

struct train_crops {
    const model_config *config;
    train_corpus *corpus;
    train_crops_options options;
    train_crop_source *source; /* NULL: the network takes none */
    mel_envelope *envelope;
    mel_frame_filter *filter;
    mel_overlap *overlap; /* of a crop */
    mel_analysis *analysis;
    const mel_stft *stft; /* the analysis's grid */
    int around; /* frames of mel kept on each side of the crop: margin, the whitening's reach,
                   smoothing */
    int64_t audio_first, audio_count; /* samples of the recording that `audio` holds */
    float *audio, *frames, *noise, *scratch, *gain, *segment;
    train_frame_crops *of_frames; /* in place of everything else, or NULL */
};

static int frames_of_reach(const mel_convention *mel) {
    return (mel->n_fft / 2 + mel->hop - 1) / mel->hop + 1;
}

lull_status train_crops_new(const model_config *config, train_corpus *corpus,
                            const train_crops_options *options, train_crops **result,
                            lull_error *error) {
    const mel_convention *mel = &config->mel;
    *result = NULL;
    size_t hop = (size_t)mel->hop, n_fft = (size_t)mel->n_fft;
    train_crops *crops = base_alloc(1, sizeof *crops);
    if (crops == NULL) return base_no_memory(error);
    crops->config = config;
    crops->corpus = corpus;
    crops->options = *options;
    int reach = frames_of_reach(mel);
    crops->around = (options->margin > reach ? options->margin : reach) + 2;
    size_t frames = (size_t)options->frames + 2 * (size_t)crops->around;
    crops->audio = base_alloc(frames * hop + n_fft, sizeof(float));
    crops->frames = base_alloc(frames * (size_t)mel->bands, sizeof(float));
    crops->noise = base_alloc(frames * (size_t)mel->bands, sizeof(float));
    crops->scratch = base_alloc(frames * (size_t)mel->bands, sizeof(float));
    crops->gain = base_alloc(n_fft / 2 + 1, sizeof(float));
    crops->segment = base_alloc(n_fft, sizeof(float));
    lull_status status = LULL_OK;
    if (!crops->audio || !crops->frames || !crops->noise || !crops->scratch || !crops->gain ||
        !crops->segment)
        status = base_no_memory(error);
    if (!status) status = mel_envelope_new(mel, config->tilt_hz, &crops->envelope, error);
    if (!status && config->source)
        status = train_crop_source_new(config, corpus, crops->envelope, options->frames,
                                       &crops->source, error);
    if (!status) status = mel_frame_filter_new(mel, &crops->filter, error);
    if (!status) status = mel_analysis_new(mel, &crops->analysis, error);
    if (!status)
        status = mel_overlap_new(mel_frame_filter_stft(crops->filter),
                                 (size_t)options->frames * hop, &crops->overlap, error);
    if (status) {
        train_crops_free(crops);
        return status;
    }
    crops->stft = mel_analysis_stft(crops->analysis);
    *result = crops;
    return LULL_OK;
}

void train_crops_free(train_crops *crops) {
    if (crops == NULL) return;
    train_frame_crops_free(crops->of_frames);
    train_crop_source_free(crops->source);
    mel_envelope_free(crops->envelope);
    mel_overlap_free(crops->overlap);
    mel_frame_filter_free(crops->filter);
    mel_analysis_free(crops->analysis);
    float *owned[] = {crops->audio,   crops->frames, crops->noise,
                      crops->scratch, crops->gain,   crops->segment};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) base_free(owned[i]);
    base_free(crops);
}

lull_status train_crops_new_frames(train_corpus *corpus, const train_frame_options *options,
                                   train_crops **result, lull_error *error) {
    *result = NULL;
    train_crops *crops = base_alloc(1, sizeof *crops);
    if (crops == NULL) return base_no_memory(error);
    lull_status status = train_frame_crops_new(corpus, options, &crops->of_frames, error);
    if (status)
        base_free(crops);
    else
        *result = crops;
    return status;
}

train_frame_crops *train_crops_frames(const train_crops *crops) {
    return crops->of_frames;
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
    const train_pair *pair = corpus->recordings[crop->recording].pair;
    size_t skipped = 0;
    if (pair != NULL) {
        size_t end = (size_t)(pair->first + (int64_t)pair->frames);
        skipped = pair->first > 0 ? (size_t)pair->first : 0;
        frames = (end < frames ? end : frames) - skipped;
    }
    size_t places = frames >= (size_t)options->frames ? frames - (size_t)options->frames + 1 : 1;
    size_t place = (size_t)(random_uniform(seed, STREAM_PLACE, index) * (double)places);
    crop->first_frame = (int64_t)(skipped + (place < places ? place : places - 1));
    double db = options->gain_db * (2.0 * random_uniform(seed, STREAM_GAIN, index) - 1.0);
    crop->gain = options->gain_db > 0.0 ? pow(10.0, db / 20.0) : 1.0;
    if (options->degrade > 0.0 &&
        random_uniform(seed, STREAM_DEGRADE, 16 * index) < options->degrade) {
        crop->paired = pair != NULL;
        if (crop->paired) return;
        double uniform[8];
        for (uint64_t i = 0; i < 8; i++)
            uniform[i] = random_uniform(seed, STREAM_DEGRADE, 16 * index + 1 + i);
        train_degrade_draw(uniform, &crop->degrade);
    }
}

/* ---- rendering ---------------------------------------------------------------------------- */

/* Samples that frames first … end-1 of the recording see: read into crops->audio, with the crop's
 * gain. */
static lull_status read_audio(train_crops *crops, const train_crop *crop, int64_t first,
                              int64_t end, lull_error *error) {
    int64_t samples = (int64_t)crops->corpus->recordings[crop->recording].samples;
    int64_t from = mel_stft_begin(crops->stft, first);
    int64_t to = mel_stft_begin(crops->stft, end - 1) + crops->stft->grid.size;
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

/* What frame f of the recording sees, in crops->segment: outside the recording zeros or its
 * reflection. What was read begins or ends inside the recording only where no frame sees more. */
static void cut(train_crops *crops, int64_t f, bool mirror) {
    mel_stft_cut(crops->stft, crops->audio, (size_t)crops->audio_count,
                 mel_stft_begin(crops->stft, f) - crops->audio_first, mirror, crops->segment);
}

/* Mel frames first … end-1 of the recording as analysing the whole of it gives them, in
 * crops->frames. */
static void analyse(train_crops *crops, int64_t first, int64_t end) {
    bool mirror = crops->config->mel.padding == MEL_PADDING_REFLECT;
    for (int64_t f = first; f < end; f++) {
        cut(crops, f, mirror);
        mel_analysis_frame(crops->analysis, crops->segment,
                           crops->frames + (f - first) * crops->config->mel.bands);
    }
}

/* The crop's part of what mel_filter_whole makes of the recording. */
static void whiten(train_crops *crops, const train_crop *crop, int64_t first, int64_t end,
                   float *signal) {
    const mel_convention *mel = &crops->config->mel;
    int64_t begin = crop->first_frame * mel->hop;
    mel_overlap_reset(crops->overlap);
    for (int64_t f = first; f < end; f++) {
        int64_t at = mel_stft_begin(crops->stft, f) - begin;
        if (at + mel->n_fft <= 0 || at >= (int64_t)crops->overlap->count) continue;
        cut(crops, f, false);
        mel_envelope_whitening_gain(crops->envelope, crops->frames + (f - first) * mel->bands,
                                    crops->gain);
        mel_frame_filter_run(crops->filter, crops->gain, crops->segment, crops->segment);
        mel_overlap_add(crops->overlap, at, crops->segment);
    }
    mel_overlap_read(crops->overlap, 0, crops->overlap->count, signal);
}

/* Mel frames *first … *end-1, the crop's and those around it as far as the recording goes, in
 * crops->frames; its audio in crops->audio. */
static lull_status analyse_around(train_crops *crops, const train_crop *crop, int64_t *first,
                                  int64_t *end, lull_error *error) {
    const train_recording *recording = &crops->corpus->recordings[crop->recording];
    int64_t available = (int64_t)mel_stft_frames(crops->stft, recording->samples);
    *first = crop->first_frame - crops->around;
    *end = crop->first_frame + crops->options.frames + crops->around;
    if (*first < 0) *first = 0;
    if (*end > available) *end = available;
    lull_status status = read_audio(crops, crop, *first, *end, error);
    if (!status) analyse(crops, *first, *end);
    return status;
}

/* Puts the pair's frames in place of first … first+n-1, as far as it has them. */
static void take_pair(train_crops *crops, const train_crop *crop, int64_t first, size_t n) {
    size_t bands = (size_t)crops->config->mel.bands;
    const train_pair *pair = crops->corpus->recordings[crop->recording].pair;
    for (size_t i = 0; i < n; i++) {
        int64_t at = first + (int64_t)i - pair->first;
        if (at < 0 || at >= (int64_t)pair->frames) continue;
        memcpy(crops->frames + i * bands, pair->mel + (size_t)at * bands, bands * sizeof(float));
    }
}

/* Degrades frames first … first+n-1, in crops->frames, as the crop says. */
static void degrade(train_crops *crops, const train_crop *crop, int64_t first, size_t n) {
    size_t bands = (size_t)crops->config->mel.bands;
    if (crop->paired) take_pair(crops, crop, first, n);
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
    degrade(crops, crop, first, (size_t)(end - first));
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

lull_status train_crops_source(train_crops *crops, const train_crop *crop, const float *mel,
                               float *signal, float *source, lull_error *error) {
    const train_crop_place place = {crop->recording, crop->first_frame, crops->options.seed,
                                    crop->index};
    const float *own = mel + (size_t)crops->options.margin * (size_t)crops->config->mel.bands;
    return train_crop_source_render(crops->source, &place, own, signal, source, error);
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
    degrade(crops, crop, first, (size_t)(end - first));
    memcpy(degraded, own, bytes);
    return LULL_OK;
}
