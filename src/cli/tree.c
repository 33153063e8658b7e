/* The recordings in a folder and its subfolders: see tree.h. */
#include "cli/tree.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/memory.h"
#include "cli/jobs.h"

enum { DEEPEST = 32 };

bool cli_is_folder(const char *path) {
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

size_t cli_stem(const char *name) {
    const char *dot = strrchr(name, '.'), *slash = strrchr(name, '/');
    return dot && dot != name && (!slash || dot > slash + 1) ? (size_t)(dot - name) : strlen(name);
}

static lull_status add(cli_tree *tree, const char *name, lull_error *error) {
    if (!base_grow((void **)&tree->names, &tree->capacity, tree->count + 1, sizeof *tree->names))
        return base_no_memory(error);
    tree->names[tree->count] = base_strdup(name);
    if (!tree->names[tree->count]) return base_no_memory(error);
    tree->count++;
    return LULL_OK;
}

/* prefix: "" or "sub/". */
static lull_status scan(const char *folder, const char *prefix, int depth, cli_tree *tree,
                        lull_error *error) {
    char path[PATH_MAX], name[PATH_MAX];
    struct dirent **entries = NULL;
    lull_status status = LULL_OK;
    if (depth > DEEPEST)
        return base_fail(error, LULL_INVALID, "%s/%s: folders nested more than %d deep", folder,
                         prefix, DEEPEST);
    if (snprintf(path, sizeof path, "%s/%s", folder, prefix) >= PATH_MAX) return LULL_OK;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0) return base_fail(error, LULL_IO, "%s: %s", path, strerror(errno));
    for (int i = 0; i < count; i++) {
        const char *entry = entries[i]->d_name;
        struct stat facts;
        if (status == LULL_OK && entry[0] != '.' &&
            snprintf(path, sizeof path, "%s/%s%s", folder, prefix, entry) < PATH_MAX &&
            snprintf(name, sizeof name - 1, "%s%s", prefix, entry) < PATH_MAX - 1 &&
            lstat(path, &facts) == 0) {
            if (S_ISDIR(facts.st_mode)) {
                snprintf(name + strlen(name), 2, "/"); /* the room was left above */
                status = scan(folder, name, depth + 1, tree, error);
            } else if (cli_is_recording(entry) && stat(path, &facts) == 0 &&
                       S_ISREG(facts.st_mode)) { /* a pipe might never end */
                status = add(tree, name, error);
            }
        }
        free(entries[i]); /* scandir's own allocation */
    }
    free(entries);
    return status;
}

lull_status cli_tree_read(const char *folder, cli_tree *tree, lull_error *error) {
    lull_status status = scan(folder, "", 0, tree, error);
    if (status == LULL_OK && tree->count == 0)
        status = base_fail(error, LULL_IO, "%s: no recordings in this folder or below", folder);
    return status;
}

void cli_tree_free(cli_tree *tree) {
    for (size_t i = 0; i < tree->count; i++) base_free(tree->names[i]);
    base_free(tree->names);
    *tree = (cli_tree){NULL, 0, 0};
}

const char *cli_tree_match(const cli_tree *tree, const char *name) {
    size_t stem = cli_stem(name);
    for (size_t i = 0; i < tree->count; i++)
        if (cli_stem(tree->names[i]) == stem && !strncmp(tree->names[i], name, stem))
            return tree->names[i];
    return NULL;
}
