/* lull_options: structs of programs that were built with an earlier or a later lull.h. */
#include "models.h"

#include "vocoder/options.h"

#include <string.h>

static lull_error error;

/* A lull_options with fields behind it that this library does not know. */
typedef struct later {
    lull_options known;
    int more, last;
} later;

static void defaults(void **state) {
    (void)state;
    lull_options options, resolved;
    memset(&options, 0xa5, sizeof options);
    lull_options_init(&options);
    assert_int_equal(options.struct_size, sizeof options);
    assert_int_equal(options.threads, 1);
    assert_int_equal(options.postnet, -1);
    assert_int_equal(vocoder_resolve_options(&options, NULL, &resolved, &error), LULL_OK);
    lull_options_init(NULL);
}

/* Every size is written up to its end and not beyond, and says so. */
static void sizes(void **state) {
    (void)state;
    union {
        lull_options options;
        unsigned char bytes[2 * sizeof(lull_options)];
    } room;
    for (size_t size = 0; size <= sizeof room; size++) {
        memset(&room, 0xa5, sizeof room);
        lull_options_init_sized(&room.options, size);
        for (size_t i = size < sizeof(size_t) ? 0 : size; i < sizeof room; i++)
            assert_int_equal(room.bytes[i], 0xa5);
        for (size_t i = sizeof(lull_options); i < size; i++) assert_int_equal(room.bytes[i], 0);
        if (size >= sizeof(size_t)) assert_int_equal(room.options.struct_size, size);
    }
}

static void earlier(void **state) {
    (void)state;
    lull_options options, resolved;
    (lull_options_init)(&options); /* the function, as programs before 0.2 call it */
    options.steps = 3;
    options.queue_frames = 5;
    options.refine_momentum = 0.25f; /* behind what it says it has */
    options.postnet = 77;
    assert_int_equal(vocoder_resolve_options(&options, NULL, &resolved, &error), LULL_OK);
    assert_int_equal(resolved.steps, 3);
    assert_int_equal(resolved.queue_frames, 5);
    assert_int_equal(resolved.postnet, 0);
    assert_true(resolved.refine_momentum != 0.25f);
    assert_int_equal(resolved.struct_size, sizeof resolved);
    options.struct_size = 48;
    assert_int_equal(vocoder_resolve_options(&options, NULL, &resolved, &error), LULL_INVALID);
    assert_non_null(strstr(error.message, "lull_options_init"));
    options.struct_size = 1 << 20;
    assert_int_equal(vocoder_resolve_options(&options, NULL, &resolved, &error), LULL_INVALID);
}

static void a_later_one(void **state) {
    (void)state;
    later options;
    lull_options resolved;
    lull_options_init_sized(&options.known, sizeof options);
    options.known.steps = 3;
    assert_int_equal(options.more, 0);
    assert_int_equal(vocoder_resolve_options(&options.known, NULL, &resolved, &error), LULL_OK);
    assert_int_equal(resolved.steps, 3);
    options.last = 1 << 24; /* whichever end its bytes begin at */
    assert_int_equal(vocoder_resolve_options(&options.known, NULL, &resolved, &error),
                     LULL_UNSUPPORTED);
    assert_non_null(strstr(error.message, "does not know"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(sizes),
        cmocka_unit_test(earlier),
        cmocka_unit_test(a_later_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
