/* Models, mels and whole synthesis for the tests of the engine. */
#ifndef TESTS_VOCODER_MODELS_H
#define TESTS_VOCODER_MODELS_H

#include "base/memory.h"
#include "base/random.h"
#include "goldens.h"
#include "model/model.h"
#include "vocoder/vocoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static inline void normal(uint32_t stream, float *out, size_t n, float scale, float offset) {
    random_normal(7, stream, 0, out, n);
    for (size_t i = 0; i < n; i++) out[i] = out[i] * scale + offset;
}

/* A model with random weights. */
static inline lull_model *random_model(const model_config *config) {
    lull_error error;
    if (model_config_check(config, "test", &error)) fail_msg("%s", error.message);
    lull_model *model = base_alloc(1, sizeof *model);
    assert_non_null(model);
    model->config = *config;
    if (model_parameters_new(config, &model->parameters, &error)) fail_msg("%s", error.message);
    if (denoiser_shelf_new(&model->shelf, &error)) fail_msg("%s", error.message);
    model_parameters_initialize(model->parameters, 3);
    /* The last projection starts at zero: give it something to do. */
    if (config->family != MODEL_PITCH_ALONE)
        normal(9, model_parameters_weight(model->parameters, MODEL_OUTPUT_PROJECTION, 0),
               (size_t)config->patch * (size_t)config->channels, 0.2f, 0);
    int last = model_config_postnet_convolutions(config);
    if (last > 0)
        normal(10, model_parameters_weight(model->parameters, MODEL_POSTNET_CONVOLUTION, last - 1),
               9 * (size_t)config->postnet_channels, 0.1f, 0);
    model->info.bands = config->mel.bands;
    model->info.hop = config->mel.hop;
    return model;
}

/* A small network of our family: 5 layers, look-ahead of 5 patches. */
static inline model_config small_lull(void) {
    model_config config;
    model_config_default(&config);
    lull_error error;
    if (mel_convention_named("hifigan", 16000, &config.mel, &error)) fail_msg("%s", error.message);
    static const int dilation[] = {1, 4, 2, 16, 1}, ahead[] = {1, 0, 2, 1, 1};
    config.channels = 12;
    config.layers = 5;
    config.embedding_hidden = 24;
    config.conditioner_channels = 10;
    memcpy(config.dilation, dilation, sizeof dilation);
    memcpy(config.look_ahead, ahead, sizeof ahead);
    return config;
}

static inline model_config small_diffwave(void) {
    model_config config;
    model_config_diffwave(&config);
    config.layers = 6;
    config.channels = 8;
    for (int i = 0; i < config.layers; i++) config.look_ahead[i] = config.dilation[i] = 1 << i;
    return config;
}

static inline lull_model *open_model(const char *name) {
    lull_error error;
    lull_model *model = NULL;
    if (lull_model_open(source_path(name), &model, &error)) fail_msg("%s", error.message);
    return model;
}

static inline mel_convention named(const char *name) {
    mel_convention convention;
    lull_error error;
    if (mel_convention_named(name, 0, &convention, &error)) fail_msg("%s", error.message);
    return convention;
}

/* Of any convention. */
static inline lull_vocoder *vocoder_of(const lull_model *model, const mel_convention *convention,
                                       const lull_options *options) {
    lull_error error;
    lull_vocoder *vocoder = NULL;
    if (vocoder_new_reading(model, convention, options, &vocoder, &error))
        fail_msg("%s", error.message);
    return vocoder;
}

/* Something like speech's mels: levels that move slowly, in the convention's range. */
static inline float *random_mel(const mel_convention *convention, size_t frames) {
    size_t bands = (size_t)convention->bands;
    float *mel = base_alloc(frames * bands, sizeof *mel);
    assert_non_null(mel);
    bool unit = mel_convention_clips(convention);
    normal(2, mel, frames * bands, unit ? 0.05f : 0.5f, 0);
    for (size_t f = 0; f < frames; f++)
        for (size_t b = 0; b < bands; b++) {
            double level = sin(0.11 * (double)f) + cos(0.07 * (double)b + 0.2 * (double)f);
            mel[f * bands + b] += (float)(unit ? 0.5 + 0.15 * level : -6 + 1.5 * level);
            if (!unit)
                mel[f * bands + b] =
                    (float)convention->gain * mel[f * bands + b] + (float)convention->offset;
        }
    return mel;
}

/* Pushes n frames in pieces of `push` and pulls pieces of `pull`, up to the end. out: n × hop
 * samples. */
static inline void synthesize(lull_vocoder *vocoder, const mel_convention *convention,
                              const float *mel, size_t n, size_t push, size_t pull, float *out) {
    lull_error error;
    size_t bands = (size_t)convention->bands, got = 0, pushed = 0,
           total = n * (size_t)convention->hop;
    float *piece = base_alloc(pull, sizeof *piece);
    while (got < total) {
        size_t accepted = 0, produced = 0, wanted = push < n - pushed ? push : n - pushed;
        if (wanted && lull_vocoder_push(vocoder, mel + pushed * bands, wanted, &accepted, &error))
            fail_msg("%s", error.message);
        pushed += accepted;
        if (pushed == n) lull_vocoder_finish(vocoder);
        do {
            if (lull_vocoder_pull(vocoder, piece, pull, &produced, &error))
                fail_msg("%s", error.message);
            assert_true(got + produced <= total);
            memcpy(out + got, piece, produced * sizeof *out);
            got += produced;
        } while (produced == pull);
    }
    assert_true(lull_vocoder_ended(vocoder));
    base_free(piece);
}

static inline double worst_error(const float *a, const float *b, size_t n) {
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        double error = fabs((double)a[i] - b[i]);
        if (!(error <= worst)) worst = error;
    }
    return worst;
}

static inline double signal_to_noise(const float *is, const float *should, size_t n) {
    double signal = 0, noise = 1e-30;
    for (size_t i = 0; i < n; i++) {
        double error = (double)is[i] - should[i];
        signal += (double)should[i] * should[i];
        noise += error * error;
    }
    return 10 * log10(signal / noise);
}

#endif
