/* How far a run is: its clock, its limits, and the wish to stop, on which all ranks agree. */
#ifndef TRAIN_CLOCK_H
#define TRAIN_CLOCK_H

#include <signal.h>

#include "ranks/ranks.h"
#include "train/settings.h"

typedef struct train_clock {
    const train_settings *settings;
    ranks *ranks;
    const volatile sig_atomic_t *stop; /* may be NULL */
    double before, started;            /* seconds of training before this process; when it began */
    double agreed_elapsed;             /* rank 0's clock, for all */
    bool agreed_stop;
} train_clock;

/* Seconds of training by this machine's clock, and as all ranks agreed with the last step. */
double train_clock_own(const train_clock *clock);
double train_clock_elapsed(const train_clock *clock);
/* This process's wish, and all ranks'. */
bool train_clock_asked(const train_clock *clock);
bool train_clock_stopped(const train_clock *clock);

/* What each rank says to the others with every step (summed), and what they said together. */
enum { TRAIN_CLOCK_VALUES = 2 };
void train_clock_tell(const train_clock *clock, double values[TRAIN_CLOCK_VALUES]);
void train_clock_hear(train_clock *clock, const double values[TRAIN_CLOCK_VALUES]);
/* The same before the first step. */
lull_status train_clock_agree(train_clock *clock, lull_error *error);

bool train_clock_at_end(const train_clock *clock, uint64_t step);
/* 0 … 1: what is done of the run, by whichever of its limits is nearer. */
double train_clock_progress(const train_clock *clock, uint64_t step);
/* Seconds to the end, when `done` of the run took the elapsed time. */
double train_clock_left(const train_clock *clock, double done);

/* "12 min". Returns text. */
const char *train_duration(double seconds, char *text, size_t size);

#endif
