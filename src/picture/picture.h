/* Pictures of recordings and mel spectrograms: panels one above another over one time axis,
 * frequencies upwards, louder is lighter, and the difference of two of them; over each, where it is
 * known, the fundamental frequency (over the difference those of both: the first one's darker). */
#ifndef PICTURE_PICTURE_H
#define PICTURE_PICTURE_H

#include "picture/f0.h"
#include "mel/convention.h"

/* What a panel shows: samples, or when they are NULL frames. Everything is borrowed. */
typedef struct picture_source {
    const char *title; /* above the panel; NULL or "": none */
    const float *samples;
    size_t count;
    int rate;
    const float *frames; /* n × bands of the convention */
    size_t n;
    const mel_convention *convention;
    const picture_f0 *f0; /* drawn over the panel; NULL: none */
} picture_source;

typedef struct picture_options {
    int width;            /* of the whole picture; 0: 1000 */
    int panel_height;     /* 0: 280 (mels: the next multiple of their bands below) */
    int n_fft;            /* of recordings: even; 0: the power of two nearest to 46 ms */
    double range_db;      /* shown below the loudest; 0: 80 */
    double max_hz;        /* of recordings: 0: half the rate */
    bool difference;      /* a panel more: the second minus the first, of the same kind */
    bool only_difference; /* that panel alone */
    const double *top_db; /* upper end of the scale (NULL: the loudest, up to the next 10 dB) */
} picture_options;

enum { PICTURE_MOST_SOURCES = 16 };

/* Draws into a new canvas, to be freed by the caller. NULL options: all defaults. */
lull_status picture_draw(const picture_source *sources, int count, const picture_options *options,
                         picture_canvas *c, lull_error *error);

/* The upper end of the scale that picture_draw would choose for sources of one kind, so that
 * several pictures can share it. */
lull_status picture_top(const picture_source *sources, int count, const picture_options *options,
                        double *top_db, lull_error *error);

/* The same as a PNG file, or as the bytes of one (freed with base_free). */
lull_status picture_write(const char *path, const picture_source *sources, int count,
                          const picture_options *options, lull_error *error);
lull_status picture_encode(const picture_source *sources, int count, const picture_options *options,
                           uint8_t **png, size_t *size, lull_error *error);

#endif
