/* The reader: a thread that prepares the batches of the coming steps while the current one is
 * computed. */
#ifndef TRAIN_READER_H
#define TRAIN_READER_H

#include "train/crops.h"
#include "train/settings.h"

typedef struct train_batch {
    uint64_t step; /* number of the step, 1 is the first */
    int part;      /* 0 … accumulate-1 */
    int crops;
    double *t;     /* network time of each crop */
    float *x;      /* crops × samples: a·x0 + s·ε */
    float *target; /* crops × samples: what the network should say; the postnet: × frames × bands */
    float *mel;    /* crops × (frames + 2·margin) × bands */
} train_batch;

/* Floats of a crop's target. */
size_t train_batch_target(const model_config *config, const train_settings *settings);

/* What the crops of a batch are made of. Buffers as sized by train_batch_new. */
lull_status train_batch_new(const model_config *config, const train_settings *settings, int crops,
                            int margin, train_batch **batch, lull_error *error);
void train_batch_free(train_batch *batch);

/* Fills a batch: crop i of it is crop number first + i of the run, the place of t in its stratum is
 * drawn for it, and its stratum is (offset + i) of `strata`. */
lull_status train_batch_fill(train_crops *crops, const model_config *config,
                             const train_settings *settings, uint64_t first, int offset, int strata,
                             train_batch *batch, lull_error *error);

/* Network time from a place q in [0, 1): uniform, with density ∝ sin πt, or ∝ t^(-2/3) (start: half
 * of the times are below 1/8); a DDPM schedule's times are its steps. */
double train_time(const diffusion_schedule *schedule, train_density density, double q);

typedef struct train_reader train_reader;

/* Starts at the batches of step `step`, before which `drawn` crops were drawn. With several
 * machines, this one (rank of ranks) prepares its share of every step's batch · accumulate · ranks
 * crops. Everything is borrowed; crops belongs to the reader's thread until it is freed. */
lull_status train_reader_new(train_crops *crops, const model_config *config,
                             const train_settings *settings, int margin, uint64_t step,
                             uint64_t drawn, int rank, int ranks, train_reader **reader,
                             lull_error *error);
/* The next batch, valid until the next call. Waits for it when it is not ready; adds the seconds to
 * *waited. */
lull_status train_reader_next(train_reader *reader, const train_batch **batch, double *waited,
                              lull_error *error);
size_t train_reader_bytes(const train_reader *reader);
/* CPU seconds that the thread has used so far. */
double train_reader_busy(const train_reader *reader);
void train_reader_free(train_reader *reader);

#endif
