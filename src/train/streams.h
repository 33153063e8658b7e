/* Streams of random numbers under a run's seed, each indexed by the crop's number. Runs can be
 * repeated, so the values stay as they are. */
#ifndef TRAIN_STREAMS_H
#define TRAIN_STREAMS_H

/* Others: crops.c 0x4c000000 … 04, convention_pool.c 20, frame_crops.c 21 … 26, part_spectrum.c
 * 0x4c000100. A new stream takes a number that none has; 0x4c000021 has two users, which no run
 * brings together: the denoiser's crops and those of the parts that read any mel. */
enum {
    TRAIN_STREAM_TIME = 0x4c000010,  /* of diffusion */
    TRAIN_STREAM_NOISE = 0x4c000011, /* the denoiser's */
    TRAIN_STREAM_SOURCE = 0x4c000021 /* its pitch source's */
};

#endif
