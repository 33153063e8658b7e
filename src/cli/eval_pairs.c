/* lull eval REFERENCE OUTPUT: pairs of recordings. */
#include "cli/eval_subjects.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"
#include "cli/paths.h"
#include "cli/tree.h"
#include "recording/audio_file.h"
#include "recording/resample.h"

lull_status cli_eval_add_pair(const float *reference, size_t reference_count, int reference_rate,
                              const float *output, size_t output_count, int output_rate,
                              eval_row *row, const cli_eval_options *options, eval_table *table,
                              lull_error *error) {
    float *resampled = NULL;
    char remark[160] = "";
    int rate = reference_rate < output_rate ? reference_rate : output_rate;
    lull_status status = LULL_OK;
    if (reference_rate != output_rate) {
        bool is_reference = reference_rate > rate;
        const float *in = is_reference ? reference : output;
        size_t count = is_reference ? reference_count : output_count, resampled_count = 0;
        status = recording_resample(in, count, is_reference ? reference_rate : output_rate, rate,
                                    &resampled, &resampled_count, error);
        if (status != LULL_OK) return status;
        if (is_reference)
            reference = resampled, reference_count = resampled_count;
        else
            output = resampled, output_count = resampled_count;
        snprintf(remark, sizeof remark, "%d and %d Hz: compared at %d Hz", reference_rate,
                 output_rate, rate);
    }
    size_t count = reference_count < output_count ? reference_count : output_count;
    /* A frame more or less at the end is the framing's, and nothing to remark. */
    size_t most = reference_count > output_count ? reference_count : output_count;
    if ((most - count) * 50 > (size_t)rate) {
        size_t used = strlen(remark);
        snprintf(remark + used, sizeof remark - used,
                 "%s%.2f and %.2f s long: the shorter is compared", used ? "; " : "",
                 (double)reference_count / rate, (double)output_count / rate);
    }
    status = eval_compare(reference, output, count, rate, &row->scores, error);
    row->seconds = (double)count / rate;
    row->remark = *remark ? remark : NULL;
    if (status == LULL_OK) status = eval_table_add(table, row, error);
    if (status == LULL_OK && options->page)
        status = cli_eval_page_add(options->page, row, reference, output, count, rate, error);
    row->remark = NULL;
    base_free(resampled);
    return status;
}

/* folder of a relative name, without its slash. */
static void split_name(const char *relative, char *folder, size_t size, const char **name) {
    const char *slash = strrchr(relative, '/');
    *name = slash ? slash + 1 : relative;
    snprintf(folder, size, "%.*s", slash ? (int)(slash - relative) : 0, relative);
}

static lull_status pair(const char *reference, const char *output, const char *relative,
                        const cli_eval_options *options, eval_table *table, lull_error *error) {
    float *a = NULL, *b = NULL;
    size_t na = 0, nb = 0;
    recording_info ia, ib;
    char folder[PATH_MAX];
    eval_row row = {0};
    lull_status status = recording_file_read(reference, 0, &a, &na, &ia, error);
    if (status == LULL_OK) status = recording_file_read(output, 0, &b, &nb, &ib, error);
    if (status == LULL_OK) {
        const char *name;
        split_name(relative, folder, sizeof folder, &name);
        row.folder = folder;
        row.name = (char *)name;
        row.reference = (char *)reference;
        row.output = (char *)output;
        status = cli_eval_add_pair(a, na, ia.rate, b, nb, ib.rate, &row, options, table, error);
    }
    base_free(a);
    base_free(b);
    return status;
}

static lull_status pair_in_folders(const char *reference, const char *output,
                                   const char *reference_name, const char *output_name,
                                   const cli_eval_options *options, eval_table *table,
                                   lull_error *error) {
    char a[PATH_MAX], b[PATH_MAX];
    if (snprintf(a, sizeof a, "%s/%s", reference, reference_name) >= PATH_MAX ||
        snprintf(b, sizeof b, "%s/%s", output, output_name) >= PATH_MAX)
        return base_fail(error, LULL_INVALID, "%s/%s: the path is too long", reference,
                         reference_name);
    return pair(a, b, reference_name, options, table, error);
}

lull_status cli_eval_pairs(const char *reference, const char *output,
                           const cli_eval_options *options, eval_table *table, lull_error *error) {
    bool folder = cli_is_folder(reference);
    for (int i = 0; i < 2; i++)
        if (access(i ? output : reference, F_OK) != 0)
            return base_fail(error, LULL_IO, "%s: %s: expected a recording or a folder of them",
                             i ? output : reference, strerror(errno));
    if (folder != cli_is_folder(output))
        return base_fail(error, LULL_INVALID,
                         "%s is a %s and %s is a %s: give two files or two folders", reference,
                         folder ? "folder" : "file", output, folder ? "file" : "folder");
    const char *slash = strrchr(reference, '/');
    if (!folder)
        return pair(reference, output, slash ? slash + 1 : reference, options, table, error);

    cli_tree references = {NULL, 0, 0}, outputs = {NULL, 0, 0};
    progress bar;
    size_t missing = 0;
    progress_begin(&bar, "eval", 1, options->quiet);
    lull_status status = cli_tree_read(reference, &references, error);
    if (status == LULL_OK) status = cli_tree_read(output, &outputs, error);
    for (size_t i = 0; status == LULL_OK && i < references.count; i++) {
        const char *match = cli_tree_match(&outputs, references.names[i]);
        progress_update(&bar, (double)i / (double)references.count, NULL);
        lull_error why = {LULL_OK, ""};
        if (!match)
            missing++;
        else if (pair_in_folders(reference, output, references.names[i], match, options, table,
                                 &why) == LULL_NO_MEMORY)
            status = base_fail(error, why.status, "%s", why.message);
        else if (why.status != LULL_OK && !options->quiet)
            cli_note("left out: %s", why.message);
    }
    progress_end(&bar);
    if (status == LULL_OK && missing == references.count)
        status = base_fail(error, LULL_INVALID, "no file of %s has the name of one of %s", output,
                           reference);
    else if (status == LULL_OK && table->count == 0)
        status =
            base_fail(error, LULL_INVALID, "%s: none of its recordings could be scored", output);
    else if (status == LULL_OK && missing && !options->quiet)
        cli_note("%zu of the %zu recordings of %s have no counterpart in %s", missing,
                 references.count, reference, output);
    cli_tree_free(&references);
    cli_tree_free(&outputs);
    return status;
}
