/* Logs of a run: see log.h. */
#include "train/log.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

enum { PATH_SIZE = 4352, LINE_SIZE = 512 };

struct train_log {
    char path[PATH_SIZE], curve[PATH_SIZE];
    FILE *file, *timing;
    uint64_t bytes;
    train_points training, valid, degraded;
};

/* Value of "name": in a line that this file wrote; NaN when it is not there or null. */
static double number(const char *line, const char *name) {
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", name);
    const char *at = strstr(line, quoted);
    if (at == NULL) return NAN;
    char *end = NULL;
    double value = strtod(at + strlen(quoted), &end);
    return end == at + strlen(quoted) ? NAN : value;
}

static void read_back(train_log *log) {
    FILE *file = fopen(log->path, "r");
    char line[LINE_SIZE];
    if (file == NULL) return;
    while (fgets(line, sizeof line, file) != NULL) {
        double step = number(line, "step");
        double values[] = {number(line, "loss"), number(line, "valid_loss"),
                           number(line, "valid_loss_degraded")};
        train_points *series[] = {&log->training, &log->valid, &log->degraded};
        for (int i = 0; i < 3; i++)
            if (!isnan(values[i])) train_points_add(series[i], step, values[i]);
    }
    fclose(file);
}

lull_status train_log_open(const char *run, uint64_t bytes, train_log **result, lull_error *error) {
    char timing[PATH_SIZE];
    train_log *log = base_alloc(1, sizeof *log);
    *result = NULL;
    if (log == NULL) return base_no_memory(error);
    snprintf(log->path, sizeof log->path, "%s/log.jsonl", run);
    snprintf(log->curve, sizeof log->curve, "%s/curve.png", run);
    snprintf(timing, sizeof timing, "%s/timing.jsonl", run);
    if (bytes > 0 && truncate(log->path, (off_t)bytes) != 0) {
        lull_status status = base_fail(error, LULL_IO, "%s: cannot be cut back to %llu bytes: %s",
                                       log->path, (unsigned long long)bytes, strerror(errno));
        train_log_free(log);
        return status;
    }
    if (bytes > 0) read_back(log);
    log->file = fopen(log->path, bytes > 0 ? "a" : "w");
    log->timing = fopen(timing, bytes > 0 ? "a" : "w");
    if (log->file == NULL || log->timing == NULL) {
        lull_status status = base_fail(error, LULL_IO, "%s: cannot be written: %s",
                                       log->file == NULL ? log->path : timing, strerror(errno));
        train_log_free(log);
        return status;
    }
    log->bytes = bytes;
    *result = log;
    return LULL_OK;
}

/* "0.5" or "null". */
static const char *json(double value, char *text, size_t size) {
    if (isfinite(value))
        snprintf(text, size, "%.9g", value);
    else
        snprintf(text, size, "null");
    return text;
}

void train_log_step(train_log *log, uint64_t step, double loss, double norm, double rate,
                    bool skipped) {
    char a[32], b[32];
    int n = fprintf(log->file, "{\"step\":%llu,\"loss\":%s,\"norm\":%s,\"rate\":%.9g%s}\n",
                    (unsigned long long)step, json(loss, a, sizeof a), json(norm, b, sizeof b),
                    rate, skipped ? ",\"skipped\":true" : "");
    if (n > 0) log->bytes += (uint64_t)n;
    if (isfinite(loss)) train_points_add(&log->training, (double)step, loss);
}

void train_log_evaluation(train_log *log, uint64_t step, double valid, double degraded) {
    char a[32], b[32];
    int n = fprintf(log->file, "{\"step\":%llu,\"valid_loss\":%s", (unsigned long long)step,
                    json(valid, a, sizeof a));
    int m = isnan(degraded)
                ? fprintf(log->file, "}\n")
                : fprintf(log->file, ",\"valid_loss_degraded\":%s}\n", json(degraded, b, sizeof b));
    if (n > 0 && m > 0) log->bytes += (uint64_t)n + (uint64_t)m;
    if (isfinite(valid)) train_points_add(&log->valid, (double)step, valid);
    if (isfinite(degraded)) train_points_add(&log->degraded, (double)step, degraded);
}

void train_log_timing(train_log *log, uint64_t step, double seconds, double audio_per_second,
                      double wait) {
    fprintf(log->timing,
            "{\"step\":%llu,\"seconds\":%.3f,\"audio_per_second\":%.2f,\"wait\":%.4f}\n",
            (unsigned long long)step, seconds, audio_per_second, wait);
}

lull_status train_log_sync(train_log *log, uint64_t *bytes, lull_error *error) {
    fflush(log->timing); /* only for people: its loss is no failure */
    clearerr(log->timing);
    if (ferror(log->file) || fflush(log->file) != 0 || fsync(fileno(log->file)) != 0) {
        int reason = errno;
        return base_fail(error, LULL_IO, "%s: cannot be written: %s", log->path, strerror(reason));
    }
    *bytes = log->bytes;
    return LULL_OK;
}

lull_status train_log_curve(train_log *log, lull_error *error) {
    return train_curve_write(log->curve, &log->training, &log->valid, &log->degraded, error);
}

double train_log_recent(const train_log *log, size_t count) {
    double sum = 0.0;
    size_t n = log->training.count < count ? log->training.count : count;
    for (size_t i = log->training.count - n; i < log->training.count; i++)
        sum += log->training.value[i];
    return n > 0 ? sum / (double)n : NAN;
}

void train_log_free(train_log *log) {
    if (log == NULL) return;
    if (log->file != NULL) fclose(log->file);
    if (log->timing != NULL) fclose(log->timing);
    train_points_free(&log->training);
    train_points_free(&log->valid);
    train_points_free(&log->degraded);
    base_free(log);
}
