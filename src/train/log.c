/* Logs of a run: see log.h. */
#include "train/log.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

enum { PATH_SIZE = 4352, LINE_SIZE = 512 };

struct train_log {
    char path[PATH_SIZE], curve[PATH_SIZE];
    int file;
    FILE *timing;
    uint64_t missing; /* bytes that the checkpoint counts and the file lacks */
    uint64_t written; /* bytes of the file that are whole lines */
    char *
        pending; /* lines that are not in the file yet: they stay here while it cannot be written */
    size_t pending_count, pending_capacity;
    bool lost; /* a line found no memory */
    picture_points training, valid, degraded;
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
        picture_points *series[] = {&log->training, &log->valid, &log->degraded};
        for (int i = 0; i < 3; i++)
            if (!isnan(values[i])) picture_points_add(series[i], step, values[i]);
    }
    fclose(file);
}

/* Whole lines among the first `bytes` of a file. */
static uint64_t whole_lines(const char *path, uint64_t bytes) {
    FILE *file = fopen(path, "rb");
    uint64_t at = 0, whole = 0;
    for (int c; file != NULL && at < bytes && (c = getc(file)) != EOF;)
        if (at++, c == '\n') whole = at;
    if (file != NULL) fclose(file);
    return whole;
}

uint64_t train_log_missing(const train_log *log) {
    return log->missing;
}

lull_status train_log_open(const char *run, uint64_t bytes, train_log **result, lull_error *error) {
    char timing[PATH_SIZE];
    train_log *log = base_alloc(1, sizeof *log);
    *result = NULL;
    if (log == NULL) return base_no_memory(error);
    log->file = -1;
    snprintf(log->path, sizeof log->path, "%s/log.jsonl", run);
    snprintf(log->curve, sizeof log->curve, "%s/curve.png", run);
    snprintf(timing, sizeof timing, "%s/timing.jsonl", run);
    uint64_t whole = bytes > 0 ? whole_lines(log->path, bytes) : 0;
    log->missing = bytes - whole;
    if (whole > 0 && truncate(log->path, (off_t)whole) != 0) {
        lull_status status = base_fail(error, LULL_IO, "%s: cannot be cut back to %llu bytes: %s",
                                       log->path, (unsigned long long)whole, strerror(errno));
        train_log_free(log);
        return status;
    }
    if (whole > 0) read_back(log);
    log->file = open(log->path, O_WRONLY | O_CREAT | O_CLOEXEC | (whole > 0 ? 0 : O_TRUNC), 0666);
    log->timing = fopen(timing, bytes > 0 ? "a" : "w");
    if (log->file < 0 || log->timing == NULL) {
        lull_status status = base_fail(error, LULL_IO, "%s: cannot be written: %s",
                                       log->file < 0 ? log->path : timing, strerror(errno));
        train_log_free(log);
        return status;
    }
    log->written = whole;
    *result = log;
    return LULL_OK;
}

/* ---- lines -------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void append(train_log *log, const char *format, ...) {
    char line[LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (n <= 0 || n >= LINE_SIZE) return;
    if (!base_grow((void **)&log->pending, &log->pending_capacity, log->pending_count + (size_t)n,
                   1)) {
        log->lost = true;
        return;
    }
    memcpy(log->pending + log->pending_count, line, (size_t)n);
    log->pending_count += (size_t)n;
}

bool train_log_flush(train_log *log) {
    size_t done = 0;
    while (done < log->pending_count) {
        ssize_t n = pwrite(log->file, log->pending + done, log->pending_count - done,
                           (off_t)(log->written + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            int reason = errno;
            /* Back to whole lines; what is beyond is overwritten in any case. */
            if (ftruncate(log->file, (off_t)log->written) == 0) errno = reason;
            return false;
        }
        done += (size_t)n;
    }
    log->written += done;
    log->pending_count = 0;
    return true;
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
    append(log, "{\"step\":%llu,\"loss\":%s,\"norm\":%s,\"rate\":%.9g%s}\n",
           (unsigned long long)step, json(loss, a, sizeof a), json(norm, b, sizeof b), rate,
           skipped ? ",\"skipped\":true" : "");
    if (isfinite(loss)) picture_points_add(&log->training, (double)step, loss);
}

void train_log_evaluation(train_log *log, uint64_t step, double valid, double degraded) {
    char a[32], b[32], more[64] = "";
    if (!isnan(degraded))
        snprintf(more, sizeof more, ",\"valid_loss_degraded\":%s", json(degraded, b, sizeof b));
    append(log, "{\"step\":%llu,\"valid_loss\":%s%s}\n", (unsigned long long)step,
           json(valid, a, sizeof a), more);
    if (isfinite(valid)) picture_points_add(&log->valid, (double)step, valid);
    if (isfinite(degraded)) picture_points_add(&log->degraded, (double)step, degraded);
}

void train_log_timing(train_log *log, uint64_t step, double seconds, double audio_per_second,
                      double wait) {
    fprintf(log->timing,
            "{\"step\":%llu,\"seconds\":%.3f,\"audio_per_second\":%.2f,\"wait\":%.4f}\n",
            (unsigned long long)step, seconds, audio_per_second, wait);
}

void train_log_exchange(train_log *log, uint64_t step, int ranks,
                        const train_exchange_times *times) {
    double n = (double)(times->steps > 0 ? times->steps : 1);
    fprintf(log->timing,
            "{\"step\":%llu,\"ranks\":%d,\"exchange_bytes\":%.0f,\"early_bytes\":%.0f,"
            "\"lead_seconds\":%.6f,\"exchange_seconds\":%.6f,\"exposed_seconds\":%.6f,"
            "\"step_seconds\":%.6f,\"quickest\":{\"step_seconds\":%.6f,\"lead_seconds\":%.6f,"
            "\"exposed_seconds\":%.6f}}\n",
            (unsigned long long)step, ranks, times->bytes / n, times->early / n, times->lead / n,
            times->busy / n, times->exposed / n, times->seconds / (n > 1.0 ? n - 1.0 : 1.0),
            times->quickest, times->quickest_lead, times->quickest_exposed);
}

lull_status train_log_sync(train_log *log, uint64_t *bytes, lull_error *error) {
    fflush(log->timing); /* only for people: its loss is no failure */
    clearerr(log->timing);
    if (log->lost) return base_no_memory(error);
    if (!train_log_flush(log) || fsync(log->file) != 0)
        return base_fail(error, LULL_IO, "%s: cannot be written: %s", log->path, strerror(errno));
    *bytes = log->written;
    return LULL_OK;
}

lull_status train_log_curve(train_log *log, lull_error *error) {
    return picture_curve_write(log->curve, &log->training, &log->valid, &log->degraded, error);
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
    if (log->file >= 0) {
        train_log_flush(log);
        close(log->file);
    }
    if (log->timing != NULL) fclose(log->timing);
    base_free(log->pending);
    picture_points_free(&log->training);
    picture_points_free(&log->valid);
    picture_points_free(&log->degraded);
    base_free(log);
}
