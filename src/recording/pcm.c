/* Samples as the bytes of a file or a pipe. */
#include "recording/pcm.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

size_t recording_pcm_bytes(recording_format format) {
    return format == RECORDING_PCM16 ? 2 : format == RECORDING_PCM24 ? 3 : 4;
}

static uint32_t to_step(float sample, float scale) {
    float scaled = sample * scale; /* exact: scale is a power of two */
    if (scaled >= scale - 1) return (uint32_t)(scale - 1);
    return (uint32_t)(scaled <= -scale ? (int32_t)-scale : (int32_t)lrintf(scaled));
}

static uint32_t bits_of(recording_format format, float sample) {
    if (format == RECORDING_PCM16) return to_step(sample, 32768.0f);
    if (format == RECORDING_PCM24) return to_step(sample, 8388608.0f);
    uint32_t bits;
    memcpy(&bits, &sample, sizeof bits);
    return bits;
}

void recording_pcm_encode(recording_format format, const float *samples, size_t n,
                          unsigned char *bytes) {
    const size_t size = recording_pcm_bytes(format);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = bits_of(format, samples[i]);
        for (size_t b = 0; b < size; b++, bits >>= 8) *bytes++ = (unsigned char)bits;
    }
}
