/* The recordings in a folder and its subfolders. */
#ifndef CLI_TREE_H
#define CLI_TREE_H

#include "lull.h"

typedef struct cli_tree {
    char **names; /* relative to the folder, sorted */
    size_t count, capacity;
} cli_tree;

/* Fails when there is none. Links to folders are not followed. */
lull_status cli_tree_read(const char *folder, cli_tree *tree, lull_error *error);
void cli_tree_free(cli_tree *tree);

/* The recording of `tree` whose name without its ending is that of `name`, or NULL. */
const char *cli_tree_match(const cli_tree *tree, const char *name);

#endif
