/* What networks see of a mel frame: numbers that do not depend on the convention it was written in.
 * The log envelope of amplitude per √Hz,
 *
 *     x(f) = ln E(f) − ½ ln(Σ window² · rate),
 *
 * with E as in mel/envelope.h, is read at points evenly spaced on Slaney's mel scale: bands, filter
 * shapes and norms, powers, logarithms and statistics are undone, so the same sound has nearly the
 * same features in every convention. What a convention cannot show (outside fmin … fmax, above
 * Nyquist) is masked; what it shows more or less sharply follows from its facts, which are features
 * too. */
#ifndef MEL_FRAME_FEATURES_H
#define MEL_FRAME_FEATURES_H

#include "mel/convention.h"

enum {
    MEL_FEATURE_POINTS = 128, /* of the envelope, 0 to 12 kHz */
    MEL_FEATURE_FACTS = 5,    /* of the convention, the same in every frame */
    MEL_FEATURES = MEL_FEATURE_POINTS + MEL_FEATURE_FACTS
};

/* x is clamped below here (amplitudes of 4e-8 per √Hz: where digital silence lies in most
 * conventions), then (x + OFFSET)·SCALE makes it about unit range. Masked points are 0. */
#define MEL_FEATURE_FLOOR (-17.0f)
#define MEL_FEATURE_OFFSET 11.0f
#define MEL_FEATURE_SCALE (1.0f / 3.0f)

typedef struct mel_features mel_features;

/* For frames of a convention, which is copied. Errors: those of mel_convention_check,
 * LULL_NO_MEMORY. */
lull_status mel_features_new(const mel_convention *convention, mel_features **features,
                             lull_error *error);
/* Bytes that mel_features_new takes, at most. */
uint64_t mel_features_bytes(const mel_convention *convention);
void mel_features_free(mel_features *features);

/* One frame (bands floats, convention units) → MEL_FEATURES floats: the points from low to high,
 * then ln(window / 46 ms), ln(hop / 11.6 ms), ln(distance of neighbouring bands around 500 Hz /
 * 50 Hz), and fmin and fmax where they lie between 0 and 12 kHz on the points' scale: fmin / 100 Hz
 * and (mel(fmax) − 45) / 3. Nothing is kept from frame to frame and nothing allocated. */
void mel_features_of_frame(const mel_features *features, const float *frame, float *out);

/* Frequency of a point in Hz, and whether the convention shows it. */
double mel_feature_hz(int point);
bool mel_features_shows(const mel_features *features, int point);

#endif
