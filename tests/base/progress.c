/* The bar keeps quiet where nobody looks, and shows itself on a terminal after two seconds. */
#include "temporary.h"

#include <fcntl.h>
#include <poll.h>

#include "base/clock.h"
#include "base/progress.h"

/* What a bar writes while its clock is set two and a half seconds back. stderr goes to the
 * descriptor. */
static void draw(int descriptor, bool quiet) {
    fflush(stderr);
    int before = dup(STDERR_FILENO);
    assert_true(before >= 0);
    assert_true(dup2(descriptor, STDERR_FILENO) >= 0);
    progress bar;
    progress_begin(&bar, "work", 10, quiet);
    progress_update(&bar, 1, "too early");
    bar.started -= 2.5;
    progress_update(&bar, 5, "12.3x real time");
    progress_update(&bar, 6, "too soon after the last");
    progress_end(&bar);
    progress_end(&bar);
    fflush(stderr);
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    close(before);
}

static void silent_without_a_terminal(void **state) {
    (void)state;
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    draw(pipe_ends[1], false);
    close(pipe_ends[1]);
    char byte;
    assert_int_equal(read(pipe_ends[0], &byte, 1), 0);
    close(pipe_ends[0]);
}

static void draws_on_a_terminal(void **state) {
    (void)state;
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) skip();
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    if (terminal < 0) skip();
    char text[1024] = "";
    assert_int_equal(fcntl(master, F_SETFL, O_NONBLOCK), 0);
    /* The kernel passes on what was written when it comes to it. */
    struct pollfd readable = {.fd = master, .events = POLLIN};
    draw(terminal, true);
    assert_int_equal(poll(&readable, 1, 200), 0);
    draw(terminal, false);
    size_t got = 0;
    while (got < sizeof text - 1 &&
           poll(&readable, 1, got > 0 && text[got - 1] == 'K' ? 100 : 5000) > 0) {
        ssize_t more = read(master, text + got, sizeof text - 1 - got);
        if (more <= 0) break;
        got += (size_t)more;
    }
    text[got] = '\0';
    assert_contains(text, "work [############............]  50 %");
    assert_contains(text, "0:03 left"); /* as long again as it took so far: 2.5 s */
    assert_contains(text, "12.3x real time");
    assert_null(strstr(text, "too"));
    /* Erased at the end. */
    assert_string_equal(text + strlen(text) - 4, "\r\033[K");
    close(terminal);
    close(master);
}

static void time_goes_on(void **state) {
    (void)state;
    double a = base_now(), b = base_now();
    assert_true(b >= a);
    assert_true(a > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silent_without_a_terminal),
        cmocka_unit_test(draws_on_a_terminal),
        cmocka_unit_test(time_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
