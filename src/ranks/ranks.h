/* Several machines: the ranks that mpirun started. Without mpirun, and without MPI in the build,
 * the world has one rank and everything here is a matter of course; NULL stands for such a world.
 *
 * One thread owns MPI: it starts what the caller hands over, in that order, and keeps it going
 * while the caller computes. It sleeps between its looks, so that ranks that wait leave the cores
 * to those that work.
 *
 * All functions but the first four are collective: every rank calls them, in the same order. */
#ifndef RANKS_RANKS_H
#define RANKS_RANKS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "lull.h"

typedef struct ranks ranks;

int ranks_rank(const ranks *ranks);
int ranks_count(const ranks *ranks);
/* Cores that one rank may use: those that it is bound to, or its share of the machine. */
int ranks_cores(void);

/* Finds the other ranks when mpirun started this program; *ranks is NULL when it is alone. */
lull_status ranks_join(ranks **ranks, lull_error *error);
/* Waits for the others, and frees. After a failure that the others do not know of: ends them. */
void ranks_leave(ranks *ranks, bool together);

lull_status ranks_broadcast(ranks *ranks, void *data, size_t bytes, lull_error *error);
/* all: count × bytes. */
lull_status ranks_gather(ranks *ranks, const void *mine, size_t bytes, void *all,
                         lull_error *error);
lull_status ranks_sum(ranks *ranks, double *values, size_t count, lull_error *error);
/* A block of memory from rank 0: others get *data (base_free; a zero follows it) and *bytes. */
lull_status ranks_share(ranks *ranks, void **data, size_t *bytes, lull_error *error);
/* The failure of the first rank that failed, for all; its name before the message when it is not
 * rank 0. LULL_OK when none did. */
lull_status ranks_agree(ranks *ranks, lull_status status, lull_error *error);
/* Refuses ranks that run another program than rank 0. */
lull_status ranks_same_program(ranks *ranks, lull_error *error);
/* Refuses ranks whose text (of lines) is not rank 0's; what: "configuration". */
lull_status ranks_same_text(ranks *ranks, const char *what, const char *text, lull_error *error);

/* A sum of floats in place, in the background: begins when *missing is 0 (NULL: at once) and all
 * operations handed over before it have begun. Whoever brings *missing to 0 calls
 * ranks_wake, from any thread. */
void ranks_begin_sum(ranks *ranks, float *data, size_t count, atomic_size_t *missing);
void ranks_wake(ranks *ranks);
/* Until everything handed over has ended. */
lull_status ranks_wait(ranks *ranks, lull_error *error);
/* Seconds in which at least one operation was under way, since the start. */
double ranks_busy(ranks *ranks);

#endif
