/* Samples as the bytes of a file or a pipe. */
#ifndef RECORDING_PCM_H
#define RECORDING_PCM_H

#include <stddef.h>

typedef enum { RECORDING_PCM16, RECORDING_PCM24, RECORDING_FLOAT } recording_format;

size_t recording_pcm_bytes(recording_format format); /* of one sample */

/* Writes n·recording_pcm_bytes bytes, little-endian whatever the machine. Full scale is 2^(bits−1), as
 * readers have it; rounded to nearest, ties to even; +1 and what lies beyond full scale saturates.
 * samples: finite. */
void recording_pcm_encode(recording_format format, const float *samples, size_t n,
                          unsigned char *bytes);

#endif
