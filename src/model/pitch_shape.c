/* The shape of the pitch network. */
#include "model/pitch_shape.h"

#include "mel/frame_features.h"

int pitch_network_in(const model_config *config, int i) {
    return i == 0 ? MEL_FEATURES : config->pitch_channels;
}

int pitch_network_out(const model_config *config, int i) {
    return i == config->pitch_layers - 1 ? PITCH_OUTPUTS : config->pitch_channels;
}

int pitch_network_ahead(const model_config *config, int i) {
    return i < config->pitch_look_ahead;
}
