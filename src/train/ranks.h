/* Several machines: the ranks that mpirun started. Without mpirun, and without MPI in the build,
 * the world has one rank and everything here is a matter of course; NULL stands for such a world.
 *
 * One thread owns MPI: it starts what the caller hands over, in that order, and keeps it going
 * while the caller computes. It sleeps between its looks, so that ranks that wait leave the cores
 * to those that work.
 *
 * All functions but the first four are collective: every rank calls them, in the same order. */
#ifndef TRAIN_RANKS_H
#define TRAIN_RANKS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "lull.h"

typedef struct train_ranks train_ranks;

int train_ranks_rank(const train_ranks *ranks);
int train_ranks_count(const train_ranks *ranks);
/* Cores that one rank may use: those that it is bound to, or its share of the machine. */
int train_ranks_cores(void);
/* Started by mpirun as another than rank 0, or rank 0's voice? Can be asked before joining. */
bool train_ranks_silent(void);

/* Finds the other ranks when mpirun started this program; *ranks is NULL when it is alone. */
lull_status train_ranks_join(train_ranks **ranks, lull_error *error);
/* Waits for the others, and frees. After a failure that the others do not know of: ends them. */
void train_ranks_leave(train_ranks *ranks, bool together);

lull_status train_ranks_broadcast(train_ranks *ranks, void *data, size_t bytes, lull_error *error);
/* all: count × bytes. */
lull_status train_ranks_gather(train_ranks *ranks, const void *mine, size_t bytes, void *all,
                               lull_error *error);
lull_status train_ranks_sum(train_ranks *ranks, double *values, size_t count, lull_error *error);
/* A block of memory from rank 0: others get *data (base_free; a zero follows it) and *bytes. */
lull_status train_ranks_share(train_ranks *ranks, void **data, size_t *bytes, lull_error *error);
/* The failure of the first rank that failed, for all; its name before the message when it is not
 * rank 0. LULL_OK when none did. */
lull_status train_ranks_agree(train_ranks *ranks, lull_status status, lull_error *error);
/* Refuses ranks that run another program than rank 0. */
lull_status train_ranks_same_program(train_ranks *ranks, lull_error *error);
/* Refuses ranks whose text (of lines) is not rank 0's; what: "configuration". */
lull_status train_ranks_same_text(train_ranks *ranks, const char *what, const char *text,
                                  lull_error *error);

/* A sum of floats in place, in the background: begins when *missing is 0 (NULL: at once) and all
 * operations handed over before it have begun. Whoever brings *missing to 0 calls
 * train_ranks_wake, from any thread. */
void train_ranks_begin_sum(train_ranks *ranks, float *data, size_t count, atomic_size_t *missing);
void train_ranks_wake(train_ranks *ranks);
/* Until everything handed over has ended. */
lull_status train_ranks_wait(train_ranks *ranks, lull_error *error);
/* Seconds in which at least one operation was under way, since the start. */
double train_ranks_busy(train_ranks *ranks);

#endif
