/* A temporary folder for a test, and small things that tests do with files. */
#ifndef TESTS_TEMPORARY_H
#define TESTS_TEMPORARY_H

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char temporary_folder[64];

/* "/tmp" is on the drive that a program of Windows was started from. */
#ifdef _WIN32
#include <direct.h>
#include <io.h>
static inline char *mkdtemp(char *name) {
    _mkdir("/tmp");
    return _mktemp(name) && _mkdir(name) == 0 ? name : NULL;
}
#endif

static inline int temporary_begin(void **state) {
    (void)state;
    strcpy(temporary_folder, "/tmp/lull-test-XXXXXX");
    return mkdtemp(temporary_folder) ? 0 : -1;
}

static inline int temporary_end(void **state) {
    (void)state;
    char command[128];
#ifdef _WIN32
    for (char *c = temporary_folder; *c; c++)
        if (*c == '/') *c = '\\';
    snprintf(command, sizeof command, "rmdir /s /q %s", temporary_folder);
#else
    snprintf(command, sizeof command, "rm -rf '%s'", temporary_folder);
#endif
    return system(command);
}

/* "FOLDER/name"; good until the eighth call after this one. */
static inline const char *temporary_path(const char *name) {
    static char paths[8][512];
    static int turn;
    char *path = paths[turn++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", temporary_folder, name);
    return path;
}

/* How many files the folder has, hidden ones too: shows temporary files that were left. */
static inline int temporary_count(void) {
    DIR *folder = opendir(temporary_folder);
    assert_non_null(folder);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) count++;
    }
    closedir(folder);
    return count;
}

static inline void file_put(const char *path, const void *data, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    if (size > 0) assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* The bytes of a file, to be freed with free. */
static inline unsigned char *file_get(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    unsigned char *data = malloc(*size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *size, file), *size);
    data[*size] = 0;
    fclose(file);
    return data;
}

static inline void assert_file_is(const char *path, const char *text) {
    size_t size;
    char *data = (char *)file_get(path, &size);
    assert_string_equal(data, text);
    assert_int_equal(size, strlen(text));
    free(data);
}

#define assert_contains(text, part)                                                                \
    do {                                                                                           \
        if (!strstr((text), (part))) fail_msg("\"%s\" is not in \"%s\"", (part), (text));          \
    } while (0)

#endif
