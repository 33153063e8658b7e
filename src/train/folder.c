/* The folder of a run: see folder.h. */
#include "train/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/folder.h"
#include "train/checkpoint.h"

void train_folder_file(const char *run, const char *name, char path[TRAIN_FOLDER_PATH]) {
    snprintf(path, TRAIN_FOLDER_PATH, "%s/%s", run, name);
}

static lull_status make(const char *path, lull_error *error) {
    struct stat about;
    if (mkdir(path, 0777) == 0) return LULL_OK;
    int reason = errno;
    if (reason == EEXIST && stat(path, &about) == 0 && S_ISDIR(about.st_mode)) return LULL_OK;
    return base_fail(error, LULL_IO, "%s: the folder cannot be made: %s", path, strerror(reason));
}

/* What a killed run was about to write: ".NAME.XXXXXX" beside NAME. */
static lull_status remove_unfinished(const char *folder, lull_error *error) {
    base_folder entries;
    const lull_status status = base_folder_list(folder, &entries, error);
    for (size_t k = 0; k < entries.count; k++) {
        static const char *const endings[] = {".json", ".png", ".safetensors", ".txt", ".wav"};
        const char *name = entries.names[k];
        size_t length = strlen(name);
        if (name[0] != '.' || length < 9 || name[length - 7] != '.') continue;
        for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
            size_t n = strlen(endings[i]);
            if (length < n + 8 || strncmp(name + length - 7 - n, endings[i], n) != 0) continue;
            char path[2 * TRAIN_FOLDER_PATH];
            snprintf(path, sizeof path, "%s/%s", folder, name);
            unlink(path);
        }
    }
    base_folder_free(&entries);
    return status;
}

/* ---- the lock ----------------------------------------------------------------------------- */

static lull_status taken(const char *run, int file, lull_error *error) {
    char who[320];
    ssize_t n = pread(file, who, sizeof who - 1, 0);
    who[n > 0 ? n : 0] = '\0';
    who[strcspn(who, "\n")] = '\0';
    return base_fail(error, LULL_INVALID,
                     "%s: is being trained in already%s%s; wait for it, end it, or name another "
                     "folder",
                     run, who[0] ? " by " : "", who);
}

/* Whether the open file is still the one that the path names: its holder removes it at the end. */
static bool is_at(const char *path, int file) {
    struct stat open_one, named;
    return fstat(file, &open_one) == 0 && stat(path, &named) == 0 &&
           open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

/* The lock is the kernel's and goes with the process, however that ends; the text in it says who.
 */
static lull_status lock(train_folder *folder, lull_error *error) {
    char path[TRAIN_FOLDER_PATH], host[256] = "", who[320];
    train_folder_file(folder->path, "lock", path);
    for (;;) {
        int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (file < 0)
            return base_fail(error, LULL_IO, "%s: cannot be made: %s", path, strerror(errno));
        struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        if (fcntl(file, F_SETLK, &whole) != 0) {
            int reason = errno;
            lull_status status = LULL_OK;
            if (reason == EAGAIN || reason == EACCES) status = taken(folder->path, file, error);
            close(file); /* a file system without locks: train all the same */
            return status;
        }
        if (!is_at(path, file)) {
            close(file);
            continue;
        }
        folder->lock = file;
        break;
    }
    gethostname(host, sizeof host - 1);
    int n = snprintf(who, sizeof who, "process %ld on %s\n", (long)getpid(), host);
    if (ftruncate(folder->lock, 0) != 0 || pwrite(folder->lock, who, (size_t)n, 0) != n)
        return LULL_OK; /* then nobody can read who */
    return LULL_OK;
}

void train_folder_close(train_folder *folder) {
    char path[TRAIN_FOLDER_PATH];
    if (folder->path == NULL || folder->lock < 0) return;
    train_folder_file(folder->path, "lock", path);
    unlink(path);
    close(folder->lock);
    folder->lock = -1;
}

/* ---- opening ------------------------------------------------------------------------------ */

lull_status train_folder_open(const char *path, bool resume, train_folder *folder,
                              lull_error *error) {
    char checkpoints[TRAIN_FOLDER_PATH], samples[TRAIN_FOLDER_PATH], log[TRAIN_FOLDER_PATH];
    bool exists = false;
    *folder = (train_folder){path, -1};
    train_folder_file(path, "checkpoints", checkpoints);
    train_folder_file(path, "samples", samples);
    train_folder_file(path, "log.jsonl", log);
    lull_status status = make(path, error);
    if (!status) status = lock(folder, error);
    if (!status && !resume) status = train_checkpoint_exists(path, &exists, error);
    if (!status && !resume && (exists || access(log, F_OK) == 0))
        status = base_fail(
            error, LULL_INVALID,
            "%s already holds a run: continue it with --resume %s, or name another folder", path,
            path);
    if (!status) status = make(checkpoints, error);
    if (!status) status = make(samples, error);
    if (!status) status = remove_unfinished(path, error);
    if (!status) status = remove_unfinished(samples, error);
    if (!status) status = remove_unfinished(checkpoints, error);
    if (status) train_folder_close(folder);
    return status;
}
