/* How far a run is: see clock.h. */
#include "train/clock.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"

double train_clock_own(const train_clock *clock) {
    return clock->before + base_now() - clock->started;
}

double train_clock_elapsed(const train_clock *clock) {
    return clock->ranks != NULL ? clock->agreed_elapsed : train_clock_own(clock);
}

bool train_clock_asked(const train_clock *clock) {
    return clock->stop != NULL && *clock->stop;
}

bool train_clock_stopped(const train_clock *clock) {
    return clock->ranks != NULL ? clock->agreed_stop : train_clock_asked(clock);
}

void train_clock_tell(const train_clock *clock, double values[TRAIN_CLOCK_VALUES]) {
    values[0] = train_clock_asked(clock);
    values[1] = ranks_rank(clock->ranks) == 0 ? train_clock_own(clock) : 0.0;
}

void train_clock_hear(train_clock *clock, const double values[TRAIN_CLOCK_VALUES]) {
    clock->agreed_stop = values[0] > 0.0;
    clock->agreed_elapsed = values[1];
}

lull_status train_clock_agree(train_clock *clock, lull_error *error) {
    double values[TRAIN_CLOCK_VALUES];
    train_clock_tell(clock, values);
    lull_status status = ranks_sum(clock->ranks, values, TRAIN_CLOCK_VALUES, error);
    train_clock_hear(clock, values);
    return status;
}

bool train_clock_at_end(const train_clock *clock, uint64_t step) {
    const train_settings *s = clock->settings;
    if (s->max_steps > 0 && step >= s->max_steps) return true;
    return s->max_hours > 0.0 && train_clock_elapsed(clock) >= 3600.0 * s->max_hours;
}

double train_clock_progress(const train_clock *clock, uint64_t step) {
    const train_settings *s = clock->settings;
    double by_steps = 0.0, by_time = 0.0;
    if (s->max_steps > 0) by_steps = (double)step / (double)s->max_steps;
    if (s->max_hours > 0.0) by_time = train_clock_elapsed(clock) / (3600.0 * s->max_hours);
    return fmax(by_steps, by_time);
}

double train_clock_left(const train_clock *clock, double done) {
    return done > 0.0 ? train_clock_elapsed(clock) * (1.0 - done) / done : INFINITY;
}

const char *train_duration(double seconds, char *text, size_t size) {
    if (!(seconds < 1e8))
        snprintf(text, size, "a long time");
    else if (seconds < 90.0)
        snprintf(text, size, "%.0f s", seconds);
    else if (seconds < 5400.0)
        snprintf(text, size, "%.0f min", seconds / 60.0);
    else
        snprintf(text, size, "%.1f h", seconds / 3600.0);
    return text;
}
