/* A mel spectrogram as a small picture without axes: time to the right, low bands below, louder is
 * brighter. */
#ifndef CLI_MEL_PICTURE_H
#define CLI_MEL_PICTURE_H

#include "lull.h"

/* frames: n × bands; values from lowest (dark) to highest (bright). Writes a PNG. */
lull_status mel_picture_write(const char *path, const float *frames, size_t n, size_t bands,
                              float lowest, float highest, lull_error *error);

#endif
