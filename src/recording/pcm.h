/* Samples as the bytes of a file or a pipe. */
#ifndef RECORDING_PCM_H
#define RECORDING_PCM_H

#include <stddef.h>

typedef enum { AUDIO_PCM16, AUDIO_PCM24, AUDIO_FLOAT } audio_format;

size_t recording_pcm_bytes(audio_format format); /* of one sample */

/* Writes n·recording_pcm_bytes bytes, little-endian whatever the machine. Full scale is 2^(bits−1), as
 * readers have it; rounded to nearest, ties to even; +1 and what lies beyond full scale saturates.
 * samples: finite. */
void recording_pcm_encode(audio_format format, const float *samples, size_t n,
                          unsigned char *bytes);

#endif
