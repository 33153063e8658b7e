/* The public mel front end gives what src/mel computes, however the samples are cut. */
#include "base/memory.h"
#include "base/random.h"
#include "goldens.h"
#include "mel/front_end.h"
#include "model/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { SAMPLES = 5000, BANDS = 80 };

static lull_model *open_model(void) {
    lull_model *model = NULL;
    lull_error error;
    if (lull_model_open(source_path("models/lull-bootstrap-16k.safetensors"), &model, &error))
        fail_msg("%s", error.message);
    return model;
}

static void same_frames(void **state) {
    (void)state;
    lull_model *model = open_model();
    float samples[SAMPLES], *should = NULL, frames[40 * BANDS];
    size_t count = 0;
    random_normal(3, 0, 0, samples, SAMPLES);
    for (int i = 0; i < SAMPLES; i++) samples[i] *= 0.1f;
    assert_int_equal(mel_from_samples(&model->config.mel, samples, SAMPLES, &should, &count, NULL),
                     LULL_OK);
    assert_true(count >= SAMPLES / 256 && count <= 40);
    const size_t cuts[] = {1, 7, 256, SAMPLES};
    for (size_t c = 0; c < sizeof cuts / sizeof *cuts; c++) {
        lull_mel *mel = NULL;
        size_t got = 0, n = 0;
        assert_int_equal(lull_mel_new(model, &mel, NULL), LULL_OK);
        for (size_t at = 0; at < SAMPLES; at += cuts[c]) {
            size_t piece = SAMPLES - at < cuts[c] ? SAMPLES - at : cuts[c];
            assert_int_equal(lull_mel_push(mel, samples + at, piece, NULL), LULL_OK);
            assert_int_equal(lull_mel_pull(mel, frames + got * BANDS, 40 - got, &n, NULL), LULL_OK);
            got += n;
        }
        assert_int_equal(lull_mel_finish(mel, NULL), LULL_OK);
        assert_int_equal(lull_mel_finish(mel, NULL), LULL_OK);
        assert_int_equal(lull_mel_pull(mel, frames + got * BANDS, 40 - got, &n, NULL), LULL_OK);
        got += n;
        assert_int_equal(got, count);
        assert_memory_equal(frames, should, count * BANDS * sizeof *should);
        lull_error error;
        assert_int_equal(lull_mel_push(mel, samples, 1, &error), LULL_FINISHED);
        assert_non_null(strstr(error.message, "lull_mel_reset"));
        lull_mel_free(mel);
    }
    base_free(should);
    lull_model_close(model);
}

static void refuses(void **state) {
    (void)state;
    lull_model *model = open_model();
    lull_mel *mel = NULL;
    lull_error error;
    size_t n;
    assert_int_equal(lull_mel_new(NULL, &mel, &error), LULL_INVALID);
    assert_int_equal(lull_mel_new(model, &mel, &error), LULL_OK);
    const float bad[] = {0, INFINITY};
    assert_int_equal(lull_mel_push(mel, bad, 2, &error), LULL_NOT_FINITE);
    assert_non_null(strstr(error.message, "sample 1"));
    assert_int_equal(lull_mel_push(mel, NULL, 2, &error), LULL_INVALID);
    assert_int_equal(lull_mel_pull(mel, NULL, 2, &n, &error), LULL_INVALID);
    assert_int_equal(lull_mel_push(NULL, bad, 1, &error), LULL_INVALID);
    lull_mel_free(mel);
    lull_mel_free(NULL);
    lull_model_close(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_frames), cmocka_unit_test(refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
