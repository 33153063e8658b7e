/* RUN/log.jsonl, one object a step and one an evaluation, nothing in it that depends on the clock;
 * and RUN/timing.jsonl, what does. A resumed run cuts log.jsonl back to its checkpoint, so that the
 * file ends as if the run had never been interrupted. */
#ifndef TRAIN_LOG_H
#define TRAIN_LOG_H

#include "picture/curve.h"
#include "train/exchange.h"

typedef struct train_log train_log;

/* bytes: how much of an existing log.jsonl belongs to the state at hand (0 begins anew); its
 * numbers are read back into the curves. */
lull_status train_log_open(const char *run, uint64_t bytes, train_log **log, lull_error *error);
/* Bytes that were missing at the end of a log.jsonl shorter than its checkpoint: it goes on from
 * its last whole line. */
uint64_t train_log_missing(const train_log *log);
/* A step: loss and norm may be NaN or infinite (written as null, with "skipped": true). */
void train_log_step(train_log *log, uint64_t step, double loss, double norm, double rate,
                    bool skipped);
/* An evaluation; degraded NaN = not measured. */
void train_log_evaluation(train_log *log, uint64_t step, double valid, double degraded);
void train_log_timing(train_log *log, uint64_t step, double seconds, double audio_per_second,
                      double wait);
/* What several machines have exchanged since the start, and its means of a step. */
void train_log_exchange(train_log *log, uint64_t step, int ranks,
                        const train_exchange_times *times);
/* Lines so far into the file; false when it cannot be written now: they are kept for the next time.
 */
bool train_log_flush(train_log *log);
/* Everything on disk; *bytes: length of log.jsonl now. Fails when something could not be written.
 */
lull_status train_log_sync(train_log *log, uint64_t *bytes, lull_error *error);
/* RUN/curve.png. */
lull_status train_log_curve(train_log *log, lull_error *error);
/* Mean training loss of the last `count` steps; NaN when there are none. */
double train_log_recent(const train_log *log, size_t count);
void train_log_free(train_log *log);

#endif
