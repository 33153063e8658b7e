/* A mel spectrogram as a small picture. */
#include "cli/mel_picture.h"

#include "base/error.h"
#include "base/memory.h"
#include "io/png_file.h"

#include <limits.h>

enum { PIXELS_A_FRAME = 3, PIXELS_A_BAND = 3, LONGEST = 8192 };

/* Anchors of the perceptual colour map `inferno` (van der Walt & Smith, CC0), evenly spaced. */
static const unsigned char anchors[][3] = {{0, 0, 4},      {31, 12, 72},   {85, 15, 109},
                                           {136, 34, 106}, {186, 54, 85},  {227, 89, 51},
                                           {249, 140, 10}, {249, 201, 50}, {252, 255, 164}};

static void colour(float level, uint8_t *rgb) {
    int last = (int)(sizeof anchors / sizeof *anchors) - 1;
    float place = (level > 0.0f ? level < 1.0f ? level : 1.0f : 0.0f) * (float)last;
    int below = (int)place < last ? (int)place : last - 1;
    float part = place - (float)below;
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)((1.0f - part) * anchors[below][c] + part * anchors[below + 1][c] + 0.5f);
}

lull_status mel_picture_write(const char *path, const float *frames, size_t n, size_t bands,
                              float lowest, float highest, lull_error *error) {
    size_t shown = n < LONGEST / PIXELS_A_FRAME ? n : LONGEST / PIXELS_A_FRAME;
    size_t width = shown * PIXELS_A_FRAME, height = bands * PIXELS_A_BAND;
    float range = highest > lowest ? highest - lowest : 1.0f;
    uint8_t *pixels = base_alloc(width * height, 3);
    if (pixels == NULL) return base_no_memory(error);
    for (size_t y = 0; y < height; y++) {
        size_t band = bands - 1 - y / PIXELS_A_BAND;
        for (size_t x = 0; x < width; x++) {
            float value = frames[x / PIXELS_A_FRAME * bands + band];
            colour((value - lowest) / range, pixels + 3 * (y * width + x));
        }
    }
    lull_status status = png_file_write(path, pixels, (int)width, (int)height, error);
    base_free(pixels);
    return status;
}
