/* The configuration's JSON: both ways, and everything that is refused. */
#include "base/memory.h"
#include "model/config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void presets_are_valid(void **state) {
    (void)state;
    model_config config;
    lull_error error = {0};
    model_config_default(&config);
    if (model_config_check(&config, "default", &error)) fail_msg("%s", error.message);
    assert_int_equal(config.layers, 12);
    assert_int_equal(model_config_frames_per_hop(&config), 16);
    model_config_diffwave(&config);
    if (model_config_check(&config, "diffwave", &error)) fail_msg("%s", error.message);
    /* 30 layers in cycles of 10: 3 × 1023 samples each way. */
    assert_int_equal(model_config_network_look_ahead(&config), 3069);
    assert_int_equal(model_config_frames_per_hop(&config), 256);
    model_config_pitch(&config);
    if (model_config_check(&config, "pitch", &error)) fail_msg("%s", error.message);
}

static void survives_printing(model_config *config) {
    model_config back;
    lull_error error = {0};
    char *json = model_config_print(config);
    assert_non_null(json);
    if (model_config_parse(json, "printed", &back, &error)) fail_msg("%s", error.message);
    char *again = model_config_print(&back);
    assert_string_equal(json, again);
    assert_memory_equal(config->dilation, back.dilation, sizeof(int) * (size_t)config->layers);
    assert_memory_equal(config->look_ahead, back.look_ahead, sizeof(int) * (size_t)config->layers);
    assert_true(config->mel_scale == back.mel_scale &&
                config->schedule.beta_first == back.schedule.beta_first);
    assert_memory_equal(config->mel.mean, back.mel.mean, sizeof config->mel.mean);
    base_free(json);
    base_free(again);
}

static void round_trip(void **state) {
    (void)state;
    model_config config;
    model_config_default(&config);
    survives_printing(&config);
    model_config_diffwave(&config);
    survives_printing(&config);

    model_config_pitch(&config);
    survives_printing(&config);
    model_config_default(&config);
    model_config_add_postnet(&config);
    assert_int_equal(model_config_postnet_convolutions(&config), 7);
    model_config_add_pitch(&config);
    survives_printing(&config);

    model_config_default(&config);
    strcpy(config.name, "mülltonne \"7\"");
    config.layers = 7;
    for (int i = 0; i < 7; i++) config.dilation[i] = 1 + i * i, config.look_ahead[i] = i;
    config.mel_scale = 1.0 / 7;
    config.mel.statistics = true;
    for (int i = 0; i < config.mel.bands; i++)
        config.mel.mean[i] = (float)i / 3, config.mel.deviation[i] = 1 + (float)i / 9;
    config.objective = DIFFUSION_FLOW;
    config.schedule.kind = DIFFUSION_LINEAR;
    config.sampler = LULL_SAMPLER_HEUN;
    survives_printing(&config);
}

/* Members that are missing come from the preset of the family. */
static void fills_in(void **state) {
    (void)state;
    model_config config;
    lull_error error = {0};
    if (model_config_parse("{}", "empty", &config, &error)) fail_msg("%s", error.message);
    assert_int_equal(config.family, MODEL_LULL);
    if (model_config_parse(
            "{\"family\": \"diffwave\", \"network\": {\"layers\": 40, \"channels\": 32}}", "x",
            &config, &error))
        fail_msg("%s", error.message);
    assert_int_equal(config.dilation[39], 512);
    assert_int_equal(config.look_ahead[39], 512);
    if (model_config_parse("{\"mel\": {\"convention\": \"tacotron2\"}, \"network\": {\"layers\": "
                           "20, \"dilations\": "
                           "[1, 3], \"look_ahead\": [0]}}",
                           "x", &config, &error))
        fail_msg("%s", error.message);
    assert_true(config.mel.centred);
    assert_int_equal(config.dilation[19], 3);
    assert_int_equal(model_config_network_look_ahead(&config), 0);
}

static const struct {
    const char *json, *says;
    lull_status status;
} refused[] = {
    {"", "empty", LULL_FORMAT},
    {"[1]", "not a JSON object", LULL_FORMAT},
    {"{\"format\": 1", ":1:13: not valid JSON", LULL_FORMAT},
    {"{} {}", ":1:4: not valid JSON", LULL_FORMAT},
    {"{\"format\": 2}", "reads format 1", LULL_UNSUPPORTED},
    {"{\"format\": \"lull-bootstrap-1\"}", "lull-bootstrap-1", LULL_UNSUPPORTED},
    {"{\"family\": \"wavegrad\"}",
     "family is \"wavegrad\", expected one of lull, diffwave or pitch", LULL_FORMAT},
    {"{\"family\": \"pitch\", \"network\": {\"pitch\": {\"channels\": 0}}}",
     "network.pitch.channels above 0", LULL_INVALID},
    {"{\"network\": {\"pitch\": {\"channels\": 8, \"layers\": 1}}}", "it needs 2 at least",
     LULL_INVALID},
    {"{\"network\": {\"pitch\": {\"channels\": 8, \"layers\": 3, \"look_ahead\": 4}}}",
     "0 to 3 are possible", LULL_INVALID},
    {"{\"colour\": 1}", "colour is not known", LULL_FORMAT},
    {"{\"network\": {\"chanels\": 96}}", "network.chanels is not known", LULL_FORMAT},
    {"{\"network\": {\"channels\": 96, \"channels\": 97}}", "stands twice", LULL_FORMAT},
    {"{\"synthesis\": {\"low_latency\": {\"stepps\": 1}}}", "synthesis.low_latency.stepps",
     LULL_FORMAT},
    {"{\"process\": {\"schedule\": {\"kinds\": \"angle\"}}}", "process.schedule.kinds",
     LULL_FORMAT},
    {"{\"network\": 7}", "network is 7, expected an object", LULL_FORMAT},
    {"{\"name\": \"a\\u001b[2Jb\"}", "printable", LULL_FORMAT},
    {"{\"name\": 5}", "printable text", LULL_FORMAT},
    {"{\"\\u0007\": 5}", "(not printable)", LULL_FORMAT},
    {"{\"network\": {\"patch\": 15}}", "does not divide the hop of 256", LULL_INVALID},
    {"{\"network\": {\"postnet\": {\"channels\": 8, \"patch\": 3}}}",
     "the postnet's patch of 3 bands does not divide the mel's 80", LULL_INVALID},
    {"{\"network\": {\"kernel\": 4}}", "must be odd", LULL_INVALID},
    {"{\"network\": {\"channels\": 0}}", "from 1 to 1024", LULL_FORMAT},
    {"{\"network\": {\"channels\": 96.5}}", "network.channels is 96.5, expected a whole number",
     LULL_FORMAT},
    {"{\"network\": {\"channels\": 1e300}}", "from 1 to 1024", LULL_FORMAT},
    {"{\"network\": {\"channels\": -5}}", "from 1 to 1024", LULL_FORMAT},
    {"{\"network\": {\"channels\": \"96\"}}", "from 1 to 1024", LULL_FORMAT},
    {"{\"network\": {\"layers\": 1000000000}}", "from 1 to 128", LULL_FORMAT},
    {"{\"network\": {\"dilations\": []}}",
     "is an array of 0 values, expected an array of 1 to 128 whole numbers", LULL_FORMAT},
    {"{\"network\": {\"dilations\": [1,2,3,4,5,6,7,8,9,10,11,12,13]}}", "array of 1 to 12",
     LULL_FORMAT},
    {"{\"network\": {\"dilations\": [1, 0]}}", "dilations[1] is 0, expected a whole number from 1",
     LULL_FORMAT},
    {"{\"network\": {\"dilations\": [2147483648]}}", "whole number from 1", LULL_FORMAT},
    {"{\"network\": {\"look_ahead\": [2]}}", "looks 2 frames ahead; 0 to 1 are possible",
     LULL_INVALID},
    {"{\"network\": {\"look_ahead\": [-1]}}", "whole number from 0", LULL_FORMAT},
    {"{\"network\": {\"embedding\": {\"from\": 50, \"to\": 2}}}", "ascend", LULL_INVALID},
    {"{\"network\": {\"embedding\": {\"hidden\": 0}}}", "from 1 to 4096", LULL_FORMAT},
    {"{\"network\": {\"conditioner\": {\"channels\": 0}}}", "conditioner.channels is 0, expected",
     LULL_FORMAT},
    {"{\"network\": {\"conditioner\": {\"kernel\": 2}}}", "must be odd", LULL_INVALID},
    {"{\"network\": {\"conditioner\": {\"look_ahead\": 2}}}", "0 to 1 are possible", LULL_INVALID},
    {"{\"network\": {\"conditioner\": {\"mel_scale\": 0}}}", "scaled by 0", LULL_INVALID},
    {"{\"family\": \"diffwave\", \"network\": {\"conditioner\": {\"kernel\": 3}}}",
     "not for the family", LULL_FORMAT},
    {"{\"family\": \"diffwave\", \"mel\": {\"hop\": 300}}", "256 samples of a frame", LULL_INVALID},
    {"{\"family\": \"diffwave\", \"network\": {\"patch\": 2}}", "patches of 1 sample",
     LULL_INVALID},
    {"{\"family\": \"diffwave\", \"network\": {\"embedding\": {\"frequencies\": 32}}}",
     "64 frequencies", LULL_INVALID},
    {"{\"family\": \"diffwave\", \"process\": {\"objective\": \"v\", \"schedule\": {\"kind\": "
     "\"angle\"}}}",
     "must be betas", LULL_INVALID},
    {"{\"mel\": {\"convention\": \"melgan\"}}", "melgan", LULL_FORMAT},
    {"{\"mel\": {\"hop\": 0}}", "from 1 to", LULL_FORMAT},
    {"{\"mel\": {\"bands\": 100000}}", "from 1 to 512", LULL_FORMAT},
    {"{\"mel\": {\"window\": 2048}}", "window", LULL_INVALID},
    {"{\"mel\": {\"mean\": [1, 2]}}", "array of 80, one a band", LULL_FORMAT},
    {"{\"process\": {\"objective\": \"flow\"}}", "does not go with the schedule angle",
     LULL_INVALID},
    {"{\"process\": {\"objective\": \"score\"}}", "expected one of noise, v, flow or data",
     LULL_FORMAT},
    {"{\"synthesis\": {\"sampler\": \"fast\"}}", "training schedule", LULL_INVALID},
    {"{\"synthesis\": {\"sampler\": \"default\"}}", "no sampler", LULL_INVALID},
    {"{\"synthesis\": {\"steps\": 0}}", "from 1 to 1000", LULL_FORMAT},
    {"{\"synthesis\": {\"eta\": 2}}", "from 0 to 1", LULL_FORMAT},
    {"{\"synthesis\": {\"refine_window\": 257}}", "from 0 to 256", LULL_FORMAT},
};

static void refuses(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        model_config config;
        lull_error error = {0};
        lull_status status = model_config_parse(refused[i].json, "some.json", &config, &error);
        if (status != refused[i].status || !strstr(error.message, refused[i].says) ||
            strncmp(error.message, "some.json:", 10) || strchr(error.message, '\n'))
            fail_msg("%s gave %d '%s', expected %d '%s'", refused[i].json, status, error.message,
                     refused[i].status, refused[i].says);
    }
}

/* What no JSON can say but a caller can. */
static void checks_numbers(void **state) {
    (void)state;
    model_config config;
    model_config_default(&config);
    config.mel_offset = NAN;
    assert_int_equal(model_config_check(&config, "x", NULL), LULL_INVALID);
    model_config_default(&config);
    config.tilt_hz = -1;
    assert_int_equal(model_config_check(&config, "x", NULL), LULL_INVALID);
    model_config_default(&config);
    config.layers = 0;
    assert_int_equal(model_config_check(&config, "x", NULL), LULL_INVALID);
    model_config_default(&config);
    config.dilation[3] = 0;
    assert_int_equal(model_config_check(&config, "x", NULL), LULL_INVALID);
    model_config_default(&config);
    config.uses[LULL_LIVE].refine = -1;
    assert_int_equal(model_config_check(&config, "x", NULL), LULL_INVALID);
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    model_config config;
    model_config_default(&config);
    base_memory_fail_at(1);
    char *json = model_config_print(&config);
    base_memory_fail_at(0);
    assert_null(json);
}

static lull_status change(model_config *config, const char *assignment, lull_error *error) {
    lull_status status = model_config_set(config, assignment, error);
    return status ? status : model_config_check(config, "it", error);
}

static void assignments(void **state) {
    (void)state;
    model_config config;
    lull_error error = {0};
    model_config_default(&config);
    const char *several[] = {
        "network.channels=128", "network.layers=8", "network.dilations=[1,2,4,8]",
        "process.objective=v",  "name=\"mine\"",    "network.conditioner.channels=64"};
    for (int i = 0; i < 6; i++)
        if (change(&config, several[i], &error)) fail_msg("%s", error.message);
    assert_int_equal(config.channels, 128);
    assert_int_equal(config.layers, 8);
    assert_int_equal(config.dilation[7], 8);
    assert_int_equal(config.dilation[4], 1);
    assert_int_equal(config.conditioner_channels, 64);
    assert_string_equal(config.name, "mine");
    /* A sample rate brings the convention's numbers for it. */
    model_config_default(&config);
    if (change(&config, "mel.sample_rate=16000", &error)) fail_msg("%s", error.message);
    assert_int_equal(config.mel.sample_rate, 16000);
    mel_convention named;
    assert_int_equal(mel_convention_named("hifigan", 16000, &named, NULL), LULL_OK);
    assert_true(config.mel.fmax == named.fmax && config.mel.hop == named.hop);
    if (change(&config, "mel.fmax=7000", &error)) fail_msg("%s", error.message);
    assert_true(config.mel.fmax == 7000.0 && config.mel.sample_rate == 16000);
    /* Fewer layers than the cycle is long; DiffWave's look-ahead follows its dilations. */
    if (change(&config, "network.layers=3", &error)) fail_msg("%s", error.message);
    assert_int_equal(config.layers, 3);
    model_config_diffwave(&config);
    if (change(&config, "network.dilations=[1,3]", &error)) fail_msg("%s", error.message);
    assert_int_equal(config.look_ahead[1], 3);
}

static void refuses_assignments(void **state) {
    (void)state;
    const char *wrong[][2] = {
        {"network.chanels=3", "network.chanels"},
        {"channels=3", "do you mean network.channels"},
        {"network=3", "there is no 'network'"},
        {"network.=3", "there is no 'network.'"},
        {"=3", "not an assignment"},
        {"mel.convention=melgan", "unknown mel convention 'melgan'"},
        {"network.channels=12x",
         "network.channels is '12x', expected a whole number from 1 to 1024"},
        {"network.whitened=1", "true or false"},
        {"network.dilations=1", "array of 1 to 128 whole numbers"},
        {"network.channels=0", "channels"},
        {"network.patch=17", "patch of 17"},
        {"network.kernel=4", "odd"},
        {"nonsense", "assignment"},
        {"network.layers.x=1", "network.layers.x"},
        {"process.objective=magic", "objective"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        model_config config;
        lull_error error = {0};
        model_config_default(&config);
        assert_int_not_equal(change(&config, wrong[i][0], &error), LULL_OK);
        if (!strstr(error.message, wrong[i][1])) fail_msg("%s: '%s'", wrong[i][0], error.message);
    }
}

/* Every default of the table is a value that the table takes. */
static void try_default(void *context, const char *place, const member *row) {
    static model_config config;
    (void)context;
    if (row->initial && members_set(model_config_members, &config, place, row->initial, NULL))
        fail_msg("%s: default %s", place, row->initial);
    if (!row->help) fail_msg("%s has no words", place);
}

static void defaults_are_values(void **state) {
    (void)state;
    members_walk(model_config_members, "", try_default, NULL);
}

/* A spectrum network guides iterations of the low band: who adds one wants some, and keeps those that
 * are there. */
static void spectrum_networks_have_iterations(void **state) {
    (void)state;
    model_config config;
    model_config_default(&config);
    config.uses[LULL_OFFLINE].refine_low = 5;
    model_config_add_spectrum(&config);
    assert_true(config.spectrum_channels > 0);
    assert_int_equal(config.uses[LULL_LIVE].refine_low, 16);
    assert_int_equal(config.uses[LULL_LOW_LATENCY].refine_low, 20);
    assert_int_equal(config.uses[LULL_OFFLINE].refine_low, 5);
    assert_int_equal(model_config_check(&config, "added", NULL), LULL_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets_are_valid),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(fills_in),
        cmocka_unit_test(refuses),
        cmocka_unit_test(checks_numbers),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(assignments),
        cmocka_unit_test(refuses_assignments),
        cmocka_unit_test(spectrum_networks_have_iterations),
        cmocka_unit_test(defaults_are_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
