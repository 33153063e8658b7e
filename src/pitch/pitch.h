/* What is known of the voice in one mel frame, and the bands in which it is known: what the pitch
 * network predicts, the tracker measures and the source is made of. */
#ifndef PITCH_PITCH_H
#define PITCH_PITCH_H

enum { PITCH_BANDS = 8 };

/* Edges of the bands in Hz. Periodicity fades upwards in steps that get wider, and above 12 kHz
 * nothing of it is heard. */
static const float PITCH_BAND_EDGES[PITCH_BANDS + 1] = {0,    1000, 2000,  3000, 4000,
                                                        6000, 8000, 10000, 12000};

typedef struct pitch_values {
    float f0;      /* Hz, above 0 also where nothing is voiced (the best guess, so that it can be
                      interpolated) */
    float voicing; /* 0 unvoiced … 1 voiced */
    float aperiodicity[PITCH_BANDS]; /* share of a band's energy that is noise, 0 … 1 */
} pitch_values;

#endif
