/* Between ranks.c and the module that speaks MPI (ranks_mpi.c), which is loaded only when a program
 * was started by mpirun. All functions are called from one and the same thread. Those that return
 * bool: false = MPI reported an error. */
#ifndef RANKS_ENGINE_H
#define RANKS_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

/* The module's only symbol, of type ranks_engine. */
#define RANKS_ENGINE_SYMBOL "lull_ranks_engine"

typedef enum {
    RANKS_SUM_FLOATS,  /* in place, over all ranks */
    RANKS_SUM_DOUBLES, /* in place, over all ranks */
    RANKS_BROADCAST,   /* bytes, from rank 0 */
    RANKS_GATHER       /* data: bytes of all ranks in their order, the own ones already there */
} ranks_operation;

enum { RANKS_SLOTS = 256 }; /* operations that can be under way at a time */

typedef struct ranks_engine {
    const char *version; /* of lull */
    bool (*start)(int *rank, int *count);
    /* count: elements, or bytes of one rank. The slot must be free. */
    bool (*begin)(int slot, ranks_operation operation, void *data, size_t count);
    /* Lets MPI work; *done: the slot's operation has ended, and the slot is free. */
    bool (*test)(int slot, bool *done);
    void (*finish)(void);
    void (*abort)(void); /* ends all ranks; does not return */
} ranks_engine;

#endif
