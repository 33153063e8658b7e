/* The shapes of networks over frames. */
#include "model/frame_shape.h"

int frame_shape_in(const frame_shape *shape, int i) {
    return i == 0 ? MEL_FEATURES : shape->channels;
}

int frame_shape_out(const frame_shape *shape, int i) {
    return i == shape->layers - 1 ? shape->outputs : shape->channels;
}

double frame_shape_macs(const frame_shape *shape) {
    double macs = 0;
    for (int i = 0; i < shape->layers; i++)
        macs += (double)FRAME_TAPS * frame_shape_in(shape, i) * frame_shape_out(shape, i);
    return macs;
}

frame_shape frame_shape_pitch(const model_config *config) {
    return (frame_shape){.layers = config->pitch_layers,
                         .channels = config->pitch_channels,
                         .look_ahead = config->pitch_look_ahead,
                         .outputs = PITCH_OUTPUTS};
}

frame_shape frame_shape_bandwidth(const model_config *config) {
    return (frame_shape){.layers = config->bandwidth_layers,
                         .channels = config->bandwidth_channels,
                         .outputs = BANDWIDTH_POINTS};
}
