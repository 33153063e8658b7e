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
    assert_int_equal(vocoder_resolve_options(&options, NULL, NULL, &resolved, &error), LULL_OK);
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
    assert_int_equal(vocoder_resolve_options(&options, NULL, NULL, &resolved, &error), LULL_OK);
    assert_int_equal(resolved.steps, 3);
    assert_int_equal(resolved.queue_frames, 5);
    assert_int_equal(resolved.postnet, 0);
    assert_true(resolved.refine_momentum != 0.25f);
    assert_int_equal(resolved.struct_size, sizeof resolved);
    options.struct_size = 48;
    assert_int_equal(vocoder_resolve_options(&options, NULL, NULL, &resolved, &error),
                     LULL_INVALID);
    assert_non_null(strstr(error.message, "lull_options_init"));
    options.struct_size = 1 << 20;
    assert_int_equal(vocoder_resolve_options(&options, NULL, NULL, &resolved, &error),
                     LULL_INVALID);
}

static void a_later_one(void **state) {
    (void)state;
    later options;
    lull_options resolved;
    lull_options_init_sized(&options.known, sizeof options);
    options.known.steps = 3;
    assert_int_equal(options.more, 0);
    assert_int_equal(vocoder_resolve_options(&options.known, NULL, NULL, &resolved, &error),
                     LULL_OK);
    assert_int_equal(resolved.steps, 3);
    options.last = 1 << 24; /* whichever end its bytes begin at */
    assert_int_equal(vocoder_resolve_options(&options.known, NULL, NULL, &resolved, &error),
                     LULL_UNSUPPORTED);
    assert_non_null(strstr(error.message, "does not know"));
}

/* A model's settings are for its hop: longer frames get more iterations and stay open for fewer. What
 * was asked for stays. */
static void settings_fit_the_hop(void **state) {
    (void)state;
    model_config config;
    model_config_default(&config);
    model_settings *live = &config.uses[LULL_LIVE];
    live->refine = 8;
    live->refine_window = 4;
    mel_convention mels = config.mel;
    lull_options options, resolved;
    lull_options_init(&options);
    const struct {
        int hop, rate, refine, window;
    } cases[] = {{256, 22050, 8, 4}, {480, 24000, 14, 2}, {256, 16000, 12, 3},
                 {512, 44100, 8, 4}, {128, 22050, 4, 8},  {2205, 22050, 69, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mels.hop = cases[i].hop;
        mels.sample_rate = cases[i].rate;
        config.mel.sample_rate = 22050;
        assert_int_equal(vocoder_resolve_options(&options, &config, &mels, &resolved, &error),
                         LULL_OK);
        assert_int_equal(resolved.refine, cases[i].refine);
        assert_int_equal(resolved.refine_window, cases[i].window);
    }
    live->refine = live->refine_window = 0;
    assert_int_equal(vocoder_resolve_options(&options, &config, &mels, &resolved, &error), LULL_OK);
    assert_int_equal(resolved.refine, 0);
    assert_int_equal(resolved.refine_window, 0);
    options.refine = 5;
    options.refine_window = 3;
    assert_int_equal(vocoder_resolve_options(&options, &config, &mels, &resolved, &error), LULL_OK);
    assert_int_equal(resolved.refine, 5);
    assert_int_equal(resolved.refine_window, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(sizes),
        cmocka_unit_test(earlier),
        cmocka_unit_test(a_later_one),
        cmocka_unit_test(settings_fit_the_hop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
