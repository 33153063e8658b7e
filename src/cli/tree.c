/* The recordings in a folder and its subfolders: see tree.h. */
#include "cli/tree.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/folder.h"
#include "base/memory.h"
#include "base/os_file.h"
#include "cli/paths.h"

enum { DEEPEST = 32 };

static lull_status add(cli_tree *tree, const char *name, lull_error *error) {
    if (!base_grow((void **)&tree->names, &tree->capacity, tree->count + 1, sizeof *tree->names))
        return base_no_memory(error);
    tree->names[tree->count] = base_strdup(name);
    if (!tree->names[tree->count]) return base_no_memory(error);
    tree->count++;
    return LULL_OK;
}

static lull_status scan(const char *folder, const char *prefix, int depth, cli_tree *tree,
                        lull_error *error);

/* name: prefix + the entry's own; it has room for a slash behind it. */
static lull_status scan_entry(const char *folder, const char *path, char *name, int depth,
                              cli_tree *tree, lull_error *error) {
    os_facts facts;
    if (os_facts_of(path, &facts) != 0) return LULL_OK; /* gone, or a dangling link */
    if (facts.kind == OS_FOLDER) {
        if (os_is_link(path)) return LULL_OK;
        strcat(name, "/");
        return scan(folder, name, depth + 1, tree, error);
    }
    /* A pipe might never end. */
    return facts.kind == OS_FILE && cli_is_recording(path) ? add(tree, name, error) : LULL_OK;
}

/* prefix: "" or "sub/". */
static lull_status scan(const char *folder, const char *prefix, int depth, cli_tree *tree,
                        lull_error *error) {
    char path[PATH_MAX], name[PATH_MAX];
    if (depth > DEEPEST)
        return base_fail(error, LULL_INVALID, "%s/%s: folders nested more than %d deep", folder,
                         prefix, DEEPEST);
    if (snprintf(path, sizeof path, "%s/%s", folder, prefix) >= PATH_MAX) return LULL_OK;
    base_folder entries;
    lull_status status = base_folder_list(path, &entries, error);
    for (size_t i = 0; i < entries.count && status == LULL_OK; i++) {
        const char *entry = entries.names[i];
        if (entry[0] != '.' &&
            snprintf(path, sizeof path, "%s/%s%s", folder, prefix, entry) < PATH_MAX &&
            snprintf(name, sizeof name, "%s%s", prefix, entry) < PATH_MAX - 1)
            status = scan_entry(folder, path, name, depth, tree, error);
    }
    base_folder_free(&entries);
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
