/* Which table is chosen: the first runnable one that pays, LULL_CPU's when there is one, the same from every
 * thread. */
#include "base/cpu.h"
#include "nn/kernels.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* The choice is made once a process, so each question is asked in a process of its own. True when
 * the table that `wanted` (NULL: unset) leads to is `expected`. */
static bool leads_to(const char *wanted, const char *expected) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (wanted)
            setenv("LULL_CPU", wanted, 1);
        else
            unsetenv("LULL_CPU");
        _exit(strcmp(nn_kernels_get()->name, expected) == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Fastest first. */
static const char *const every_name[] = {"amx",  "avx512bf16", "avx512",   "avx2",
                                         "neon", "portable",   "reference"};

static void test_environment(void **unused) {
    (void)unused;
    const char *best = NULL;
    for (size_t i = 0; i < sizeof every_name / sizeof every_name[0] && !best; i++) {
        /* Runs on some processors that it does not pay on. */
        const bool pays = strcmp(every_name[i], "avx512bf16") != 0 || base_cpu_bf16_pays();
        if (pays && leads_to(every_name[i], every_name[i])) best = every_name[i];
    }
    assert_non_null(best);
    assert_true(leads_to(NULL, best));
    assert_true(leads_to("reference", "reference"));
    assert_true(leads_to("portable", "portable"));
    assert_true(leads_to("abacus", best));
    assert_true(leads_to("", best));
}

static void *ask(void *answer) {
    *(const nn_kernels **)answer = nn_kernels_get();
    return NULL;
}

static void test_threads(void **unused) {
    (void)unused;
    enum { THREADS = 8 };
    pthread_t asking[THREADS];
    const nn_kernels *answers[THREADS] = {NULL};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&asking[i], NULL, ask, (void *)&answers[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(asking[i], NULL), 0);
        assert_ptr_equal(answers[i], nn_kernels_get());
    }
}

static void test_names(void **unused) {
    (void)unused;
    const char *const *names = nn_kernels_names();
    int runnable = 0;
    for (; *names; names++) {
        const nn_kernels *table = nn_kernels_named(*names);
        if (!table) continue;
        assert_string_equal(table->name, *names);
        runnable++;
    }
    assert_true(runnable >= 2);
    assert_null(nn_kernels_named("abacus"));
    assert_non_null(nn_kernels_named("reference"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
