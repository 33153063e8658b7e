/* Whether the corpus is still what a run has been trained on: see changes.h. */
#include "train/changes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/printable.h"
#include "io/file_bytes.h"
#include "train/folder.h"

enum { NAMED = 3, SUMMARY = 512 };

/* The level of a recording is a sum over all of it: another recording has another. */
char *train_changes_text(const train_corpus *corpus) {
    char *text = NULL;
    size_t capacity = 0, used = 0;
    if (!base_grow((void **)&text, &capacity, 64, 1)) return NULL;
    text[0] = '\0';
    for (size_t i = 0; i < corpus->count; i++) {
        const train_recording *one = &corpus->recordings[i];
        char name[TRAIN_FOLDER_PATH];
        base_printable(one->name, name, sizeof name);
        size_t longest = strlen(name) + 128;
        if (!base_grow((void **)&text, &capacity, used + longest, 1)) {
            base_free(text);
            return NULL;
        }
        int n = snprintf(text + used, longest, "%s, %zu samples at level %.17g\n", name,
                         one->samples, one->level);
        used += n > 0 ? (size_t)n : 0;
    }
    return text;
}

/* ---- comparing ---------------------------------------------------------------------------- */

/* A line of the text, cut into its name and the rest. */
typedef struct entry {
    const char *name, *rest;
} entry;

static int by_name(const void *a, const void *b) {
    return strcmp(((const entry *)a)->name, ((const entry *)b)->name);
}

/* Cuts a text into entries, sorted; base_free. A line that is none is passed over. */
static entry *cut(char *text, size_t *count) {
    size_t lines = 1;
    for (const char *c = text; *c; c++) lines += *c == '\n';
    entry *entries = base_alloc(lines, sizeof *entries);
    *count = 0;
    for (char *line = text, *end; entries && *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end) *end++ = '\0';
        char *comma = strrchr(line, ',');
        if (comma == NULL) continue;
        *comma = '\0';
        entries[(*count)++] = (entry){line, comma + 1};
    }
    if (*count > 0) qsort(entries, *count, sizeof *entries, by_name);
    return entries;
}

/* How many, and the first of their names. */
typedef struct tally {
    const char *what;
    size_t count;
    char names[SUMMARY];
} tally;

static void tell(tally *t, const char *name) {
    size_t used = strlen(t->names);
    if (t->count++ < NAMED)
        snprintf(t->names + used, sizeof t->names - used, "%s%.100s", used ? ", " : "", name);
}

static void compare(const entry *old, size_t olds, const entry *new, size_t news, tally *removed,
                    tally *changed, tally *added) {
    size_t i = 0, j = 0;
    while (i < olds || j < news) {
        int order = i == olds ? 1 : j == news ? -1 : strcmp(old[i].name, new[j].name);
        if (order < 0) tell(removed, old[i].name);
        if (order > 0) tell(added, new[j].name);
        if (order == 0 && strcmp(old[i].rest, new[j].rest) != 0) tell(changed, old[i].name);
        i += order <= 0;
        j += order >= 0;
    }
}

static void say(const tally *t, char *line, size_t size) {
    size_t used = strlen(line);
    if (t->count == 0) return;
    snprintf(line + used, size - used, "%s%zu %s (%s%s)", used ? ", " : "", t->count, t->what,
             t->names, t->count > NAMED ? ", …" : "");
}

/* "2 removed (a.wav, b.wav)"; "" when nothing differs. */
static lull_status differences(char *old_text, char *new_text, char *line, size_t size,
                               lull_error *error) {
    size_t olds = 0, news = 0;
    entry *old = cut(old_text, &olds), *new = cut(new_text, &news);
    tally removed = {"removed", 0, ""}, changed = {"changed", 0, ""}, added = {"added", 0, ""};
    line[0] = '\0';
    if (old && new) {
        compare(old, olds, new, news, &removed, &changed, &added);
        say(&removed, line, size);
        say(&changed, line, size);
        say(&added, line, size);
    }
    lull_status status = old && new ? LULL_OK : base_no_memory(error);
    base_free(old);
    base_free(new);
    return status;
}

/* ---- the file ----------------------------------------------------------------------------- */

static char *read_text(const char *path) {
    file_bytes bytes = {0};
    if (file_bytes_read(path, &bytes, NULL)) return NULL;
    char *text = base_alloc(bytes.size + 1, 1);
    if (text != NULL && bytes.size > 0) memcpy(text, bytes.data, bytes.size);
    file_bytes_free(&bytes);
    return text;
}

static lull_status write_text(const char *path, const char *text, lull_error *error) {
    atomic_file *file = NULL;
    lull_status status = atomic_file_open(path, &file, error);
    if (status) return status;
    status = atomic_file_write(file, text, strlen(text), error);
    if (!status) return atomic_file_commit(file, error);
    atomic_file_abandon(file);
    return status;
}

lull_status train_changes_check(const char *run, const train_corpus *corpus, bool resume,
                                bool accept, const train_voice *voice, lull_error *error) {
    char path[TRAIN_FOLDER_PATH], line[3 * SUMMARY + 128] = "";
    train_folder_file(run, "corpus.txt", path);
    char *before = resume ? read_text(path) : NULL, *now = train_changes_text(corpus);
    char *copy = now ? base_strdup(now) : NULL;
    lull_status status = copy ? LULL_OK : base_no_memory(error);
    if (!status && before) status = differences(before, copy, line, sizeof line, error);
    if (!status && line[0] != '\0' && !accept)
        status = base_fail(error, LULL_INVALID,
                           "the corpus is not what %s was trained on: %s; put it back, or go on "
                           "with what is there: --accept-changes",
                           run, line);
    if (!status && line[0] != '\0')
        train_say(voice, TRAIN_LINE_WARNING, "the corpus has changed: %s", line);
    if (!status) status = write_text(path, now, error);
    base_free(before);
    base_free(now);
    base_free(copy);
    return status;
}
