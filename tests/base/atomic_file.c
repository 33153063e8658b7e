/* Files appear complete or not at all, and every failed write is noticed. */
#include "temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/atomic_file.h"
#include "base/memory.h"

static void appears_on_commit(void **state) {
    (void)state;
    const char *path = temporary_path("new.bin");
    atomic_file *file;
    assert_int_equal(atomic_file_open(path, &file, NULL), LULL_OK);
    assert_int_equal(atomic_file_write(file, "hello ", 6, NULL), LULL_OK);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(temporary_count(), 1);
    assert_true(atomic_file_descriptor(file) >= 0);
    assert_int_equal(atomic_file_write(file, "world", 5, NULL), LULL_OK);
    assert_int_equal(atomic_file_write(file, NULL, 0, NULL), LULL_OK);
    assert_int_equal(atomic_file_commit(file, NULL), LULL_OK);
    assert_file_is(path, "hello world");
    assert_int_equal(temporary_count(), 1);
}

static void old_file_stays_until_commit(void **state) {
    (void)state;
    const char *path = temporary_path("old.txt");
    file_put(path, "old", 3);
    atomic_file *file;
    assert_int_equal(atomic_file_open(path, &file, NULL), LULL_OK);
    assert_int_equal(atomic_file_write(file, "newer", 5, NULL), LULL_OK);
    assert_file_is(path, "old");
    atomic_file_abandon(file);
    atomic_file_abandon(NULL);
    assert_file_is(path, "old");
    assert_int_equal(temporary_count(), 1);
    assert_int_equal(atomic_file_open(path, &file, NULL), LULL_OK);
    assert_int_equal(atomic_file_write(file, "newer", 5, NULL), LULL_OK);
    assert_int_equal(atomic_file_commit(file, NULL), LULL_OK);
    assert_file_is(path, "newer");
    assert_int_equal(temporary_count(), 1);
}

static void mode_follows_the_umask(void **state) {
    (void)state;
    const char *path = temporary_path("mode.txt");
    mode_t masks[] = {022, 077, 002};
    for (int i = 0; i < 3; i++) {
        unlink(path);
        mode_t before = umask(masks[i]);
        atomic_file *file;
        assert_int_equal(atomic_file_open(path, &file, NULL), LULL_OK);
        assert_int_equal(atomic_file_commit(file, NULL), LULL_OK);
        umask(before);
        struct stat status;
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0666 & ~masks[i]);
    }
}

static void link_stays_a_link(void **state) {
    (void)state;
    const char *target = temporary_path("target.txt"), *link = temporary_path("link.txt");
    file_put(target, "old", 3);
    assert_int_equal(symlink("target.txt", link), 0);
    atomic_file *file;
    assert_int_equal(atomic_file_open(link, &file, NULL), LULL_OK);
    assert_int_equal(atomic_file_write(file, "new", 3, NULL), LULL_OK);
    assert_int_equal(atomic_file_commit(file, NULL), LULL_OK);
    struct stat status;
    assert_int_equal(lstat(link, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_file_is(target, "new");
    /* Two links in a row, to what is not there yet. */
    const char *second = temporary_path("second.txt");
    assert_int_equal(unlink(target), 0);
    assert_int_equal(symlink(link, second), 0);
    assert_int_equal(atomic_file_open(second, &file, NULL), LULL_OK);
    assert_int_equal(atomic_file_write(file, "first", 5, NULL), LULL_OK);
    assert_int_equal(atomic_file_commit(file, NULL), LULL_OK);
    assert_int_equal(lstat(second, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_file_is(target, "first");
    /* A circle is refused like any path that leads nowhere. */
    assert_int_equal(unlink(link), 0);
    assert_int_equal(symlink(second, link), 0);
    assert_int_equal(atomic_file_open(second, &file, NULL), LULL_IO);
}

static void two_writers_do_not_meet(void **state) {
    (void)state;
    const char *path = temporary_path("shared.txt");
    atomic_file *a, *b;
    assert_int_equal(atomic_file_open(path, &a, NULL), LULL_OK);
    assert_int_equal(atomic_file_open(path, &b, NULL), LULL_OK);
    assert_int_equal(temporary_count(), 2);
    assert_int_equal(atomic_file_write(a, "first", 5, NULL), LULL_OK);
    assert_int_equal(atomic_file_write(b, "second", 6, NULL), LULL_OK);
    assert_int_equal(atomic_file_commit(a, NULL), LULL_OK);
    assert_file_is(path, "first");
    assert_int_equal(atomic_file_commit(b, NULL), LULL_OK);
    assert_file_is(path, "second");
    assert_int_equal(temporary_count(), 1);
}

static void long_names_work(void **state) {
    (void)state;
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    const char *path = temporary_path(name);
    atomic_file *file;
    assert_int_equal(atomic_file_open(path, &file, NULL), LULL_OK);
    assert_int_equal(atomic_file_commit(file, NULL), LULL_OK);
    assert_int_equal(access(path, F_OK), 0);
}

static void refuses_what_cannot_be(void **state) {
    (void)state;
    lull_error error;
    atomic_file *file = (atomic_file *)1;
    const char *missing = temporary_path("no/such/file.wav");
    assert_int_equal(atomic_file_open(missing, &file, &error), LULL_IO);
    assert_null(file);
    assert_contains(error.message, missing);
    assert_contains(error.message, "folder");
    assert_int_equal(atomic_file_open(temporary_folder, &file, &error), LULL_IO);
    assert_contains(error.message, "directory");
    assert_int_equal(atomic_file_open(temporary_path("name/"), &file, &error), LULL_IO);
    assert_contains(error.message, "directory");
    assert_int_equal(atomic_file_open("", &file, &error), LULL_INVALID);
    assert_int_equal(temporary_count(), 0);
}

static void full_device_is_an_error(void **state) {
    (void)state;
    lull_error error;
    atomic_file *file;
    assert_int_equal(atomic_file_open("/dev/full", &file, &error), LULL_OK);
    assert_int_equal(temporary_count(), 0);
    assert_int_equal(atomic_file_write(file, "x", 1, &error), LULL_IO);
    assert_contains(error.message, "'/dev/full'");
    assert_contains(error.message, "No space left");
    assert_int_equal(atomic_file_failed(file, EIO, &error), LULL_IO);
    assert_contains(error.message, "'/dev/full'");
    atomic_file_abandon(file);
    struct stat status;
    assert_int_equal(stat("/dev/full", &status), 0);
    assert_true(S_ISCHR(status.st_mode));
    assert_int_equal(atomic_file_open("/dev/null", &file, &error), LULL_OK);
    assert_int_equal(atomic_file_write(file, "x", 1, &error), LULL_OK);
    assert_int_equal(atomic_file_commit(file, &error), LULL_OK);
    assert_int_equal(stat("/dev/null", &status), 0);
    assert_true(S_ISCHR(status.st_mode));
}

/* A file-size limit stops the write half-way, as a full disk does. */
static void stopped_write_leaves_the_old_file(void **state) {
    (void)state;
    const char *path = temporary_path("limited.bin");
    file_put(path, "old", 3);
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 100000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    char *data = calloc(1, 300000);
    assert_non_null(data);
    lull_error error;
    atomic_file *file;
    lull_status opened = atomic_file_open(path, &file, &error);
    lull_status written = opened ? opened : atomic_file_write(file, data, 300000, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    free(data);
    assert_int_equal(opened, LULL_OK);
    assert_int_equal(written, LULL_IO);
    assert_contains(error.message, path);
    atomic_file_abandon(file);
    assert_file_is(path, "old");
    assert_int_equal(temporary_count(), 1);
}

static void writes_to_a_pipe(void **state) {
    (void)state;
    const char *path = temporary_path("pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    atomic_file *file;
    assert_int_equal(atomic_file_open(path, &file, NULL), LULL_OK);
    assert_int_equal(atomic_file_write(file, "through", 7, NULL), LULL_OK);
    assert_int_equal(atomic_file_commit(file, NULL), LULL_OK);
    char text[16] = "";
    assert_int_equal(read(reader, text, sizeof text), 7);
    assert_string_equal(text, "through");
    /* A reader that has gone. */
    lull_error error;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(atomic_file_open(path, &file, NULL), LULL_OK);
    close(reader);
    assert_int_equal(atomic_file_write(file, "x", 1, &error), LULL_IO);
    assert_contains(error.message, "Broken pipe");
    atomic_file_abandon(file);
    assert_int_equal(access(path, F_OK), 0);
}

static void commit_reports_a_lost_folder(void **state) {
    (void)state;
    const char *folder = temporary_path("folder"), *path = temporary_path("folder/file");
    assert_int_equal(system(strcat(strcpy((char[256]){0}, "mkdir "), folder)), 0);
    lull_error error;
    atomic_file *file;
    assert_int_equal(atomic_file_open(path, &file, &error), LULL_OK);
    assert_int_equal(system(strcat(strcpy((char[256]){0}, "rm -r "), folder)), 0);
    assert_int_equal(atomic_file_commit(file, &error), LULL_IO);
    assert_contains(error.message, path);
}

static void survives_lack_of_memory(void **state) {
    (void)state;
    const char *path = temporary_path("memory.txt");
    for (size_t n = 1; n <= 4; n++) {
        lull_error error;
        atomic_file *file;
        base_memory_fail_at(n);
        assert_int_equal(atomic_file_open(path, &file, &error), LULL_NO_MEMORY);
        base_memory_fail_at(0);
    }
    assert_int_equal(temporary_count(), 0);
}

#define test_here(name) cmocka_unit_test_setup_teardown(name, temporary_begin, temporary_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        test_here(appears_on_commit),
        test_here(old_file_stays_until_commit),
        test_here(mode_follows_the_umask),
        test_here(link_stays_a_link),
        test_here(two_writers_do_not_meet),
        test_here(long_names_work),
        test_here(refuses_what_cannot_be),
        test_here(full_device_is_an_error),
        test_here(stopped_write_leaves_the_old_file),
        test_here(writes_to_a_pipe),
        test_here(commit_reports_a_lost_folder),
        test_here(survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
