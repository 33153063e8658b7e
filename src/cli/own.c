/* Which files may be replaced: see own.h. */
#include "cli/own.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/error.h"
#include "cli/paths.h"
#include "io/npy.h"
#include "recording/audio_file.h"

enum { LOOK = 4096 };

static bool holds(const unsigned char *bytes, size_t size, const char *mark, size_t length) {
    for (size_t i = 0; i + length <= size; i++)
        if (memcmp(bytes + i, mark, length) == 0) return true;
    return false;
}

bool cli_is_foreign(const char *path) {
    static const char picture[] = "tEXtSoftware\0lull",
                      page[] = "name=\"generator\" content=\"lull\"";
    unsigned char first[LOOK];
    struct stat facts;
    if (stat(path, &facts) != 0 || !S_ISREG(facts.st_mode)) return false;
    FILE *file = fopen(path, "rb");
    if (file == NULL) return true;
    size_t size = fread(first, 1, sizeof first, file);
    fclose(file);
    if (npy_is_ours(first, size < 512 ? size : 512)) return false;
    if (holds(first, size, picture, sizeof picture - 1)) return false;
    if (holds(first, size, page, sizeof page - 1)) return false;
    return !recording_file_is_ours(path);
}

lull_status cli_may_write(const char *path, bool force, lull_error *error) {
    if (force || !cli_is_foreign(path)) return LULL_OK;
    return base_fail(error, LULL_IO,
                     "%s: exists, and lull did not write it; name another output with -o, or "
                     "replace it with --force",
                     path);
}

lull_status cli_check_ending(const char *path, const char *endings, lull_error *error) {
    struct stat facts;
    const char *ending = path + cli_stem(path);
    const size_t length = strlen(ending);
    if (length == 0 || (stat(path, &facts) == 0 && !S_ISREG(facts.st_mode))) return LULL_OK;
    for (const char *at = endings; *at != '\0'; at++)
        if (strncasecmp(at, ending, length) == 0 && (at[length] == ' ' || at[length] == '\0'))
            return LULL_OK;
    return base_fail(error, LULL_INVALID,
                     "%s: what is written is %s, by the name's ending; '%s' is none of these", path,
                     endings, ending);
}

lull_status cli_make_folders(const char *path, lull_error *error) {
    char part[PATH_MAX];
    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
        return base_fail(error, LULL_INVALID, "%s: the name is too long", path);
    for (char *slash = part + 1;; slash++) {
        if (*slash != '/' && *slash != '\0') continue;
        char kept = *slash;
        *slash = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return base_fail(error, LULL_IO, "cannot make the folder %s: %s", part,
                             strerror(errno));
        *slash = kept;
        if (kept == '\0') return LULL_OK;
    }
}
