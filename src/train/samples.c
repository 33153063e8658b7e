/* Rendered validation recordings: see samples.h. */
#include "train/samples.h"

#include <stdio.h>

#include "base/error.h"
#include "base/memory.h"
#include "recording/audio_file.h"
#include "mel/front_end.h"

enum { MOST_SECONDS = 10, PATH_SIZE = 4352, BLOCK = 4096 };

typedef struct sample {
    float *frames;
    size_t count;
} sample;

struct train_samples {
    char *run;
    int rate, bands;
    size_t count;
    sample *samples;
};

static lull_status write_wav(const char *path, int rate, const float *samples, size_t count,
                             lull_error *error) {
    recording_writer *writer = NULL;
    lull_status status = recording_writer_open(path, rate, RECORDING_PCM16, &writer, error);
    if (status) return status;
    status = recording_writer_write(writer, samples, count, error);
    if (!status) return recording_writer_commit(writer, error);
    recording_writer_abandon(writer);
    return status;
}

static lull_status take_one(train_samples *samples, size_t number, const model_config *config,
                            train_corpus *corpus, size_t recording, lull_error *error) {
    size_t count = corpus->recordings[recording].samples,
           most = (size_t)corpus->rate * MOST_SECONDS;
    if (count > most) count = most;
    count -= count % (size_t)config->mel.hop;
    float *audio = base_alloc(count, sizeof *audio);
    sample *out = &samples->samples[number];
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/samples/reference-%zu.wav", samples->run, number + 1);
    lull_status status = audio ? train_corpus_read(corpus, recording, 0, count, audio, error)
                               : base_no_memory(error);
    if (!status)
        status = mel_from_samples(&config->mel, audio, count, &out->frames, &out->count, error);
    if (!status) status = write_wav(path, corpus->rate, audio, count, error);
    base_free(audio);
    return status;
}

lull_status train_samples_new(const char *run, const model_config *config, train_corpus *corpus,
                              int count, train_samples **result, lull_error *error) {
    *result = NULL;
    train_samples *samples = base_alloc(1, sizeof *samples);
    if (samples == NULL) return base_no_memory(error);
    samples->run = base_strdup(run);
    samples->rate = corpus->rate;
    samples->bands = config->mel.bands;
    samples->count = (size_t)count < corpus->count ? (size_t)count : corpus->count;
    samples->samples = base_alloc(samples->count, sizeof *samples->samples);
    lull_status status = samples->run && samples->samples ? LULL_OK : base_no_memory(error);
    for (size_t i = 0; i < samples->count && !status; i++) /* the middles of `count` equal parts */
        status = take_one(samples, i, config, corpus,
                          (2 * i + 1) * corpus->count / (2 * samples->count), error);
    if (status) {
        train_samples_free(samples);
        return status;
    }
    *result = samples;
    return LULL_OK;
}

static lull_status synthesize(lull_vocoder *vocoder, const sample *s, int bands, float *out,
                              size_t room, size_t *written, lull_error *error) {
    size_t at = 0;
    lull_status status = LULL_OK;
    *written = 0;
    while (!status) {
        size_t accepted = 0, produced = 0;
        if (at < s->count) {
            status = lull_vocoder_push(vocoder, s->frames + at * (size_t)bands, s->count - at,
                                       &accepted, error);
            at += accepted;
            if (at == s->count && !status) status = lull_vocoder_finish(vocoder);
        }
        size_t wanted = room - *written < BLOCK ? room - *written : BLOCK;
        if (!status) status = lull_vocoder_pull(vocoder, out + *written, wanted, &produced, error);
        *written += produced;
        if (*written == room || (at == s->count && produced == 0)) break;
    }
    return status;
}

static lull_status render_one(const train_samples *samples, size_t number, lull_vocoder *vocoder,
                              size_t hop, uint64_t step, lull_error *error) {
    const sample *s = &samples->samples[number];
    char path[PATH_SIZE];
    size_t room = s->count * hop, written = 0;
    float *out = base_alloc(room, sizeof *out);
    if (out == NULL) return base_no_memory(error);
    snprintf(path, sizeof path, "%s/samples/%07llu-%zu.wav", samples->run, (unsigned long long)step,
             number + 1);
    lull_vocoder_reset(vocoder, 0);
    lull_status status = synthesize(vocoder, s, samples->bands, out, room, &written, error);
    if (!status) status = write_wav(path, samples->rate, out, written, error);
    base_free(out);
    return status;
}

lull_status train_samples_render(const train_samples *samples, const char *path, uint64_t step,
                                 int threads, lull_error *error) {
    lull_model *model = NULL;
    lull_vocoder *vocoder = NULL;
    lull_options options;
    lull_options_init(&options);
    options.threads = threads;
    lull_status status = lull_model_open(path, &model, error);
    if (!status) status = lull_vocoder_new(model, &options, &vocoder, error);
    for (size_t i = 0; i < samples->count && !status; i++)
        status =
            render_one(samples, i, vocoder, (size_t)lull_model_get_info(model)->hop, step, error);
    lull_vocoder_free(vocoder);
    lull_model_close(model);
    return status;
}

void train_samples_free(train_samples *samples) {
    if (samples == NULL) return;
    for (size_t i = 0; samples->samples && i < samples->count; i++)
        base_free(samples->samples[i].frames);
    base_free(samples->samples);
    base_free(samples->run);
    base_free(samples);
}
