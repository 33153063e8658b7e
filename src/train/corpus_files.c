/* The files of a folder: see corpus_files.h. */
#include "train/corpus_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/folder.h"
#include "base/memory.h"
#include "base/os_file.h"

enum { MAX_DEPTH = 32, PATH_SIZE = 4096 };

static int by_name(const void *a, const void *b) {
    return strcmp(((const train_found_file *)a)->name, ((const train_found_file *)b)->name);
}

static lull_status add_file(train_found_list *list, const char *path, const char *name,
                            const os_facts *facts, lull_error *error) {
    if (!base_grow((void **)&list->files, &list->capacity, list->count + 1, sizeof *list->files))
        return base_no_memory(error);
    train_found_file *file = &list->files[list->count];
    memset(file, 0, sizeof *file);
    file->path = base_strdup(path);
    file->name = base_strdup(name);
    file->size = (int64_t)facts->size;
    file->modified = facts->modified;
    if (!file->path || !file->name) {
        base_free(file->path);
        base_free(file->name);
        return base_no_memory(error);
    }
    list->count++;
    return LULL_OK;
}

/* Folders that have been looked into, so that links make neither circles nor copies: an open hash
 * table of (device, number). */
typedef struct seen_folder {
    uint64_t device, number;
    bool used;
} seen_folder;

typedef struct walk {
    train_found_list *list;
    seen_folder *seen;
    size_t seen_count, seen_capacity; /* a power of 2 */
    train_found_list links;           /* to folders: looked into after all real ones */
} walk;

/* The folder's place in the table, or the free one for it. */
static seen_folder *place_of(seen_folder *seen, size_t capacity, uint64_t device, uint64_t number) {
    size_t at = (size_t)((number * 0x9e3779b97f4a7c15u) ^ device) & (capacity - 1);
    while (seen[at].used && (seen[at].device != device || seen[at].number != number))
        at = (at + 1) & (capacity - 1);
    return &seen[at];
}

/* *is_new: it had not been seen. */
static lull_status see(walk *w, const os_facts *folder, bool *is_new, lull_error *error) {
    if (2 * w->seen_count >= w->seen_capacity) {
        size_t wider = w->seen_capacity ? 2 * w->seen_capacity : 64;
        seen_folder *table = base_alloc(wider, sizeof *table);
        if (table == NULL) return base_no_memory(error);
        for (size_t i = 0; i < w->seen_capacity; i++)
            if (w->seen[i].used)
                *place_of(table, wider, w->seen[i].device, w->seen[i].number) = w->seen[i];
        base_free(w->seen);
        w->seen = table;
        w->seen_capacity = wider;
    }
    seen_folder *place = place_of(w->seen, w->seen_capacity, folder->device, folder->number);
    *is_new = !place->used;
    if (*is_new) w->seen_count++;
    *place = (seen_folder){folder->device, folder->number, true};
    return LULL_OK;
}

/* A link to a folder that the corpus lies in would bring in all that lies beside it. */
static lull_status see_above(walk *w, const char *folder, lull_error *error) {
    char *path = realpath(folder, NULL);
    lull_status status = LULL_OK;
    while (path != NULL && !status) {
        char *slash = strrchr(path, '/');
        os_facts facts;
        bool is_new;
        if (slash == NULL || path[1] == '\0') break;
        slash[slash == path] = '\0';
        if (os_facts_of(path, &facts) == 0) status = see(w, &facts, &is_new, error);
    }
    free(path);
    return status;
}

/* One entry of a folder. */
static lull_status scan(walk *w, const char *folder, const char *prefix, int depth,
                        lull_error *error);

static lull_status scan_entry(walk *w, const char *path, const char *name, int depth,
                              lull_error *error) {
    os_facts about;
    if (os_facts_of(path, &about) != 0) return LULL_OK; /* gone, or a dangling link */
    if (about.kind == OS_FILE) return add_file(w->list, path, name, &about, error);
    if (about.kind != OS_FOLDER || depth >= MAX_DEPTH) return LULL_OK;
    return os_is_link(path) ? add_file(&w->links, path, name, &about, error)
                            : scan(w, path, name, depth + 1, error);
}

static lull_status scan(walk *w, const char *folder, const char *prefix, int depth,
                        lull_error *error) {
    os_facts own;
    base_folder entries;
    bool is_new = false;
    lull_status status = base_folder_list(folder, &entries, error);
    if (!status && os_facts_of(folder, &own) != 0)
        status = base_fail(error, LULL_IO, "%s: cannot be listed: %s", folder, strerror(errno));
    if (!status) status = see(w, &own, &is_new, error);
    for (size_t i = 0; !status && is_new && i < entries.count; i++) {
        char path[PATH_SIZE], name[PATH_SIZE];
        if (entries.names[i][0] == '.') continue;
        int a = snprintf(path, sizeof path, "%s/%s", folder, entries.names[i]);
        int b = snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "/" : "", entries.names[i]);
        if (a < PATH_SIZE && b < PATH_SIZE) status = scan_entry(w, path, name, depth, error);
    }
    base_folder_free(&entries);
    return status;
}

void train_found_free(train_found_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        base_free(list->files[i].path);
        base_free(list->files[i].name);
        base_free(list->files[i].reason);
    }
    base_free(list->files);
}

/* Every folder once: by its own name where the corpus has it, else by the first of the links to
 * it, level by level and in the order of their names, whatever order the system lists them in. */
lull_status train_found_search(const char *folder, train_found_list *list, lull_error *error) {
    walk w = {.list = list};
    lull_status status = see_above(&w, folder, error);
    if (!status) status = scan(&w, folder, "", 0, error);
    while (!status && w.links.count > 0) {
        train_found_list level = w.links;
        w.links = (train_found_list){0};
        qsort(level.files, level.count, sizeof *level.files, by_name);
        for (size_t i = 0; i < level.count && !status; i++) {
            int depth = 1;
            for (const char *c = level.files[i].name; *c; c++) depth += *c == '/';
            status = scan(&w, level.files[i].path, level.files[i].name, depth, error);
        }
        train_found_free(&level);
    }
    train_found_free(&w.links);
    base_free(w.seen);
    if (list->count > 0) qsort(list->files, list->count, sizeof *list->files, by_name);
    return status;
}

lull_status train_found_take(const char *const *paths, size_t count, train_found_list *list,
                             lull_error *error) {
    lull_status status = LULL_OK;
    for (size_t i = 0; i < count && !status; i++) {
        const char *path = paths[i];
        os_facts facts;
        if (os_facts_of(path, &facts) != 0)
            status = base_fail(error, LULL_IO, "%s: cannot be opened: %s", path, strerror(errno));
        else
            status = add_file(list, path, path, &facts, error);
    }
    if (list->count > 0) qsort(list->files, list->count, sizeof *list->files, by_name);
    return status;
}
