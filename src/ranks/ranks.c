/* The ranks of a run and the thread that speaks for this one: see ranks.h. */
#include "ranks/ranks.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/os_file.h"
#include "base/os_library.h"
#include "base/os_thread.h"
#include "base/place.h"
#include "base/memory.h"
#include "base/clock.h"
#include "io/file_bytes.h"
#include "ranks/engine.h"

enum {
    EAGER_LOOKS = 20,          /* without a nap, after something has happened */
    PIECE = 1 << 30,           /* of large broadcasts */
    SHORT_NAP_NS = 20 * 1000,  /* between looks while others are expected any moment */
    LONG_NAP_NS = 1000 * 1000, /* … after PATIENCE */
    HOST_SIZE = 64,
    MESSAGE_SIZE = LULL_MESSAGE_SIZE
};
static const double PATIENCE = 0.05;

typedef struct command {
    ranks_operation operation;
    void *data;
    size_t count;
    atomic_size_t *missing;
} command;

struct ranks {
    const ranks_engine *engine;
    int rank, count;
    char host[HOST_SIZE];
    bool broken; /* the caller's: an operation failed */

    pthread_t thread;
    sem_t wake;
    atomic_bool leaving, aborting;
    /* A ring that the caller fills and the thread empties. */
    command commands[RANKS_SLOTS];
    _Atomic uint64_t posted;
    /* The thread's. */
    uint64_t begun, ended;
    bool open[RANKS_SLOTS];
    double busy_since;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    uint64_t completed;
    double busy;
    bool started, failed;
};

/* ---- what is known without MPI ------------------------------------------------------------ */

static int environment(const char *const *names, int fallback) {
    for (; *names != NULL; names++) {
        const char *text = getenv(*names);
        char *end = NULL;
        long value = text != NULL ? strtol(text, &end, 10) : -1;
        if (text != NULL && end != text && value >= 0 && value <= INT_MAX) return (int)value;
    }
    return fallback;
}

/* Open MPI, MPICH and its relatives, Slurm's srun. */
static int world_size(void) {
    static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", NULL};
    static const char *const slurm[] = {"SLURM_NTASKS", NULL};
    if (getenv("PMIX_RANK") != NULL && getenv("OMPI_COMM_WORLD_SIZE") == NULL)
        return environment(slurm, 1);
    return environment(sizes, 1);
}

int ranks_cores(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS",
                                        "SLURM_NTASKS_PER_NODE", NULL};
    int all = os_processors(), own = os_processors_of_process();
    if (own == all && world_size() > 1)
        own /= environment(names, 1) > 0 ? environment(names, 1) : 1;
    return own < 1 ? 1 : own > 64 ? 64 : own;
}

int ranks_rank(const ranks *ranks) {
    return ranks != NULL ? ranks->rank : 0;
}

int ranks_count(const ranks *ranks) {
    return ranks != NULL ? ranks->count : 1;
}

/* ---- the thread that owns MPI ------------------------------------------------------------- */

static void nap(long nanoseconds) {
    const struct timespec time = {0, nanoseconds};
    nanosleep(&time, NULL);
}

static void tell(ranks *r, bool started, bool failed) {
    pthread_mutex_lock(&r->lock);
    r->completed = r->ended;
    r->started = r->started || started;
    r->failed = r->failed || failed;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

/* Starts what may start, in the order in which it was handed over. */
static bool begin_ready(ranks *r, bool *moved) {
    while (r->begun < atomic_load(&r->posted)) {
        const command *c = &r->commands[r->begun % RANKS_SLOTS];
        if (c->missing != NULL && atomic_load(c->missing) > 0) break;
        int slot = (int)(r->begun % RANKS_SLOTS);
        if (r->begun == r->ended) r->busy_since = base_now();
        if (!r->engine->begin(slot, c->operation, c->data, c->count)) return false;
        r->open[slot] = true;
        r->begun++;
        *moved = true;
    }
    return true;
}

/* Looks after what is under way; r->ended passes those that are through. */
static bool look(ranks *r, bool *moved) {
    for (uint64_t i = r->ended; i < r->begun; i++) {
        int slot = (int)(i % RANKS_SLOTS);
        bool done = false;
        if (!r->open[slot]) continue;
        if (!r->engine->test(slot, &done)) return false;
        if (done) r->open[slot] = false;
        *moved = *moved || done;
    }
    uint64_t before = r->ended;
    while (r->ended < r->begun && !r->open[r->ended % RANKS_SLOTS]) r->ended++;
    if (r->ended == before) return true;
    if (r->ended == r->begun) {
        pthread_mutex_lock(&r->lock);
        r->busy += base_now() - r->busy_since;
        pthread_mutex_unlock(&r->lock);
    }
    tell(r, false, false);
    return true;
}

static bool serve(ranks *r) {
    double last = base_now();
    int eager = 0;
    while (!atomic_load(&r->leaving) || r->begun < atomic_load(&r->posted) || r->ended < r->begun) {
        bool moved = false;
        if (atomic_load(&r->aborting)) r->engine->abort();
        if (!begin_ready(r, &moved) || !look(r, &moved)) return false;
        if (moved) {
            last = base_now();
            eager = EAGER_LOOKS;
        } else if (r->ended == r->begun) {
            while (sem_wait(&r->wake) != 0 && errno == EINTR) {
            }
            last = base_now();
        } else if (eager > 0) {
            eager--;
            sched_yield();
        } else {
            nap(base_now() - last < PATIENCE ? SHORT_NAP_NS : LONG_NAP_NS);
        }
    }
    return true;
}

static void *speak_mpi(void *context) {
    ranks *r = context;
    os_thread_naps_exactly();
    if (!r->engine->start(&r->rank, &r->count)) {
        tell(r, true, true);
        return NULL;
    }
    tell(r, true, false);
    if (serve(r))
        r->engine->finish();
    else
        tell(r, true, true);
    return NULL;
}

/* ---- joining and leaving ------------------------------------------------------------------ */

/* $LULL_MPI_MODULE; else the build folder's for the program there, the one installed with the program for any other. */
static const ranks_engine *load_engine(lull_error *error) {
#ifndef LULL_MPI_BUILT_MODULE
    base_fail(error, LULL_UNSUPPORTED,
              "started by mpirun, but this build has no MPI: install libopenmpi-dev (or "
              "libmpich-dev) and build again");
    return NULL;
#else
    const char *path = getenv("LULL_MPI_MODULE"),
               *problem = "the system does not say where the program is";
    char beside[PATH_MAX];
    if (path == NULL && base_in_build_folder()) path = LULL_MPI_BUILT_MODULE;
    if (path == NULL && base_beside_program(LULL_MPI_FROM_PROGRAM, beside, sizeof beside))
        path = beside;
    if (path != NULL) {
        /* MPI's own plug-ins look for its symbols in the whole program. */
        os_library *module = os_library_open_for_all(path);
        problem = module == NULL ? os_library_error() : "of another version of lull";
        const ranks_engine *engine =
            module != NULL ? os_library_symbol(module, RANKS_ENGINE_SYMBOL) : NULL;
        if (engine != NULL && strcmp(engine->version, LULL_VERSION) == 0) return engine;
    }
    base_fail(error, LULL_UNSUPPORTED, "started by mpirun, but MPI cannot be loaded: %s: %s",
              path != NULL ? path : "no module", problem);
    return NULL;
#endif
}

static lull_status lost(lull_error *error) {
    return base_fail(error, LULL_IO, "the connection to another rank was lost");
}

static void free_ranks(ranks *r) {
    if (r == NULL) return;
    sem_destroy(&r->wake);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    base_free(r);
}

lull_status ranks_join(ranks **result, lull_error *error) {
    *result = NULL;
    if (world_size() < 2) return LULL_OK;
    const ranks_engine *engine = load_engine(error);
    if (engine == NULL) return LULL_UNSUPPORTED;
    ranks *r = base_alloc(1, sizeof *r);
    if (r == NULL) return base_no_memory(error);
    r->engine = engine;
    gethostname(r->host, sizeof r->host - 1);
    sem_init(&r->wake, 0, 0);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    sigset_t all, before; /* signals are the caller's thread's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int problem = pthread_create(&r->thread, NULL, speak_mpi, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (problem != 0) {
        free_ranks(r);
        return base_fail(error, LULL_NO_MEMORY, "the thread for MPI could not be started");
    }
    pthread_mutex_lock(&r->lock);
    while (!r->started) pthread_cond_wait(&r->changed, &r->lock);
    bool failed = r->failed;
    pthread_mutex_unlock(&r->lock);
    if (failed) {
        pthread_join(r->thread, NULL);
        free_ranks(r);
        return base_fail(error, LULL_UNSUPPORTED, "MPI did not start");
    }
    *result = r;
    return LULL_OK;
}

void ranks_leave(ranks *r, bool together) {
    if (r == NULL) return;
    /* A thread that has failed is in no state to say good-bye. */
    if (!together && !r->broken) atomic_store(&r->aborting, true);
    atomic_store(&r->leaving, true);
    sem_post(&r->wake);
    pthread_join(r->thread, NULL);
    free_ranks(r);
}

/* ---- handing over ------------------------------------------------------------------------- */

static lull_status wait_until(ranks *r, uint64_t number, lull_error *error) {
    pthread_mutex_lock(&r->lock);
    while (r->completed < number && !r->failed) pthread_cond_wait(&r->changed, &r->lock);
    r->broken = r->failed;
    pthread_mutex_unlock(&r->lock);
    return r->broken ? lost(error) : LULL_OK;
}

static void post(ranks *r, ranks_operation operation, void *data, size_t count,
                 atomic_size_t *missing) {
    uint64_t number = atomic_load(&r->posted);
    if (number >= RANKS_SLOTS) (void)wait_until(r, number - RANKS_SLOTS + 1, NULL);
    r->commands[number % RANKS_SLOTS] = (command){operation, data, count, missing};
    atomic_store(&r->posted, number + 1);
    sem_post(&r->wake);
}

void ranks_begin_sum(ranks *r, float *data, size_t count, atomic_size_t *missing) {
    post(r, RANKS_SUM_FLOATS, data, count, missing);
}

void ranks_wake(ranks *r) {
    sem_post(&r->wake);
}

lull_status ranks_wait(ranks *r, lull_error *error) {
    return r != NULL ? wait_until(r, atomic_load(&r->posted), error) : LULL_OK;
}

double ranks_busy(ranks *r) {
    if (r == NULL) return 0.0;
    pthread_mutex_lock(&r->lock);
    double busy = r->busy;
    pthread_mutex_unlock(&r->lock);
    return busy;
}

lull_status ranks_broadcast(ranks *r, void *data, size_t bytes, lull_error *error) {
    if (r == NULL) return LULL_OK;
    for (size_t at = 0; at < bytes; at += PIECE)
        post(r, RANKS_BROADCAST, (char *)data + at, bytes - at < PIECE ? bytes - at : PIECE, NULL);
    return ranks_wait(r, error);
}

lull_status ranks_gather(ranks *r, const void *mine, size_t bytes, void *all, lull_error *error) {
    memcpy((char *)all + (size_t)ranks_rank(r) * bytes, mine, bytes);
    if (r == NULL) return LULL_OK;
    post(r, RANKS_GATHER, all, bytes, NULL);
    return ranks_wait(r, error);
}

lull_status ranks_sum(ranks *r, double *values, size_t count, lull_error *error) {
    if (r == NULL) return LULL_OK;
    post(r, RANKS_SUM_DOUBLES, values, count, NULL);
    return ranks_wait(r, error);
}

lull_status ranks_share(ranks *r, void **data, size_t *bytes, lull_error *error) {
    uint64_t size = *bytes;
    lull_status status = ranks_broadcast(r, &size, sizeof size, error);
    if (status || r == NULL) return status;
    lull_error own = {0};
    if (r->rank > 0) {
        *data = base_alloc((size_t)size + 1, 1);
        *bytes = (size_t)size;
        if (*data == NULL) status = base_no_memory(&own);
    }
    status = ranks_agree(r, status, &own);
    if (status) {
        if (r->rank > 0) base_free(*data);
        if (error != NULL) *error = own;
        return status;
    }
    return ranks_broadcast(r, *data, (size_t)size, error);
}

/* ---- being of one mind -------------------------------------------------------------------- */

typedef struct verdict {
    int status;
    char host[HOST_SIZE], message[MESSAGE_SIZE];
} verdict;

lull_status ranks_agree(ranks *r, lull_status status, lull_error *error) {
    if (r == NULL || r->broken) return status;
    double failed = status != LULL_OK;
    lull_status problem = ranks_sum(r, &failed, 1, error);
    if (problem) return problem;
    if (failed == 0.0) return LULL_OK;
    verdict mine = {(int)status, "", ""};
    memcpy(mine.host, r->host, sizeof mine.host);
    if (status && error != NULL) memcpy(mine.message, error->message, sizeof mine.message);
    verdict *all = base_alloc((size_t)r->count, sizeof *all);
    if (all == NULL) {
        r->broken = true;
        return base_no_memory(error);
    }
    problem = ranks_gather(r, &mine, sizeof mine, all, error);
    for (int i = 0; i < r->count && !problem; i++) {
        if (all[i].status == LULL_OK) continue;
        if (i == 0)
            problem = (base_fail)(error, (lull_status)all[i].status, "%s", all[i].message);
        else
            problem = (base_fail)(error, (lull_status)all[i].status, "rank %d (%s): %s", i,
                                  all[i].host, all[i].message);
    }
    base_free(all);
    return problem;
}

/* FNV-1a, eight bytes at a time and the rest one by one. */
static uint64_t hash_bytes(const void *data, size_t bytes) {
    const unsigned char *at = data;
    uint64_t hash = 0xcbf29ce484222325u, word;
    for (; bytes >= 8; bytes -= 8, at += 8) {
        memcpy(&word, at, 8);
        hash = (hash ^ word) * 0x100000001b3u;
        hash ^= hash >> 32;
    }
    while (bytes-- > 0) hash = (hash ^ *at++) * 0x100000001b3u;
    return hash;
}

lull_status ranks_same_program(ranks *r, lull_error *error) {
    if (r == NULL) return LULL_OK;
    struct {
        char version[32];
        uint64_t hash;
    } mine = {LULL_VERSION, 0}, first;
    file_bytes program = {0};
    lull_error own = {0};
    char path[PATH_MAX];
    lull_status status =
        os_program_path(path, sizeof path)
            ? file_bytes_read_regular(path, &program, &own)
            : base_fail(&own, LULL_IO, "the system does not say where the program is");
    if (!status) mine.hash = hash_bytes(program.data, program.size);
    file_bytes_free(&program);
    status = ranks_agree(r, status, &own);
    first = mine;
    if (!status) status = ranks_broadcast(r, &first, sizeof first, &own);
    if (!status && strcmp(first.version, mine.version) != 0)
        status = base_fail(&own, LULL_MISMATCH, "runs lull %s, rank 0 runs lull %s", mine.version,
                           first.version);
    else if (!status && first.hash != mine.hash)
        status = base_fail(&own, LULL_MISMATCH,
                           "runs another build of lull %s than rank 0: put the same program on all "
                           "machines",
                           mine.version);
    status = ranks_agree(r, status, &own);
    if (status && error != NULL) *error = own;
    return status;
}

/* The line that begins at `text`, cut to `size`. */
static const char *one_line(const char *text, char *line, size_t size) {
    while (*text == ' ' || *text == '\t') text++;
    size_t n = strcspn(text, "\n");
    if (n > 0 && text[n - 1] == ',') n--;
    snprintf(line, size, "%.*s", (int)(n < size ? n : size - 1), text);
    for (char *tab = line; (tab = strchr(tab, '\t')) != NULL;) *tab = ' ';
    return *line ? line : "nothing";
}

static lull_status compare(const char *what, const char *mine, const char *first,
                           lull_error *error) {
    if (strcmp(mine, first) == 0) return LULL_OK;
    char own[120], other[120];
    size_t at = 0, begin = 0;
    for (; mine[at] == first[at]; at++)
        if (mine[at] == '\n') begin = at + 1;
    return base_fail(error, LULL_MISMATCH, "another %s than rank 0's: %s here, %s there", what,
                     one_line(mine + begin, own, sizeof own),
                     one_line(first + begin, other, sizeof other));
}

lull_status ranks_same_text(ranks *r, const char *what, const char *text, lull_error *error) {
    if (r == NULL) return LULL_OK;
    void *first = NULL;
    size_t size = strlen(text) + 1;
    lull_error own = {0};
    lull_status status = LULL_OK;
    if (r->rank == 0 && (first = base_strdup(text)) == NULL) status = base_no_memory(&own);
    status = ranks_agree(r, status, &own);
    if (!status) {
        status = ranks_share(r, &first, &size, &own);
        if (status) first = NULL;
        if (first != NULL) status = compare(what, text, first, &own);
        status = ranks_agree(r, status, &own);
    }
    base_free(first);
    if (status && error != NULL) *error = own;
    return status;
}
