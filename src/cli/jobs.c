/* Which input becomes which output. */
#include "cli/jobs.h"

#include "base/error.h"
#include "base/folder.h"
#include "base/memory.h"
#include "base/os_file.h"
#include "cli/own.h"
#include "cli/paths.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static bool is_array(const char *path) {
    const char *dot = strrchr(path, '.');
    return dot != NULL && strcasecmp(dot, ".npy") == 0;
}

static lull_status add_input(cli_jobs *jobs, const char *path, lull_error *error) {
    if (!base_grow((void **)&jobs->list, &jobs->capacity, jobs->count + 1, sizeof *jobs->list))
        return base_no_memory(error);
    cli_job *job = &jobs->list[jobs->count];
    job->output = job->trace = NULL;
    job->input = base_strdup(path);
    if (job->input == NULL) return base_no_memory(error);
    jobs->count++;
    return LULL_OK;
}

/* What a folder stands for: no folders in it, and no pipes or devices, which might never end. What
 * cannot be looked at is wanted: opening it says why. */
static bool may_be_file(const char *path) {
    os_facts facts;
    return os_facts_of(path, &facts) != 0 || facts.kind == OS_FILE;
}

static lull_status add_folder(cli_jobs *jobs, const char *folder, bool arrays, lull_error *error) {
    base_folder entries;
    const size_t before = jobs->count;
    lull_status status = base_folder_list(folder, &entries, error);
    for (size_t i = 0; i < entries.count && status == LULL_OK; i++) {
        char path[PATH_MAX];
        const char *name = entries.names[i];
        const char *slash = folder[strlen(folder) - 1] == '/' ? "" : "/";
        const bool wanted =
            name[0] != '.' && (cli_is_recording(name) || (arrays && is_array(name)));
        if (wanted && snprintf(path, sizeof path, "%s%s%s", folder, slash, name) < PATH_MAX &&
            may_be_file(path))
            status = add_input(jobs, path, error);
    }
    base_folder_free(&entries);
    if (status == LULL_OK && jobs->count == before)
        return base_fail(error, LULL_IO, "%s: no %s in this folder", folder,
                         arrays ? ".npy files or recordings" : "recordings");
    return status;
}

/* folder NULL = the current one. */
static lull_status name_output(cli_job *job, const char *folder, const char *ending,
                               lull_error *error) {
    char path[PATH_MAX];
    const char *base = cli_name_of(job->input);
    const int stem = (int)cli_stem(base);
    const char *mark =
        folder == NULL && cli_is_recording(base) && cli_is_recording(ending) ? "-lull" : "";
    const char *slash = folder == NULL || folder[strlen(folder) - 1] == '/' ? "" : "/";
    int length = snprintf(path, sizeof path, "%s%s%.*s%s%s", folder != NULL ? folder : "", slash,
                          stem, base, mark, ending);
    if (length >= (int)sizeof path)
        return base_fail(error, LULL_INVALID, "%s: the name is too long", job->input);
    job->output = base_strdup(path);
    return job->output != NULL ? LULL_OK : base_no_memory(error);
}

static int by_output(const void *a, const void *b) {
    return strcmp(((const cli_job *)a)->output, ((const cli_job *)b)->output);
}

static bool same_file(const char *a, const char *b) {
    os_facts first, second;
    if (os_facts_of(a, &first) != 0 || os_facts_of(b, &second) != 0) return false;
    return first.kind == OS_FILE && first.device == second.device && first.number == second.number;
}

/* chosen: the names were made here. */
static lull_status check_outputs(const cli_jobs *jobs, bool chosen, bool force, lull_error *error) {
    lull_status status = LULL_OK;
    cli_job *sorted = base_alloc(jobs->count, sizeof *sorted);
    if (sorted == NULL) return base_no_memory(error);
    for (size_t i = 0; i < jobs->count; i++) {
        sorted[i] = jobs->list[i];
        if (same_file(sorted[i].input, sorted[i].output) && status == LULL_OK)
            status = base_fail(error, LULL_INVALID, "%s: the output would replace its own input",
                               sorted[i].input);
    }
    for (size_t i = 0; i < jobs->count && status == LULL_OK && chosen; i++)
        status = cli_may_write(sorted[i].output, force, error);
    qsort(sorted, jobs->count, sizeof *sorted, by_output);
    for (size_t i = 1; i < jobs->count && status == LULL_OK; i++) {
        if (strcmp(sorted[i - 1].output, sorted[i].output) == 0)
            status = base_fail(error, LULL_INVALID, "%s and %s would both become %s",
                               sorted[i - 1].input, sorted[i].input, sorted[i].output);
    }
    base_free(sorted);
    return status;
}

/* Where outputs go: a file (or "-"), a folder, or NULL for the current one. */
static lull_status name_outputs(cli_jobs *jobs, bool several, const char *output,
                                const char *ending, lull_error *error) {
    const char *folder = NULL;
    if (output != NULL && (several || cli_is_folder(output) || output[strlen(output) - 1] == '/')) {
        if (strcmp(output, "-") == 0)
            return base_fail(error, LULL_INVALID, "several inputs cannot go to standard output");
        if (!cli_is_folder(output) && access(output, F_OK) == 0)
            return base_fail(error, LULL_IO,
                             "%s: is a file, a folder was expected for several inputs", output);
        lull_status status = cli_make_folders(output, error);
        if (status != LULL_OK) return status;
        folder = output;
    }
    for (size_t i = 0; i < jobs->count; i++) {
        cli_job *job = &jobs->list[i];
        if (output != NULL && folder == NULL) {
            job->output = base_strdup(output);
            if (job->output == NULL) return base_no_memory(error);
            continue;
        }
        if (strcmp(job->input, "-") == 0)
            return base_fail(error, LULL_INVALID,
                             "frames from standard input want -o FILE or -o -");
        lull_status status = name_output(job, folder, ending, error);
        if (status != LULL_OK) return status;
    }
    return LULL_OK;
}

lull_status cli_jobs_make(char **operands, int count, const char *output, const char *ending,
                          bool arrays, bool force, cli_jobs *jobs, lull_error *error) {
    lull_status status = LULL_OK;
    bool several = count > 1;
    *jobs = (cli_jobs){NULL, 0, 0};
    for (int i = 0; i < count && status == LULL_OK; i++) {
        if (cli_is_folder(operands[i])) {
            several = true;
            status = add_folder(jobs, operands[i], arrays, error);
        } else {
            status = add_input(jobs, operands[i], error);
        }
    }
    if (status == LULL_OK) status = name_outputs(jobs, several, output, ending, error);
    bool typed = output != NULL && !several && !cli_is_folder(output);
    if (status == LULL_OK && typed && strcmp(ending, ".npy") == 0)
        status = cli_check_ending(output, ".npy or .npz", error);
    if (status == LULL_OK && typed && strcmp(ending, ".png") == 0)
        status = cli_check_ending(output, ".png", error);
    if (status == LULL_OK) status = check_outputs(jobs, !typed, force, error);
    if (status != LULL_OK) cli_jobs_free(jobs);
    return status;
}

lull_status cli_jobs_trace(cli_jobs *jobs, const char *folder, lull_error *error) {
    for (size_t i = 0; i < jobs->count; i++) {
        char path[PATH_MAX];
        const char *base = cli_name_of(jobs->list[i].output);
        const int stem = (int)cli_stem(base);
        if (snprintf(path, sizeof path, "%s/%.*s", folder, stem, base) >= (int)sizeof path)
            return base_fail(error, LULL_INVALID, "%s: the name is too long", folder);
        jobs->list[i].trace = base_strdup(path);
        if (jobs->list[i].trace == NULL) return base_no_memory(error);
    }
    return LULL_OK;
}

void cli_jobs_free(cli_jobs *jobs) {
    for (size_t i = 0; i < jobs->count; i++) {
        base_free(jobs->list[i].input);
        base_free(jobs->list[i].output);
        base_free(jobs->list[i].trace);
    }
    base_free(jobs->list);
    *jobs = (cli_jobs){NULL, 0, 0};
}
