/* What a path leads to, and what its name says. */
#ifndef CLI_PATHS_H
#define CLI_PATHS_H

#include <stdbool.h>
#include <stddef.h>

/* Behind links; false where there is nothing, too. */
bool cli_is_folder(const char *path);
bool cli_is_file(const char *path);

/* Does the name end as recordings do? */
bool cli_is_recording(const char *path);
/* Length of a path without its name's ending. */
size_t cli_stem(const char *path);
/* A path's last name. */
const char *cli_name_of(const char *path);

#endif
