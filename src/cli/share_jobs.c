/* Who does which file: see share_jobs.h. */
#include "cli/share_jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "cli/input.h"
#include "cli/paths.h"
#include "recording/audio_file.h"
#include "io/npy.h"

typedef struct priced {
    const cli_job *job;
    double cost; /* seconds of audio */
    size_t place;
} priced;

/* A file that cannot be read costs nothing: who gets it will say so. */
static double cost_of(const cli_job *job, const mel_convention *convention) {
    recording_info info;
    size_t count = 0;
    if (strcmp(job->input, "-") == 0) return 0.0;
    if (cli_is_npy(job->input)) {
        if (npy_count(job->input, &count, NULL) != LULL_OK) return 0.0;
        return (double)count / convention->bands * convention->hop / convention->sample_rate;
    }
    if (recording_file_info(job->input, &info, NULL) != LULL_OK || info.rate < 1) return 0.0;
    return (double)info.frames / info.rate;
}

static int by_cost(const void *a, const void *b) {
    const priced *one = a, *other = b;
    if (one->cost != other->cost) return one->cost < other->cost ? 1 : -1;
    return one->place < other->place ? -1 : one->place > other->place;
}

void cli_divide(const double *costs, size_t count, int ranks, double *load, int *owner) {
    for (int i = 0; i < ranks; i++) load[i] = 0.0;
    for (size_t i = 0; i < count; i++) {
        int least = 0;
        for (int j = 1; j < ranks; j++)
            if (load[j] < load[least]) least = j;
        owner[i] = least;
        load[least] += costs[i];
    }
}

static lull_status add(cli_jobs *jobs, const char *input, const char *output, const char *trace,
                       lull_error *error) {
    if (!base_grow((void **)&jobs->list, &jobs->capacity, jobs->count + 1, sizeof *jobs->list))
        return base_no_memory(error);
    cli_job *job = &jobs->list[jobs->count++];
    *job = (cli_job){base_strdup(input), base_strdup(output), *trace ? base_strdup(trace) : NULL};
    return job->input && job->output && (job->trace || !*trace) ? LULL_OK : base_no_memory(error);
}

/* ---- rank 0: the list as text, four strings a file: owner, input, output, trace ------------ */

typedef struct text {
    char *bytes;
    size_t used, capacity;
} text;

static bool append(text *t, const char *string) {
    size_t n = strlen(string) + 1;
    if (!base_grow((void **)&t->bytes, &t->capacity, t->used + n, 1)) return false;
    memcpy(t->bytes + t->used, string, n);
    t->used += n;
    return true;
}

static bool write_list(const priced *files, const int *owner, size_t count, text *t) {
    for (size_t i = 0; i < count; i++) {
        char number[16];
        const cli_job *job = files[i].job;
        snprintf(number, sizeof number, "%d", owner[i]);
        if (!append(t, number) || !append(t, job->input) || !append(t, job->output) ||
            !append(t, job->trace != NULL ? job->trace : ""))
            return false;
    }
    return true;
}

static lull_status divide(const cli_jobs *all, const mel_convention *convention, int ranks,
                          bool skip_existing, text *t, size_t *skipped, lull_error *error) {
    priced *files = base_alloc(all->count, sizeof *files);
    double *costs = base_alloc(all->count, sizeof *costs);
    double *load = base_alloc((size_t)ranks, sizeof *load);
    int *owner = base_alloc(all->count, sizeof *owner);
    lull_status status = LULL_OK;
    size_t count = 0;
    if (!files || !costs || !load || !owner) {
        status = base_no_memory(error);
        goto done;
    }
    for (size_t i = 0; i < all->count; i++) {
        const cli_job *job = &all->list[i];
        if (skip_existing && cli_is_file(job->output))
            ++*skipped;
        else
            files[count++] = (priced){job, cost_of(job, convention), i};
    }
    qsort(files, count, sizeof *files, by_cost);
    for (size_t i = 0; i < count; i++) costs[i] = files[i].cost;
    cli_divide(costs, count, ranks, load, owner);
    if (!write_list(files, owner, count, t)) status = base_no_memory(error);
done:
    base_free(files);
    base_free(costs);
    base_free(load);
    base_free(owner);
    return status;
}

/* ---- all ranks ---------------------------------------------------------------------------- */

static lull_status take_mine(const char *bytes, size_t size, int rank, cli_jobs *mine,
                             lull_error *error) {
    lull_status status = LULL_OK;
    for (size_t at = 0; at < size && status == LULL_OK;) {
        const char *field[4];
        for (int i = 0; i < 4; i++) {
            field[i] = bytes + at;
            at += strlen(field[i]) + 1;
        }
        if (atoi(field[0]) == rank) status = add(mine, field[1], field[2], field[3], error);
    }
    return status;
}

static lull_status copy_all(const cli_jobs *all, cli_jobs *mine, lull_error *error) {
    lull_status status = LULL_OK;
    for (size_t i = 0; i < all->count && status == LULL_OK; i++) {
        const cli_job *job = &all->list[i];
        status = add(mine, job->input, job->output, job->trace != NULL ? job->trace : "", error);
    }
    return status;
}

lull_status cli_jobs_share(ranks *ranks, const cli_jobs *all, const mel_convention *convention,
                           bool skip_existing, cli_jobs *mine, size_t *total, size_t *skipped,
                           lull_error *error) {
    text list = {0};
    lull_status status = LULL_OK;
    uint64_t counts[2] = {0};
    bool first = ranks_rank(ranks) == 0;
    *mine = (cli_jobs){NULL, 0, 0};
    *skipped = 0;
    *total = all->count;
    if (ranks == NULL) return copy_all(all, mine, error);
    if (first)
        status = divide(all, convention, ranks_count(ranks), skip_existing, &list, skipped, error);
    counts[0] = all->count;
    counts[1] = *skipped;
    status = ranks_agree(ranks, status, error);
    if (status == LULL_OK) status = ranks_broadcast(ranks, counts, sizeof counts, error);
    void *bytes = list.bytes;
    size_t size = list.used;
    if (status == LULL_OK) status = ranks_share(ranks, &bytes, &size, error);
    if (status == LULL_OK) {
        status = take_mine(bytes, size, ranks_rank(ranks), mine, error);
        if (!first) base_free(bytes);
        status = ranks_agree(ranks, status, error);
    }
    base_free(list.bytes);
    *total = (size_t)counts[0];
    *skipped = first ? (size_t)counts[1] : 0;
    return status;
}
