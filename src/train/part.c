/* The parts of a model that can be trained: see part.h. */
#include "train/part.h"

#include "train/loss.h"

const train_part *train_part_of(const train_settings *settings) {
    static const train_part *const parts[] = {
        [TRAIN_DENOISER] = &train_part_denoiser,
        [TRAIN_POSTNET] = &train_part_postnet,
    };
    return parts[settings->part];
}

double train_part_loss(const train_settings *settings, const float *predicted, const float *target,
                       size_t n, float *gradient) {
    return settings->loss == TRAIN_LOSS_L1 ? train_loss_l1(predicted, target, n, gradient)
                                           : train_loss_l2(predicted, target, n, gradient);
}
