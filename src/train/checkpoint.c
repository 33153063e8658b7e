/* Checkpoints: see checkpoint.h. */
#include "train/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/folder.h"
#include "base/memory.h"
#include "io/json.h"

enum { VECTORS = 4, PATH_SIZE = 4352 };

static const char *const prefixes[VECTORS] = {"weights.", "ema.", "adam.m.", "adam.v."};

static model_parameters *vector_of(const train_state *state, int i) {
    model_parameters *vectors[VECTORS] = {state->weights, state->average, state->m, state->v};
    return vectors[i];
}

lull_status train_state_new(const model_config *config, train_state *state, lull_error *error) {
    memset(state, 0, sizeof *state);
    model_parameters **vectors[VECTORS] = {&state->weights, &state->average, &state->m, &state->v};
    for (int i = 0; i < VECTORS; i++) {
        lull_status status = model_parameters_new(config, vectors[i], error);
        if (status) return status;
    }
    return LULL_OK;
}

void train_state_free(train_state *state) {
    for (int i = 0; i < VECTORS; i++) model_parameters_free(vector_of(state, i));
    memset(state, 0, sizeof *state);
}

bool train_state_finite(const train_state *state) {
    double sum = 0.0; /* a NaN or infinity survives multiplication with 0 */
    for (size_t i = 0; i < state->weights->size; i++)
        sum += 0.0 * (double)state->weights->data[i] + 0.0 * (double)state->average->data[i];
    return isfinite(sum);
}

/* ---- the numbers -------------------------------------------------------------------------- */

static char *print_progress(const train_progress *p) {
    char text[512];
    snprintf(
        text, sizeof text,
        "{\"format\":1,\"step\":%llu,\"updates\":%llu,\"skipped\":%llu,\"skipped_in_a_row\":%llu,"
        "\"crops\":%llu,\"log_bytes\":%llu,\"audio_seconds\":%.17g,\"elapsed\":%.17g}",
        (unsigned long long)p->step, (unsigned long long)p->updates, (unsigned long long)p->skipped,
        (unsigned long long)p->skipped_in_a_row, (unsigned long long)p->crops,
        (unsigned long long)p->log_bytes, p->audio_seconds, p->elapsed);
    return base_strdup(text);
}

static lull_status parse_progress(const char *text, const char *path, train_progress *p,
                                  lull_error *error) {
    yyjson_doc *tree = NULL;
    if (text == NULL)
        return base_fail(error, LULL_FORMAT, "%s: is not a checkpoint: no \"run\" metadata", path);
    lull_status status = json_parse(text, strlen(text), path, &tree, error);
    if (status) return status;
    static const char *const names[] = {"step",  "updates",   "skipped",       "skipped_in_a_row",
                                        "crops", "log_bytes", "audio_seconds", "elapsed"};
    double values[8] = {0};
    for (int i = 0; i < 8 && !status; i++) {
        yyjson_val *item = yyjson_obj_get(yyjson_doc_get_root(tree), names[i]);
        values[i] = yyjson_is_num(item) ? yyjson_get_num(item) : -1;
        if (!(values[i] >= 0 && values[i] <= 9e15))
            status = base_fail(error, LULL_FORMAT, "%s: run.%s is missing or out of range", path,
                               names[i]);
    }
    yyjson_doc_free(tree);
    if (status) return status;
    *p = (train_progress){.step = (uint64_t)values[0],
                          .updates = (uint64_t)values[1],
                          .skipped = (uint64_t)values[2],
                          .skipped_in_a_row = (uint64_t)values[3],
                          .crops = (uint64_t)values[4],
                          .log_bytes = (uint64_t)values[5],
                          .audio_seconds = values[6],
                          .elapsed = values[7]};
    return LULL_OK;
}

/* ---- writing ------------------------------------------------------------------------------ */

lull_status train_checkpoint_write(const char *run, const model_config *config,
                                   const train_state *state, lull_error *error) {
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/checkpoints/%07llu.safetensors", run,
             (unsigned long long)state->progress.step);
    size_t tensors = state->weights->tensor_count, count = VECTORS * tensors;
    safetensors_entry *entries = base_alloc(count, sizeof *entries);
    char(*names)[112] = base_alloc(count, sizeof *names);
    char *model_text = model_config_print(config),
         *progress_text = print_progress(&state->progress);
    lull_status status = LULL_OK;
    if (!entries || !names || !model_text || !progress_text) {
        status = base_no_memory(error);
        goto done;
    }
    for (int v = 0; v < VECTORS; v++)
        for (size_t i = 0; i < tensors; i++) {
            const model_tensor *tensor = &state->weights->tensors[i];
            size_t at = (size_t)v * tensors + i;
            char own[MODEL_TENSOR_NAME];
            snprintf(names[at], sizeof names[at], "%s%s", prefixes[v],
                     model_tensor_name(tensor, own));
            entries[at].name = names[at];
            entries[at].dtype = SAFETENSORS_F32;
            entries[at].dimensions = tensor->dimensions;
            memcpy(entries[at].shape, tensor->shape, sizeof tensor->shape);
            entries[at].data = vector_of(state, v)->data + tensor->offset;
        }
    const char *keys[] = {"lull", "run"}, *values[] = {model_text, progress_text};
    status = safetensors_write(path, entries, count, keys, values, 2, error);
done:
    base_free(entries);
    base_free(names);
    base_free(model_text);
    base_free(progress_text);
    return status;
}

/* ---- the folder --------------------------------------------------------------------------- */

/* The step of a checkpoint's file name, or -1. */
static long long step_of(const char *name) {
    char *end = NULL;
    if (name[0] < '0' || name[0] > '9') return -1;
    long long step = strtoll(name, &end, 10);
    return strcmp(end, ".safetensors") == 0 ? step : -1;
}

static int newest_first(const void *a, const void *b) {
    long long left = *(const long long *)a, right = *(const long long *)b;
    return (left < right) - (left > right);
}

/* Steps of the checkpoints there are, newest first; *steps is base_free'd after a failure, too. */
static lull_status list(const char *run, long long **steps, size_t *count, lull_error *error) {
    char folder[PATH_SIZE];
    size_t capacity = 0;
    base_folder entries;
    snprintf(folder, sizeof folder, "%s/checkpoints", run);
    *steps = NULL;
    *count = 0;
    lull_status status = base_folder_list(folder, &entries, error);
    if (status == LULL_IO) status = LULL_OK; /* of a run that has none yet there is no folder */
    for (size_t i = 0; i < entries.count && !status; i++) {
        long long step = step_of(entries.names[i]);
        if (step < 0) continue;
        if (base_grow((void **)steps, &capacity, *count + 1, sizeof **steps))
            (*steps)[(*count)++] = step;
        else
            status = base_no_memory(error);
    }
    base_folder_free(&entries);
    if (*count > 0) qsort(*steps, *count, sizeof **steps, newest_first);
    return status;
}

static void path_of(const char *run, long long step, char *path) {
    snprintf(path, PATH_SIZE, "%s/checkpoints/%07lld.safetensors", run, step);
}

void train_checkpoint_prune(const char *run, int keep) {
    size_t count;
    char path[PATH_SIZE];
    long long *steps;
    const lull_status status = list(run, &steps, &count, NULL);
    for (size_t i = (size_t)keep; i < count && !status; i++) {
        path_of(run, steps[i], path);
        unlink(path);
    }
    base_free(steps);
}

lull_status train_checkpoint_exists(const char *run, bool *exists, lull_error *error) {
    size_t count;
    long long *steps;
    const lull_status status = list(run, &steps, &count, error);
    base_free(steps);
    *exists = count > 0;
    return status;
}

/* ---- reading ------------------------------------------------------------------------------ */

static lull_status read_one(const char *path, train_state *state, lull_error *error) {
    safetensors *file = NULL;
    lull_status status = safetensors_open(path, &file, error);
    if (status) return status;
    status = parse_progress(safetensors_metadata(file, "run"), path, &state->progress, error);
    for (int i = 0; i < VECTORS && !status; i++)
        status = model_parameters_read(vector_of(state, i), file, prefixes[i], path, error);
    safetensors_close(file);
    return status;
}

lull_status train_checkpoint_read(const char *run, train_state *state, bool *found,
                                  void (*warn)(void *context, const char *line), void *context,
                                  lull_error *error) {
    size_t count;
    lull_error problem = {0};
    long long *steps;
    lull_status status = list(run, &steps, &count, error);
    *found = false;
    if (status) {
        base_free(steps);
        return status;
    }
    for (size_t i = 0; i < count && !*found; i++) {
        char path[PATH_SIZE], line[PATH_SIZE + LULL_MESSAGE_SIZE];
        path_of(run, steps[i], path);
        status = read_one(path, state, &problem);
        *found = status == LULL_OK;
        if (*found) break;
        snprintf(line, sizeof line, "passed over a damaged checkpoint: %s", problem.message);
        if (warn != NULL) warn(context, line);
    }
    base_free(steps);
    if (count > 0 && !*found)
        return base_fail(error, status, "no checkpoint is readable: %s", problem.message);
    return LULL_OK;
}
