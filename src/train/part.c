/* The parts of a model that can be trained: see part.h. */
#include "train/part.h"

#include "train/loss.h"

const train_part *train_part_of(const train_settings *settings) {
    static const train_part *const parts[] = {
        [TRAIN_DENOISER] = &train_part_denoiser, [TRAIN_POSTNET] = &train_part_postnet,
        [TRAIN_PITCH] = &train_part_pitch,       [TRAIN_BANDWIDTH] = &train_part_bandwidth,
        [TRAIN_SPECTRUM] = &train_part_spectrum,
    };
    return parts[settings->part];
}

int train_part_model_rate(const model_config *config) {
    return config->mel.sample_rate;
}

size_t train_part_crop_samples(const model_config *config, const train_settings *settings) {
    return (size_t)settings->crop_frames * (size_t)config->mel.hop;
}

double train_part_crop_seconds(const model_config *config, const train_settings *settings) {
    return (double)train_part_crop_samples(config, settings) / config->mel.sample_rate;
}

lull_status train_part_crops(const model_config *config, const train_settings *settings,
                             train_corpus *corpus, const train_crops_options *options,
                             train_crops **crops, lull_error *error) {
    (void)settings;
    return train_crops_new(config, corpus, options, crops, error);
}

double train_part_loss(const train_settings *settings, const float *predicted, const float *target,
                       size_t n, float *gradient) {
    return settings->loss == TRAIN_LOSS_L1 ? train_loss_l1(predicted, target, n, gradient)
                                           : train_loss_l2(predicted, target, n, gradient);
}
