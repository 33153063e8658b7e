/* Settings of a run through their file. */
#include "helpers.h"

#include "base/memory.h"
#include "train/settings.h"

#include "io/file_bytes.h"

static lull_status read_settings(const char *path, train_settings *settings, model_config *config,
                                 lull_error *error) {
    file_bytes bytes = {0};
    lull_status status = file_bytes_read(path, &bytes, error);
    if (!status)
        status = train_settings_parse(bytes.data, bytes.size, path, settings, config, error);
    file_bytes_free(&bytes);
    return status;
}

static void settings_file(void **state) {
    (void)state;
    char folder[TEST_PATH], path[TEST_PATH];
    make_temporary(folder);
    join(path, folder, "config.json");
    train_settings settings, again;
    model_config config, config_again;
    lull_error error = {0};
    memset(&settings, 0, sizeof settings);
    train_settings_default(&settings);
    strcpy(settings.corpus, "/somewhere/\"quoted\" ü");
    settings.seed = 18446744073709551557u; /* does not fit a double */
    settings.rate = 0.1234567890123;
    settings.course = TRAIN_CONSTANT;
    settings.optimizer = TRAIN_ADAMW;
    settings.density = TRAIN_DENSITY_START;
    settings.bf16 = true;
    settings.max_steps = 123456789012;
    tiny_config(&config);
    if (train_settings_write(path, &settings, &config, &error)) fail_msg("%s", error.message);
    if (read_settings(path, &again, &config_again, &error)) fail_msg("%s", error.message);
    assert_string_equal(again.corpus, settings.corpus);
    assert_true(again.seed == settings.seed && again.rate == settings.rate &&
                again.course == TRAIN_CONSTANT && again.optimizer == TRAIN_ADAMW &&
                again.density == TRAIN_DENSITY_START);
    assert_true(again.bf16 && again.max_steps == settings.max_steps && again.keep == 3);
    assert_int_equal(config_again.channels, config.channels);
    const char *broken[][2] = {{"{\"model\":{},\"training\":{\"bach\":3}}", "training.bach"},
                               {"{\"model\":{},\"training\":{\"batch\":\"x\"}}", "training.batch"},
                               {"{\"model\":{},\"training\":{\"batch\":0}}", "batch is 0"},
                               {"{\"format\":1}", "config.json of a run"},
                               {"{", ""}};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        FILE *file = fopen(path, "w");
        fputs(broken[i][0], file);
        fclose(file);
        assert_int_not_equal(read_settings(path, &again, &config_again, &error), LULL_OK);
        if (!strstr(error.message, broken[i][1])) fail_msg("%s: '%s'", broken[i][0], error.message);
    }
    /* The STFT loss wants a waveform, which a noise prediction does not give at the start. */
    train_settings_default(&settings);
    settings.stft = 1.0;
    assert_int_equal(train_settings_check(&settings, &config, &error), LULL_OK);
    config.objective = DIFFUSION_NOISE;
    assert_int_equal(train_settings_check(&settings, &config, &error), LULL_INVALID);
    remove_all(folder);
}

/* What a model says of its training goes on with what was said of the model before. */
static void facts_of_the_model_before_are_kept(void **state) {
    (void)state;
    train_settings settings;
    train_settings_default(&settings);
    char *alone = train_settings_facts(&settings, 5, 2.5, "");
    assert_true(strstr(alone, "{\"seed\"") == alone && strstr(alone, "\"steps\":5"));
    settings.part = TRAIN_PITCH;
    char *added = train_settings_facts(&settings, 7, 2.5, alone);
    assert_non_null(strstr(added, "\"steps\":5"));
    assert_non_null(strstr(added, "\"pitch\":{"));
    assert_non_null(strstr(added, "\"steps\":7"));
    settings.part = TRAIN_DENOISER;
    char *tuned = train_settings_facts(&settings, 9, 2.5, added);
    assert_non_null(strstr(tuned, "\"pitch\":{"));
    assert_non_null(strstr(tuned, "\"denoiser\":{"));
    assert_non_null(strstr(tuned, "\"steps\":9"));
    assert_null(strstr(tuned, "\"steps\":5"));
    base_free(alone);
    base_free(added);
    base_free(tuned);
}

static void try_default(void *context, const char *place, const member *row) {
    static train_settings settings;
    (void)context;
    if (row->initial && members_set(train_settings_members, &settings, place, row->initial, NULL))
        fail_msg("%s: default %s", place, row->initial);
    if (!row->help) fail_msg("%s has no words", place);
}

static void defaults_are_values(void **state) {
    (void)state;
    members_walk(train_settings_members, "", try_default, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_file),
        cmocka_unit_test(facts_of_the_model_before_are_kept),
        cmocka_unit_test(defaults_are_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
