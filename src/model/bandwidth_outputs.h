/* What the bandwidth network gives for a frame: points of the features (mel/frame_features.h), those
 * that a mel may leave open. */
#ifndef MODEL_BANDWIDTH_OUTPUTS_H
#define MODEL_BANDWIDTH_OUTPUTS_H

#include "mel/frame_features.h"

enum {
    BANDWIDTH_FIRST = 105, /* 6.5 kHz */
    BANDWIDTH_POINTS = MEL_FEATURE_POINTS - BANDWIDTH_FIRST
};

#endif
