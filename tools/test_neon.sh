#!/bin/sh
# Tests the kernels for Arm (NEON) on another machine: builds them and their test for aarch64, runs it under qemu.
#
#     apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
#     sh tools/test_neon.sh
#
# cmocka for Arm is not needed: a few macros stand in for it.
set -eu
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT INT TERM

cat > "$folder/cmocka.h" <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
typedef struct CMUnitTest { const char *name; void (*run)(void **); } CMUnitTest;
#define fail_msg(...) (printf(__VA_ARGS__), printf(" (%s:%d)\n", __FILE__, __LINE__), exit(1))
#define print_message printf
#define assert_true(x) ((x) ? (void)0 : fail_msg("not so: %s", #x))
#define assert_false(x) assert_true(!(x))
#define assert_null(x) assert_true((x) == NULL)
#define assert_non_null(x) assert_true((x) != NULL)
#define assert_int_equal(a, b) assert_true((long long)(a) == (long long)(b))
#define assert_ptr_equal(a, b) assert_true((a) == (b))
#define assert_string_equal(a, b) assert_true(strcmp(a, b) == 0)
#define assert_memory_equal(a, b, n) assert_true(memcmp(a, b, n) == 0)
#define cmocka_unit_test(f) {#f, f}
#define cmocka_run_group_tests(tests, set_up, tear_down) run_tests(tests, sizeof tests / sizeof *tests, set_up)
static inline int run_tests(const CMUnitTest *tests, size_t n, int (*set_up)(void **)) {
    if (set_up && set_up(NULL)) return 1;
    for (size_t i = 0; i < n; i++) tests[i].run(NULL), printf("[       OK ] %s\n", tests[i].name);
    return 0;
}
END

for test in kernels dispatch; do
    more=
    [ $test = kernels ] && more=tests/nn/emulated_amx.c
    aarch64-linux-gnu-gcc -std=c11 -O2 -Wall -Wextra -D_GNU_SOURCE -DNN_NEON -ffp-contract=off -I"$folder" -Iinclude \
        -Isrc -Itests/nn -o "$folder/$test" tests/nn/$test.c $more src/nn/portable.c src/base/cpu.c src/nn/neon.c src/nn/reference.c \
        src/nn/dispatch.c src/nn/self_check.c -lpthread -lm
    qemu-aarch64 -L /usr/aarch64-linux-gnu "$folder/$test"
done
