/* What a model is: the table of its members, JSON both ways, and what makes one valid
 * (docs/formats.md). */
#include "model/config.h"

#include "base/error.h"
#include "base/memory.h"
#include "mel/low_band.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- the members ---- */

static const char *const families[] = {"lull", "diffwave", "pitch", NULL};

static bool has_denoiser(const void *config) {
    return ((const model_config *)config)->family != MODEL_PITCH_ALONE;
}

static bool has_conditioner(const void *config) {
    return ((const model_config *)config)->family == MODEL_LULL;
}

static bool has_postnet(const void *config) {
    return ((const model_config *)config)->postnet_channels != 0;
}

static bool has_pitch(const void *config) {
    return ((const model_config *)config)->pitch_channels != 0;
}

static bool has_bandwidth(const void *config) {
    return ((const model_config *)config)->bandwidth_channels != 0;
}

static bool has_spectrum(const void *config) {
    return ((const model_config *)config)->spectrum_channels != 0;
}

static const member embedding_members[] = {
    MEMBER_INT(model_config, embedding_frequencies, "frequencies", 1, 1024, "64",
               "sines and cosines of the diffusion time"),
    MEMBER_NUMBER(model_config, embedding_from, "from", 1e-6, 1e6, "1", "the lowest of them"),
    MEMBER_NUMBER(model_config, embedding_to, "to", 1e-6, 1e6, "100", "the highest of them"),
    MEMBER_INT(model_config, embedding_hidden, "hidden", 1, 4096, "512",
               "values of its two linear layers"),
    {0},
};

static const member conditioner_members[] = {
    MEMBER_INT(model_config, conditioner_channels, "channels", 1, 2048, "128",
               "of the convolutions over mel frames"),
    MEMBER_INT(model_config, conditioner_kernel, "kernel", 1, 31, "3", "their taps; odd"),
    MEMBER_INT(model_config, conditioner_layers, "layers", 1, 16, "3", "how many there are"),
    MEMBER_INT(model_config, conditioner_look_ahead, "look_ahead", 0, 15, "0",
               "mel frames that each sees ahead, to (kernel - 1) / 2"),
    MEMBER_NUMBER(model_config, mel_offset, "mel_offset", -1e4, 1e4, "5", "added to the mel, then"),
    MEMBER_NUMBER(model_config, mel_scale, "mel_scale", -1e4, 1e4, "0.3333333333333333",
                  "multiplied with it; not 0"),
    {0},
};

static const member postnet_members[] = {
    MEMBER_INT(model_config, postnet_channels, "channels", 0, 256, "0",
               "between its convolutions; 0: no postnet"),
    MEMBER_INT(model_config, postnet_patch, "patch", 1, 256, "1",
               "neighbouring bands that become one place of its convolutions; divides the bands"),
    MEMBER_INT(model_config, postnet_layers, "layers", 0, 32, "0",
               "convolutions but first and last"),
    MEMBER_INT(model_config, postnet_look_ahead, "look_ahead", 0, 34, "0",
               "how many of them see a frame ahead"),
    MEMBER_NUMBER(model_config, postnet_threshold, "threshold", 0, 1e3, NULL,
                  "corrections of a frame whose root mean square is below it are not made, from "
                  "twice as much on they are made wholly; 0: all are"),
    {0},
};

static const member pitch_members[] = {
    MEMBER_INT(model_config, pitch_channels, "channels", 0, 1024, "0",
               "between its convolutions; 0: no pitch network"),
    MEMBER_INT(model_config, pitch_layers, "layers", 0, 16, "0",
               "convolutions over mel frames, 2 at least"),
    MEMBER_INT(model_config, pitch_look_ahead, "look_ahead", 0, 16, "0",
               "how many of them see a frame ahead"),
    {0},
};

static const member bandwidth_members[] = {
    MEMBER_INT(model_config, bandwidth_channels, "channels", 0, 1024, "0",
               "between its convolutions; 0: no bandwidth network"),
    MEMBER_INT(model_config, bandwidth_layers, "layers", 0, 16, "0",
               "convolutions over mel frames, 1 at least"),
    {0},
};

static const member spectrum_members[] = {
    MEMBER_INT(model_config, spectrum_channels, "channels", 0, 1024, "0",
               "between its convolutions; 0: no spectrum network"),
    MEMBER_INT(model_config, spectrum_layers, "layers", 0, 16, "0",
               "convolutions over mel frames, 1 at least"),
    {0},
};

static const member denoiser_members[] = {
    MEMBER_INT(model_config, patch, "patch", 1, 4096, "16",
               "samples that become one frame of the network; divides the hop"),
    MEMBER_INT(model_config, channels, "channels", 1, 1024, "96", "of every layer"),
    MEMBER_INT(model_config, layers, "layers", 1, MODEL_MAX_LAYERS, "12",
               "residual layers, one dilated convolution each"),
    MEMBER_INT(model_config, kernel, "kernel", 1, 31, "3", "taps of a convolution; odd"),
    MEMBER_BOOL(model_config, input_relu, "input_relu", "false", "rectifies what goes in"),
    MEMBER_BOOL(model_config, source, "source", "false",
                "reads the pitch source beside the signal"),
    MEMBER_NUMBER(model_config, below_hz, "below_hz", 0, MEL_MOST_RATE / 2, NULL,
                  "it knows only what lies below this frequency, for the rest there is a "
                  "crossover; 0: everything"),
    MEMBER_BOOL(model_config, whitened, "whitened", "true",
                "works on the whitened waveform, which the mel colours afterwards"),
    MEMBER_NUMBER(model_config, tilt_hz, "tilt_hz", 0, MEL_MOST_RATE / 2, "500",
                  "corner of the tilt of the whitened domain; 0: none"),
    MEMBER_CYCLE(model_config, dilation, layers, "dilations", 1, 65536, "[1, 2, 4, 8, 16, 32]",
                 "of the layers, repeated"),
    /* The three short dilations of each cycle look ahead: six steps take six patches each. */
    MEMBER_CYCLE(model_config, look_ahead, layers, "look_ahead", 0, 65536 * 15,
                 "[1, 1, 1, 0, 0, 0]", "network frames that the layers see ahead, repeated"),
    MEMBER_PART("embedding", embedding_members, NULL, "of the diffusion time"),
    MEMBER_PART("conditioner", conditioner_members, has_conditioner, "of the mel"),
    {0},
};

static const member network_members[] = {
    MEMBER_PART(NULL, denoiser_members, has_denoiser, NULL),
    MEMBER_PART("postnet", postnet_members, has_postnet, "mends the mel first"),
    MEMBER_PART("pitch", pitch_members, has_pitch, "tells the voice's pitch from the mel"),
    MEMBER_PART("bandwidth", bandwidth_members, has_bandwidth, "continues the mel above its fmax"),
    MEMBER_PART("spectrum", spectrum_members, has_spectrum, "guides refinement below 2.5 kHz"),
    {0},
};

static const member schedule_members[] = {
    MEMBER_NAME(model_config, schedule.kind, "kind", diffusion_schedule_names, "angle",
                "how noise becomes speech with time"),
    MEMBER_INT(model_config, schedule.training_steps, "training_steps", 0,
               DIFFUSION_MAX_TRAINING_STEPS, NULL, "of betas"),
    MEMBER_NUMBER(model_config, schedule.beta_first, "beta_first", 0, 1, NULL, "of betas"),
    MEMBER_NUMBER(model_config, schedule.beta_last, "beta_last", 0, 1, NULL, "of betas"),
    {0},
};

static const member process_members[] = {
    MEMBER_NAME(model_config, objective, "objective", diffusion_objective_names, "v",
                "what the network predicts"),
    MEMBER_PART("schedule", schedule_members, NULL, "of the noise"),
    {0},
};

const member model_settings_members[] = {
    MEMBER_INT(model_settings, steps, "steps", 1, MODEL_MAX_STEPS, "1", "reverse diffusion steps"),
    MEMBER_INT(model_settings, refine, "refine", 0, MODEL_MAX_REFINE, "0",
               "rounds of refinement (mel consistency); 0 none"),
    MEMBER_INT(model_settings, refine_low, "refine_low", 0, MODEL_MAX_REFINE, "0",
               "rounds of refinement below 2.5 kHz alone; 0 none"),
    MEMBER_INT(model_settings, refine_window, "refine_window", 0, MODEL_MAX_WINDOW, "0",
               "frames that refinement works on"),
    MEMBER_NUMBER(model_settings, refine_momentum, "refine_momentum", 0, 0.999, "0.9",
                  "momentum of refinement"),
    {0},
};

#define USE(use) uses[LULL_##use]
static const member postnet_use_members[] = {
    MEMBER_BOOL(model_config, USE(LIVE).postnet, "live", "true", "whether streams go through it"),
    MEMBER_BOOL(model_config, USE(LOW_LATENCY).postnet, "low_latency", "true",
                "whether streams of low latency do"),
    MEMBER_BOOL(model_config, USE(OFFLINE).postnet, "offline", "true", "whether files do"),
    {0},
};

static const member power_members[] = {
    MEMBER_NUMBER(model_config, USE(LIVE).aperiodicity_power, "live", 0.1, 10, "1.5", "in streams"),
    MEMBER_NUMBER(model_config, USE(LOW_LATENCY).aperiodicity_power, "low_latency", 0.1, 10, "1.4",
                  "in streams of low latency"),
    MEMBER_NUMBER(model_config, USE(OFFLINE).aperiodicity_power, "offline", 0.1, 10, "2.5",
                  "in files"),
    {0},
};

static const member source_members[] = {
    MEMBER_BOOL(model_config, voiced, "pitch", "true", "a source with the voice's pitch"),
    MEMBER_NUMBER(model_config, crossover_hz, "crossover_hz", 0, 48000, "2500",
                  "above it the signal is the source's"),
    MEMBER_PART("aperiodicity_power", power_members, NULL,
                "above 1 the source has more harmonics than the pitch network says"),
    {0},
};

static const member synthesis_members[] = {
    MEMBER_NAME(model_config, sampler, "sampler", diffusion_sampler_names, "ddim", "of the steps"),
    MEMBER_NUMBER(model_config, eta, "eta", 0, 1, "1", "ddim: 0 deterministic to 1 fresh noise"),
    MEMBER_GROUP(model_config, USE(LIVE), NULL, model_settings_members, NULL, NULL),
    MEMBER_PART("postnet", postnet_use_members, has_postnet, "what it is used for"),
    MEMBER_PART("source", source_members, has_pitch, "of what the network does not know"),
    MEMBER_BOOL(model_config, full_bandwidth, "full_bandwidth", "false",
                "adds what lies above the mel's fmax, too"),
    MEMBER_GROUP(model_config, USE(LOW_LATENCY), "low_latency", model_settings_members, NULL,
                 "for streams of low latency"),
    MEMBER_GROUP(model_config, USE(OFFLINE), "offline", model_settings_members, NULL, "for files"),
    {0},
};

const member model_config_members[] = {
    {.name = "format", .kind = MEMBER_KIND_OTHER},
    MEMBER_NAME(model_config, family, "family", families, "lull", "the network's kind"),
    MEMBER_TEXT(model_config, name, "name", "lull", "of the model"),
    MEMBER_TEXT(model_config, licence, "licence", NULL, "of the weights, an SPDX expression"),
    MEMBER_GROUP(model_config, mel, "mel", mel_convention_members, has_denoiser, "what goes in"),
    MEMBER_PART("network", network_members, NULL, "the networks"),
    MEMBER_PART("process", process_members, has_denoiser, "what it learnt"),
    MEMBER_PART("synthesis", synthesis_members, has_denoiser, "defaults of synthesis"),
    {0},
};

/* ---- presets ---- */

static void assign(model_config *config, const char *const *assignments) {
    for (; *assignments; assignments += 2)
        members_set(model_config_members, config, assignments[0], assignments[1], NULL);
}

void model_config_default(model_config *config) {
    static const char *const beyond[] = {
        /* One step with the refinement behind it is as good as six: docs/latency.md */
        "synthesis.refine",
        "8",
        "synthesis.refine_window",
        "4",
        "synthesis.refine_momentum",
        "0.8",
        "synthesis.low_latency.refine",
        "16",
        "synthesis.low_latency.refine_window",
        "1",
        "synthesis.low_latency.refine_momentum",
        "0.7",
        "synthesis.offline.refine",
        "4",
        "synthesis.offline.refine_window",
        "32",
        NULL,
    };
    memset(config, 0, sizeof *config);
    members_default(model_config_members, config);
    mel_convention_named("hifigan", 22050, &config->mel, NULL);
    assign(config, beyond);
}

/* DiffWave looks ahead as far as its kernels reach. */
static void centre_look_ahead(model_config *config) {
    for (int i = 0; i < MODEL_MAX_LAYERS; i++)
        config->look_ahead[i] = config->dilation[i] * (config->kernel - 1) / 2;
}

void model_config_diffwave(model_config *config) {
    static const char *const beyond[] = {
        "family",
        "diffwave",
        "name",
        "diffwave",
        "network.patch",
        "1",
        "network.channels",
        "64",
        "network.layers",
        "30",
        "network.dilations",
        "[1, 2, 4, 8, 16, 32, 64, 128, 256, 512]",
        "network.input_relu",
        "true",
        "network.whitened",
        "false",
        "network.tilt_hz",
        "0",
        "network.embedding.to",
        "1e4",
        "network.conditioner.mel_offset",
        "0",
        "network.conditioner.mel_scale",
        "1",
        "process.objective",
        "noise",
        "process.schedule.kind",
        "betas",
        "process.schedule.training_steps",
        "50",
        "process.schedule.beta_first",
        "1e-4",
        "process.schedule.beta_last",
        "0.05",
        "synthesis.sampler",
        "fast",
        "synthesis.eta",
        "0",
        "synthesis.steps",
        "6",
        "synthesis.low_latency.steps",
        "6",
        "synthesis.offline.steps",
        "6",
        NULL,
    };
    memset(config, 0, sizeof *config);
    members_default(model_config_members, config);
    mel_convention_named("diffwave", 22050, &config->mel, NULL);
    assign(config, beyond);
    config->conditioner_channels = config->conditioner_kernel = config->conditioner_layers = 0;
    centre_look_ahead(config);
}

void model_config_add_postnet(model_config *config) {
    if (config->postnet_channels > 0) return;
    config->postnet_channels = 32;
    config->postnet_patch = config->mel.bands % 4 ? 1 : 4;
    config->postnet_layers = 5;
    config->postnet_look_ahead = 1;
    if (config->mel.compression == MEL_COMPRESS_LN) config->postnet_threshold = 0.05;
}

void model_config_add_pitch(model_config *config) {
    if (config->pitch_channels > 0) return;
    config->pitch_channels = 128;
    config->pitch_layers = 5;
    config->pitch_look_ahead = 2;
}

void model_config_add_bandwidth(model_config *config) {
    if (config->bandwidth_channels > 0) return;
    /* One layer: a linear regression. More were no better on voices that they had not heard
     * (docs/any-mel.md). */
    config->bandwidth_channels = 1;
    config->bandwidth_layers = 1;
}

void model_config_add_spectrum(model_config *config) {
    if (config->spectrum_channels > 0) return;
    config->spectrum_channels = 128;
    config->spectrum_layers = 4;
    for (int use = LULL_LIVE; use <= LULL_OFFLINE; use++)
        if (config->uses[use].refine_low == 0)
            config->uses[use].refine_low = use == LULL_LOW_LATENCY ? 20 : 16;
}

void model_config_pitch(model_config *config) {
    static const char *const beyond[] = {"family", "pitch", "name", "lull-pitch", NULL};
    model_config_default(config);
    assign(config, beyond);
    model_config_add_pitch(config);
}

/* ---- reading ---- */

/* A convention's name brings all its numbers; the other members then change single ones. */
static lull_status begin_convention(mel_convention *convention, yyjson_val *json, const char *file,
                                    lull_error *error) {
    const char *name = yyjson_get_str(yyjson_obj_get(json, "convention"));
    if (!name || strcmp(name, "own") == 0) return LULL_OK; /* all its numbers are there */
    lull_error reason = {0};
    double rate = yyjson_get_num(yyjson_obj_get(json, "sample_rate"));
    if (!(rate >= 1 && rate <= 1e6)) rate = 0;
    if (mel_convention_named(name, (int)rate, convention, &reason))
        return base_fail(error, LULL_FORMAT, "%s: mel: %s", file, reason.message);
    return LULL_OK;
}

/* An array that may be missing has at least one value and at most `most`; another exactly `most`. */
static lull_status check_length(yyjson_val *group, const char *place, const char *name, bool any,
                                size_t most, const char *of, const char *file, lull_error *error) {
    yyjson_val *array = yyjson_obj_get(group, name);
    size_t size = yyjson_arr_size(array);
    char found[64];
    if (any ? !array || size <= most : size == most) return LULL_OK;
    json_show(array, found, sizeof found);
    return base_fail(error, LULL_FORMAT, "%s: %s.%s is %s, expected an array of %s%zu, %s", file,
                     place, name, found, any ? "1 to " : "", most, of);
}

static lull_status end_convention(mel_convention *convention, yyjson_val *json, const char *file,
                                  lull_error *error) {
    size_t bands = (size_t)convention->bands;
    /* Before norms had a member, they followed the scale. */
    if (yyjson_obj_get(json, "scale") && !yyjson_obj_get(json, "norm"))
        convention->norm = convention->scale == MEL_SCALE_SLANEY ? MEL_NORM_SLANEY : MEL_NORM_NONE;
    mel_convention_modernize(convention);
    if (!yyjson_obj_get(json, "mean") && !yyjson_obj_get(json, "deviation")) return LULL_OK;
    convention->statistics = true;
    lull_status status = check_length(json, "mel", "mean", false, bands, "one a band", file, error);
    if (status) return status;
    return check_length(json, "mel", "deviation", false, bands, "one a band", file, error);
}

lull_status model_config_read(yyjson_val *json, const char *file, model_config *config,
                              lull_error *error) {
    if (!yyjson_is_obj(json))
        return base_fail(error, LULL_FORMAT, "%s: the configuration is not a JSON object", file);
    yyjson_val *format = yyjson_obj_get(json, "format");
    yyjson_val *network = yyjson_obj_get(json, "network"), *mel = yyjson_obj_get(json, "mel");
    if (format && !(yyjson_is_num(format) && yyjson_get_num(format) == 1)) {
        char found[96];
        json_show(format, found, sizeof found);
        return base_fail(error, LULL_UNSUPPORTED,
                         "%s: the model's format is %s, this version of lull reads format 1; use "
                         "the version of lull that wrote it, or convert the model",
                         file, found);
    }
    if (yyjson_equals_str(yyjson_obj_get(json, "family"), "diffwave"))
        model_config_diffwave(config);
    else if (yyjson_equals_str(yyjson_obj_get(json, "family"), "pitch"))
        model_config_pitch(config);
    else
        model_config_default(config);
    lull_status status = begin_convention(&config->mel, mel, file, error);
    if (!status) status = members_read(model_config_members, config, json, file, "", error);
    if (!status) status = end_convention(&config->mel, mel, file, error);
    static const char *const cycles[] = {"dilations", "look_ahead"};
    for (int i = 0; i < 2 && !status; i++)
        status = check_length(network, "network", cycles[i], true, (size_t)config->layers,
                              "at most one a layer", file, error);
    if (status) return status;
    if (config->family == MODEL_DIFFWAVE) {
        if (!yyjson_obj_get(network, "look_ahead")) centre_look_ahead(config);
        if (yyjson_obj_get(network, "conditioner"))
            return base_fail(error, LULL_FORMAT,
                             "%s: network.conditioner is not for the family diffwave, which has "
                             "its own",
                             file);
    }
    return model_config_check(config, file, error);
}

lull_status model_config_parse(const char *text, const char *name, model_config *config,
                               lull_error *error) {
    yyjson_doc *tree = NULL;
    lull_status status = json_parse(text, strlen(text), name, &tree, error);
    if (!status) status = model_config_read(yyjson_doc_get_root(tree), name, config, error);
    yyjson_doc_free(tree);
    return status;
}

/* Wherever a convention may stand: by itself, in a configuration, in what `lull info --json`
 * prints. */
static yyjson_val *find_mel(yyjson_val *json) {
    yyjson_val *config = yyjson_obj_get(json, "config");
    yyjson_val *mel = yyjson_obj_get(config ? config : json, "mel");
    return mel ? mel : json;
}

lull_status model_convention_parse(const char *text, const char *name, mel_convention *convention,
                                   lull_error *error) {
    yyjson_doc *tree = NULL;
    mel_convention read = *convention;
    lull_error reason = {0};
    lull_status status = json_parse(text, strlen(text), name, &tree, error);
    if (status) return status;
    yyjson_val *json = find_mel(yyjson_doc_get_root(tree));
    if (!yyjson_is_obj(json))
        status = base_fail(error, LULL_FORMAT, "%s: the mel convention is not a JSON object", name);
    if (!status) status = begin_convention(&read, json, name, error);
    if (!status) status = members_read(mel_convention_members, &read, json, name, "mel", error);
    if (!status) status = end_convention(&read, json, name, error);
    yyjson_doc_free(tree);
    if (!status && mel_convention_check(&read, &reason))
        status = strncmp(reason.message, name, strlen(name)) == 0
                     ? base_fail(error, LULL_FORMAT, "%s", reason.message)
                     : base_fail(error, LULL_FORMAT, "%s: %s", name, reason.message);
    if (status) return status;
    *convention = read;
    mel_convention named, plain = read;
    plain.statistics = false;
    if (mel_convention_named(plain.name, plain.sample_rate, &named, NULL) ||
        mel_convention_difference(&plain, &named))
        snprintf(convention->name, sizeof convention->name, "own");
    return LULL_OK;
}

/* ---- single assignments ---- */

lull_status model_config_set(model_config *config, const char *assignment, lull_error *error) {
    char place[128];
    const char *value = strchr(assignment, '=');
    if (!value || value == assignment || (size_t)(value - assignment) >= sizeof place)
        return base_fail(error, LULL_INVALID,
                         "'%.100s' is not an assignment: expected PLACE=VALUE, as "
                         "network.channels=128",
                         assignment);
    snprintf(place, sizeof place, "%.*s", (int)(value - assignment), assignment);
    lull_status status = members_set(model_config_members, config, place, value + 1, error);
    if (status) return status;
    /* What follows from a change. */
    mel_convention_modernize(&config->mel);
    bool convention = strcmp(place, "mel.convention") == 0;
    if (convention || strcmp(place, "mel.sample_rate") == 0) {
        mel_convention before = config->mel;
        return mel_convention_named(before.name, convention ? 0 : before.sample_rate, &config->mel,
                                    error);
    }
    if (config->family == MODEL_DIFFWAVE &&
        (strcmp(place, "network.kernel") == 0 || strcmp(place, "network.dilations") == 0))
        centre_look_ahead(config);
    return LULL_OK;
}

/* ---- checking ---- */

static lull_status check_network(const model_config *c, const char *name, lull_error *error) {
#define REFUSE(...) return base_fail(error, LULL_INVALID, __VA_ARGS__)
    if (c->source && !c->whitened)
        REFUSE("%s: the pitch source is white; a network that takes it must be whitened", name);
    if (c->patch < 1 || c->mel.hop % c->patch)
        REFUSE("%s: a patch of %d samples does not divide the hop of %d; choose a divisor", name,
               c->patch, c->mel.hop);
    if (c->postnet_channels > 0 && (c->postnet_patch < 1 || c->mel.bands % c->postnet_patch))
        REFUSE("%s: the postnet's patch of %d bands does not divide the mel's %d; choose a divisor",
               name, c->postnet_patch, c->mel.bands);
    if (c->kernel % 2 == 0)
        REFUSE("%s: a kernel of %d taps; it must be odd, 1 to 31", name, c->kernel);
    for (int i = 0; i < c->layers; i++) {
        int most = c->dilation[i] * ((c->kernel - 1) / 2);
        if (c->look_ahead[i] < 0 || c->look_ahead[i] > most)
            REFUSE(
                "%s: layer %d (dilation %d, kernel %d) looks %d frames ahead; 0 to %d are possible",
                name, i, c->dilation[i], c->kernel, c->look_ahead[i], most);
    }
    if (c->embedding_to < c->embedding_from)
        REFUSE("%s: the step embedding's frequencies go from %g to %g; they must be above 0 and "
               "ascend",
               name, c->embedding_from, c->embedding_to);
    return LULL_OK;
}

static lull_status check_conditioner(const model_config *c, const char *name, lull_error *error) {
    if (c->family == MODEL_DIFFWAVE) {
        if (c->mel.hop != 256)
            REFUSE("%s: the hop is %d; DiffWave's upsampling makes 256 samples of a frame", name,
                   c->mel.hop);
        if (c->patch != 1) REFUSE("%s: DiffWave has patches of 1 sample, not %d", name, c->patch);
        if (c->embedding_frequencies != 64)
            REFUSE("%s: DiffWave's step embedding has 64 frequencies, not %d", name,
                   c->embedding_frequencies);
        if (c->schedule.kind != DIFFUSION_BETAS)
            REFUSE("%s: DiffWave's step embedding counts training steps: its schedule must be "
                   "betas, not %s",
                   name, diffusion_schedule_name(c->schedule.kind));
        return LULL_OK;
    }
    if (c->conditioner_kernel % 2 == 0)
        REFUSE("%s: the conditioner has a kernel of %d taps; it must be odd, 1 to 31", name,
               c->conditioner_kernel);
    if (c->conditioner_look_ahead > (c->conditioner_kernel - 1) / 2)
        REFUSE(
            "%s: the conditioner looks %d frames ahead; 0 to %d are possible with a kernel of %d",
            name, c->conditioner_look_ahead, (c->conditioner_kernel - 1) / 2,
            c->conditioner_kernel);
    if (c->mel_scale == 0) REFUSE("%s: the mel is scaled by 0", name);
    return LULL_OK;
}

model_settings model_config_settings(const model_config *c, lull_use use) {
    model_settings settings = c->uses[use];
    settings.postnet = settings.postnet && c->postnet_channels > 0;
    return settings;
}

static lull_status check_below(const model_config *c, const char *name, lull_error *error) {
    if (c->below_hz == 0) return LULL_OK;
    if (!c->whitened)
        REFUSE("%s: a network that knows a band alone works on the whitened waveform; set whitened "
               "or no below_hz",
               name);
    if (c->below_hz >= c->mel.sample_rate / 2.0)
        REFUSE("%s: a network that knows what lies below %g Hz needs a rate of more than %g Hz, "
               "this has %d; 0 is everything",
               name, c->below_hz, 2 * c->below_hz, c->mel.sample_rate);
    return LULL_OK;
}

static lull_status check_postnet(const model_config *c, const char *name, lull_error *error) {
    int most = model_config_postnet_convolutions(c);
    if (most > 0 && c->postnet_look_ahead > most)
        REFUSE("%s: the postnet looks %d frames ahead; 0 to %d are possible with %d layers", name,
               c->postnet_look_ahead, most, c->postnet_layers);
    if (most > 0 && c->mel_scale == 0) REFUSE("%s: the mel is scaled by 0", name);
    return LULL_OK;
}

static lull_status check_pitch(const model_config *c, const char *name, lull_error *error) {
    if (c->pitch_channels == 0 && c->family == MODEL_PITCH_ALONE)
        REFUSE("%s: a pitch network alone needs network.pitch.channels above 0", name);
    if (c->pitch_channels > 0 && c->pitch_layers < 2)
        REFUSE("%s: the pitch network has %d layers; it needs 2 at least", name, c->pitch_layers);
    if (c->pitch_channels > 0 && c->pitch_look_ahead > c->pitch_layers)
        REFUSE("%s: the pitch network looks %d frames ahead; 0 to %d are possible with as many "
               "layers",
               name, c->pitch_look_ahead, c->pitch_layers);
    return LULL_OK;
}

static lull_status check_bandwidth(const model_config *c, const char *name, lull_error *error) {
    if (c->bandwidth_channels > 0 && c->bandwidth_layers < 1)
        REFUSE("%s: the bandwidth network has no layers; it needs 1 at least", name);
    return LULL_OK;
}

static lull_status check_spectrum(const model_config *c, const char *name, lull_error *error) {
    if (c->spectrum_channels == 0) return LULL_OK;
    if (c->spectrum_layers < 1)
        REFUSE("%s: the spectrum network has no layers; it needs 1 at least", name);
    if (mel_low_band_decimation(&c->mel) == 1)
        REFUSE("%s: a spectrum network needs a mel with a low band: three bands below 1350 Hz, and "
               "a hop (%d), a transform (%d), a window (%d) and the place of a frame that a number "
               "from 4 to %d divides",
               name, c->mel.hop, c->mel.n_fft, c->mel.window, c->mel.sample_rate / 2700);
    return LULL_OK;
}

static lull_status check_synthesis(const model_config *c, const char *name, lull_error *error) {
    for (int use = LULL_LIVE; use <= LULL_OFFLINE; use++) {
        model_settings settings = model_config_settings(c, (lull_use)use);
        /* The sampler itself says how many steps it can do. */
        diffusion_plan *plan = NULL;
        lull_error reason = {0};
        lull_status status = diffusion_plan_new(c->sampler, c->objective, &c->schedule,
                                                settings.steps, c->eta, &plan, &reason);
        diffusion_plan_free(plan);
        if (status) return base_fail(error, status, "%s: %s", name, reason.message);
    }
    return LULL_OK;
#undef REFUSE
}

lull_status model_config_check(const model_config *config, const char *name, lull_error *error) {
    lull_error reason = {0};
    lull_status status = members_check(model_config_members, config, name, error);
    if (status) return status;
    status = mel_convention_check(&config->mel, &reason);
    if (status) return base_fail(error, status, "%s: mel: %s", name, reason.message);
    status = check_pitch(config, name, error);
    if (!status) status = check_bandwidth(config, name, error);
    if (status || config->family == MODEL_PITCH_ALONE) return status;
    status = check_network(config, name, error);
    if (!status) status = check_conditioner(config, name, error);
    if (!status) status = check_below(config, name, error);
    if (!status) status = check_postnet(config, name, error);
    if (!status) status = check_spectrum(config, name, error);
    if (!status) status = check_synthesis(config, name, error);
    return status;
}

/* ---- writing ---- */

void model_config_write(const model_config *config, json_writer *writer, yyjson_mut_val *parent) {
    json_add_number(writer, parent, "format", 1);
    members_print(model_config_members, config, writer, parent);
}

char *model_convention_print(const mel_convention *convention) {
    json_writer writer = json_writer_new();
    members_print(mel_convention_members, convention, &writer, writer.root);
    return json_writer_end(&writer, true);
}

char *model_config_print(const model_config *config) {
    json_writer writer = json_writer_new();
    model_config_write(config, &writer, writer.root);
    return json_writer_end(&writer, true);
}

/* ---- what follows from it ---- */

int model_config_embedding_inputs(const model_config *config) {
    return 2 * config->embedding_frequencies;
}

int model_config_postnet_convolutions(const model_config *config) {
    return config->postnet_channels > 0 ? config->postnet_layers + 2 : 0;
}

int model_config_network_look_ahead(const model_config *config) {
    int sum = 0;
    for (int i = 0; i < config->layers; i++) sum += config->look_ahead[i];
    return sum;
}

int model_config_input(const model_config *config) {
    return config->source ? 2 * config->patch : config->patch;
}

int model_config_frames_per_hop(const model_config *config) {
    return config->mel.hop / config->patch;
}
