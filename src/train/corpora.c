/* The corpora of a run: see corpora.h. */
#include "train/corpora.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/printable.h"
#include "io/file_bytes.h"
#include "train/changes.h"
#include "train/folder.h"
#include "train/pairs.h"
#include "train/part.h"

enum { LEFT_OUT_SHOWN = 20 };

typedef struct index_bar {
    const train_voice *voice;
    double last;
    FILE *left_out;
    size_t lines;
} index_bar;

static void index_progress(void *context, size_t done, size_t total) {
    index_bar *bar = context;
    double now = base_now();
    if (now - bar->last < 1.0) return;
    bar->last = now;
    train_say(bar->voice, TRAIN_LINE_PROGRESS, "measuring recordings: %zu of %zu", done, total);
}

/* Every line goes to RUN/left-out.txt, the first ones to the user as well. */
static void index_left_out(void *context, const char *line) {
    index_bar *bar = context;
    char clean[2 * TRAIN_FOLDER_PATH];
    if (bar->left_out != NULL)
        fprintf(bar->left_out, "%s\n", base_printable(line, clean, sizeof clean));
    if (bar->lines++ < LEFT_OUT_SHOWN) train_say(bar->voice, TRAIN_LINE_WARNING, "%s", line);
}

/* How the training corpus is looked at; `bar` may be NULL. */
static train_corpus_options corpus_options(const train_corpora_options *o, index_bar *bar,
                                           const char *index) {
    const train_settings *s = o->settings;
    return (train_corpus_options){
        .rate = train_part_of(s)->rate(o->config),
        .least_samples = train_part_of(s)->least_samples(o->config, s),
        .side = s->valid[0] == '\0' ? TRAIN_SIDE_TRAIN : TRAIN_SIDE_ALL,
        .valid_share = s->valid_share,
        .cache_bytes = (size_t)(s->cache_mb * 1048576.0),
        .index_path = index,
        .left_out = bar ? index_left_out : NULL,
        .progress = bar ? index_progress : NULL,
        .context = bar,
        .stop = bar ? o->stop : NULL,
    };
}

/* A folder of recordings, or the recordings of a list of pairs with their mels. */
static lull_status open_corpus(const train_corpora_options *o, train_corpus_options options,
                               train_corpus **corpus, lull_error *error) {
    const train_settings *s = o->settings;
    if (!s->pairs) return train_corpus_open(s->corpus, &options, o->pool, corpus, error);
    train_pairs pairs;
    lull_status status = train_pairs_read(s->corpus, &pairs, error);
    options.files = (const char *const *)pairs.recordings;
    options.file_count = pairs.count;
    if (!status) status = train_corpus_open(s->corpus, &options, o->pool, corpus, error);
    if (!status)
        status = train_pairs_attach(&pairs, &o->config->mel, (size_t)s->crop_frames, *corpus,
                                    o->voice, error);
    train_pairs_free(&pairs);
    return status;
}

static lull_status open_training(const train_corpora_options *o, index_bar *bar,
                                 train_corpus **corpus, lull_error *error) {
    char index[TRAIN_FOLDER_PATH], left_out[TRAIN_FOLDER_PATH];
    train_folder_file(o->run, "corpus-index.json", index);
    train_folder_file(o->run, "left-out.txt", left_out);
    const train_corpus_options options = corpus_options(o, bar, index);
    const char *folder = o->settings->corpus;
    if (o->resume && access(folder, R_OK) != 0)
        return base_fail(error, LULL_IO,
                         "%s: the corpus of the run is not there (%s); where it was moved to, "
                         "--corpus says",
                         folder, strerror(errno));
    lull_status status = open_corpus(o, options, corpus, error);
    if (!status && bar->lines > LEFT_OUT_SHOWN)
        train_say(o->voice, TRAIN_LINE_WARNING, "… and %zu more left out: %s",
                  bar->lines - LEFT_OUT_SHOWN, left_out);
    return status;
}

/* The same files again: what is left out was said. */
static void open_held_back(const train_corpora_options *o, index_bar *bar, train_corpus **corpus) {
    char index[TRAIN_FOLDER_PATH];
    index_bar quiet = {o->voice, bar->last, NULL, LEFT_OUT_SHOWN};
    train_folder_file(o->run, "corpus-index.json", index);
    train_corpus_options options = corpus_options(o, &quiet, index);
    options.side = TRAIN_SIDE_VALID;
    options.cache_bytes = 64 << 20;
    lull_error none = {0};
    if (o->settings->valid_share <= 0.0 || open_corpus(o, options, corpus, &none)) {
        train_corpus_free(*corpus);
        *corpus = NULL;
        train_say(o->voice, TRAIN_LINE_WARNING,
                  "no recording falls on the validation side: no validation (see --valid)");
    }
}

static lull_status open_validation(const train_corpora_options *o, index_bar *bar,
                                   train_corpus **corpus, lull_error *error) {
    char index[TRAIN_FOLDER_PATH];
    train_folder_file(o->run, "valid-index.json", index);
    train_corpus_options options = corpus_options(o, bar, index);
    options.cache_bytes = 64 << 20;
    return train_corpus_open(o->settings->valid, &options, o->pool, corpus, error);
}

lull_status train_corpora_open(const train_corpora_options *o, train_corpora *corpora,
                               lull_error *error) {
    index_bar bar = {o->voice, base_now(), NULL, 0};
    char path[TRAIN_FOLDER_PATH];
    train_folder_file(o->run, "left-out.txt", path);
    bar.left_out = fopen(path, "w");
    lull_status status = open_training(o, &bar, &corpora->training, error);
    if (!status)
        status = train_changes_check(o->run, corpora->training, o->resume, o->accept_changes,
                                     o->voice, error);
    if (!status && o->settings->valid[0] != '\0')
        status = open_validation(o, &bar, &corpora->validation, error);
    else if (!status)
        open_held_back(o, &bar, &corpora->validation);
    if (bar.left_out != NULL) fclose(bar.left_out);
    return status;
}

void train_corpora_free(train_corpora *corpora) {
    train_corpus_free(corpora->training);
    train_corpus_free(corpora->validation);
    *corpora = (train_corpora){NULL, NULL};
}

/* ---- several machines --------------------------------------------------------------------- */

/* Rank 0's measurements in a file of this rank's own, so that nothing is measured twice. */
static lull_status receive_index(const train_corpora_options *o, ranks *ranks, char *path,
                                 lull_error *error) {
    const char *folder = getenv("TMPDIR");
    bool first = ranks_rank(ranks) == 0;
    char own[TRAIN_FOLDER_PATH];
    file_bytes bytes = {0};
    path[0] = '\0';
    train_folder_file(o->run, "corpus-index.json", own);
    /* Without it they measure themselves. */
    if (first) (void)file_bytes_read(own, &bytes, NULL);
    void *data = (void *)bytes.data;
    size_t size = bytes.size;
    lull_status status = ranks_share(ranks, &data, &size, error);
    if (!status && !first && size > 0) {
        snprintf(path, TRAIN_FOLDER_PATH, "%s/lull-index-XXXXXX", folder ? folder : "/tmp");
        int file = mkstemp(path);
        if (file < 0 || write(file, data, size) != (ssize_t)size) path[0] = '\0';
        if (file >= 0) close(file);
    }
    if (!status && !first) base_free(data);
    file_bytes_free(&bytes);
    return status;
}

lull_status train_corpora_share(const train_corpora_options *o, ranks *ranks,
                                train_corpora *corpora, lull_error *error) {
    char index[TRAIN_FOLDER_PATH];
    lull_status status = receive_index(o, ranks, index, error);
    if (status) return status;
    if (ranks_rank(ranks) > 0) {
        const train_corpus_options options =
            corpus_options(o, NULL, index[0] != '\0' ? index : NULL);
        status = open_corpus(o, options, &corpora->training, error);
        if (index[0] != '\0') unlink(index);
    }
    status = ranks_agree(ranks, status, error);
    if (status) return status;
    char *text = train_changes_text(corpora->training);
    status = ranks_agree(ranks, text ? LULL_OK : base_no_memory(error), error);
    if (!status) status = ranks_same_text(ranks, "corpus", text, error);
    base_free(text);
    return status;
}
