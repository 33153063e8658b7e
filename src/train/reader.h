/* The reader: a thread that prepares the batches of the coming steps while the current one is
 * computed. */
#ifndef TRAIN_READER_H
#define TRAIN_READER_H

#include "train/part.h"

typedef struct train_reader train_reader;

/* Starts at the batches of step `step`, before which `drawn` crops were drawn. With several
 * machines, this one (rank of ranks) prepares its share of every step's batch · accumulate · ranks
 * crops. Everything is borrowed; crops belongs to the reader's thread until it is freed. */
lull_status train_reader_new(train_crops *crops, const model_config *config,
                             const train_settings *settings, uint64_t step, uint64_t drawn,
                             int rank, int ranks, train_reader **reader, lull_error *error);
/* The next batch, valid until the next call. Waits for it when it is not ready; adds the seconds to
 * *waited. */
lull_status train_reader_next(train_reader *reader, const train_batch **batch, double *waited,
                              lull_error *error);
size_t train_reader_bytes(const train_reader *reader);
/* CPU seconds that the thread has used so far. */
double train_reader_busy(const train_reader *reader);
void train_reader_free(train_reader *reader);

#endif
