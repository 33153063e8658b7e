/* The lines and figures of a run while it goes on. */
#ifndef TRAIN_REPORT_H
#define TRAIN_REPORT_H

#include "train/log.h"
#include "train/step.h"

typedef struct train_report {
    const model_config *config;
    const train_settings *settings;
    const train_voice *voice;
    const train_clock *clock;
    const train_state *state;
    train_stepper *stepper;
    train_reader *reader;
    train_log *log; /* NULL: another rank reports */
    ranks *ranks;
    /* Its own. */
    double begun, audio_before, waited; /* of the whole run */
    uint64_t first;                     /* steps done before it */
    double line_at, line_waited, line_audio;
    double timing_at, timing_waited, timing_audio;
} train_report;

/* What the run will cost: measured on one batch, whose result is thrown away. */
void train_report_announce(const train_report *report, const train_corpus *corpus);
void train_report_begin(train_report *report);
void train_report_step(train_report *report, const train_step_result *step);
/* After the last step. */
void train_report_end(const train_report *report);

#endif
