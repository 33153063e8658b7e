/* Feeds files to a harness without libFuzzer: replay FILE-OR-FOLDER… Regressions are tested by any
 * compiler so. */
#include "fuzz.h"

#include <dirent.h>
#include <sys/stat.h>

static size_t replayed;

static void replay_file(const char *path) {
    FILE *file = fopen(path, "rb");
    expect(file);
    expect(fseek(file, 0, SEEK_END) == 0);
    long size = ftell(file);
    expect(size >= 0 && fseek(file, 0, SEEK_SET) == 0);
    /* Exactly as large as it is, so that a sanitizer sees every byte beyond. */
    uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
    expect(data);
    expect(fread(data, 1, (size_t)size, file) == (size_t)size);
    fclose(file);
    fprintf(stderr, "%s\n", path); /* the last line before a crash */
    LLVMFuzzerTestOneInput(data, (size_t)size);
    replayed++;
    /* And cut off anywhere. */
    for (int i = 1; i <= 8; i++) {
        size_t cut = (size_t)size * (size_t)i / 9;
        uint8_t *part = malloc(cut > 0 ? cut : 1);
        expect(part);
        memcpy(part, data, cut);
        LLVMFuzzerTestOneInput(part, cut);
        free(part);
    }
    free(data);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        struct stat status;
        expect(stat(argv[i], &status) == 0);
        if (!S_ISDIR(status.st_mode)) {
            replay_file(argv[i]);
            continue;
        }
        struct dirent **names;
        int count = scandir(argv[i], &names, NULL, alphasort);
        expect(count >= 0);
        for (int k = 0; k < count; k++) {
            char path[4096];
            snprintf(path, sizeof path, "%s/%s", argv[i], names[k]->d_name);
            if (names[k]->d_name[0] != '.') replay_file(path);
            free(names[k]);
        }
        free(names);
    }
    printf("%zu inputs\n", replayed);
    expect(replayed > 0);
    return 0;
}
