/* The module that speaks MPI: see ranks_engine.h. */
#include "ranks/engine.h"

#include <limits.h>
#include <mpi.h>
#include <stdlib.h>

static MPI_Request requests[RANKS_SLOTS];

/* Only the thread that calls this calls MPI ever after: MPI_THREAD_FUNNELED. */
static bool start(int *rank, int *count) {
    int provided;
    /* Open MPI's choice for sums in place is a binomial tree, through whose root 2·log₂(ranks)
     * times the gradient goes; reduce-scatter and all-gather (Rabenseifner 2004) needs as few
     * rounds and twice the gradient. Who sets it otherwise keeps that. */
    setenv("OMPI_MCA_coll_libnbc_iallreduce_algorithm", "3", 0);
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) return false;
    if (provided < MPI_THREAD_FUNNELED) return false;
    /* A lost connection is a message of ours, not MPI's abort. */
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    for (int i = 0; i < RANKS_SLOTS; i++) requests[i] = MPI_REQUEST_NULL;
    return MPI_Comm_rank(MPI_COMM_WORLD, rank) == MPI_SUCCESS &&
           MPI_Comm_size(MPI_COMM_WORLD, count) == MPI_SUCCESS;
}

static bool begin(int slot, ranks_operation operation, void *data, size_t count) {
    if (count > INT_MAX) return false;
    int n = (int)count, result = MPI_ERR_OTHER;
    MPI_Request *request = &requests[slot];
    switch (operation) {
    case RANKS_SUM_FLOATS:
        result = MPI_Iallreduce(MPI_IN_PLACE, data, n, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD, request);
        break;
    case RANKS_SUM_DOUBLES:
        result =
            MPI_Iallreduce(MPI_IN_PLACE, data, n, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD, request);
        break;
    case RANKS_BROADCAST:
        result = MPI_Ibcast(data, n, MPI_BYTE, 0, MPI_COMM_WORLD, request);
        break;
    case RANKS_GATHER:
        result = MPI_Iallgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, data, n, MPI_BYTE,
                                MPI_COMM_WORLD, request);
        break;
    }
    return result == MPI_SUCCESS;
}

static bool test(int slot, bool *done) {
    int flag = 0;
    bool fine = MPI_Test(&requests[slot], &flag, MPI_STATUS_IGNORE) == MPI_SUCCESS;
    *done = flag != 0;
    return fine;
}

static void finish(void) {
    MPI_Finalize();
}

static void abort_all(void) {
    MPI_Abort(MPI_COMM_WORLD, 1);
}

__attribute__((visibility("default"))) extern const ranks_engine lull_ranks_engine;
const ranks_engine lull_ranks_engine = {LULL_VERSION, start, begin, test, finish, abort_all};
