/* The configuration of a model as JSON, both ways, and what makes one valid (docs/formats.md). */
#include "model/config.h"

#include "base/error.h"
#include "base/memory.h"
#include "io/json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* ---- presets ---- */

static void set_layers(model_config *config, int layers, int cycle) {
    config->layers = layers;
    for (int i = 0; i < layers; i++) config->dilation[i] = 1 << (i % cycle);
}

void model_config_default(model_config *config) {
    memset(config, 0, sizeof *config);
    config->family = MODEL_LULL;
    strcpy(config->name, "lull");
    mel_convention_named("hifigan", 22050, &config->mel, NULL);
    config->patch = 16;
    config->channels = 96;
    config->kernel = 3;
    set_layers(config, 12, 6);
    /* The three short dilations of each cycle look ahead, so that six steps take six patches each.
     */
    for (int i = 0; i < config->layers; i++) config->look_ahead[i] = i % 6 < 3 ? 1 : 0;
    config->embedding_frequencies = 64;
    config->embedding_hidden = 512;
    config->embedding_from = 1;
    config->embedding_to = 100;
    config->conditioner_channels = 128;
    config->conditioner_kernel = 3;
    config->conditioner_layers = 3;
    config->conditioner_look_ahead = 0;
    config->mel_offset = 5;
    config->mel_scale = 1.0 / 3;
    config->whitened = true;
    config->tilt_hz = 500;
    config->objective = DIFFUSION_V;
    config->schedule.kind = SCHEDULE_ANGLE;
    config->sampler = LULL_SAMPLER_DDIM;
    config->steps = 1; /* with the refinement behind it as good as six: docs/latency.md */
    config->eta = 1;
    config->refine = 16;
    config->refine_window = 4;
    config->refine_momentum = 0.9;
    config->low_latency_steps = 1;
    config->low_latency_refine = 16;
    config->low_latency_refine_window = 1;
    config->low_latency_refine_momentum = 0.8;
    config->offline_steps = 1;
    config->offline_refine = 8;
    config->offline_refine_window = 32;
    config->offline_refine_momentum = 0.9;
    config->live_postnet = config->offline_postnet = true; /* where there is one */
}

void model_config_diffwave(model_config *config) {
    memset(config, 0, sizeof *config);
    config->family = MODEL_DIFFWAVE;
    strcpy(config->name, "diffwave");
    mel_convention_named("diffwave", 22050, &config->mel, NULL);
    config->patch = 1;
    config->channels = 64;
    config->kernel = 3;
    set_layers(config, 30, 10);
    for (int i = 0; i < config->layers; i++) config->look_ahead[i] = config->dilation[i];
    config->input_relu = true;
    config->embedding_frequencies = 64;
    config->embedding_hidden = 512;
    config->embedding_from = 1;
    config->embedding_to = 1e4;
    config->mel_scale = 1;
    config->conditioner_look_ahead = 0;
    config->objective = DIFFUSION_NOISE;
    config->schedule = (diffusion_schedule){
        .kind = SCHEDULE_BETAS, .training_steps = 50, .beta_first = 1e-4, .beta_last = 0.05};
    config->sampler = LULL_SAMPLER_FAST;
    config->steps = 6;
    config->refine_momentum = 0.9;
    config->low_latency_steps = 6;
    config->low_latency_refine_momentum = 0.9;
    config->offline_steps = 6;
    config->offline_refine_momentum = 0.9;
    config->live_postnet = config->offline_postnet = true;
}

/* ---- the members of each JSON object, as a table that reads and writes ---- */

typedef enum { INTEGER, NUMBER, BOOLEAN, TEXT, NAME } member_type;

typedef struct member {
    const char *name;
    member_type type;
    size_t offset;
    double least, most;       /* INTEGER and NUMBER; TEXT: most = size of the array */
    const char *const *names; /* NAME: of the enumeration's values 0, 1, …; NULL-terminated */
} member;

static const char *const families[] = {"lull", "diffwave", NULL};
static const char *const scales[] = {"slaney", "htk", NULL};
static const char *const norms[] = {"slaney", "none", NULL};
static const char *const paddings[] = {"reflect", "zeros", NULL};
/* The last is what files of earlier versions say for log10 with a gain of 0.2, an offset of 0.8 and
 * bounds of 0 and 1. */
enum { OLD_DIFFWAVE = MEL_COMPRESS_LINEAR + 1 };
static const char *const compressions[] = {"ln", "log10", "linear", "diffwave", NULL};
static const char *const objectives[] = {"noise", "v", "flow", "data", NULL};
static const char *const schedules[] = {"betas", "angle", "linear", NULL};
static const char *const samplers[] = {"default", "ddpm", "fast", "ddim", "euler", "heun", NULL};

#define AT(field) offsetof(model_config, field)

static const member top_members[] = {
    {"family", NAME, AT(family), 0, 0, families},
    {"name", TEXT, AT(name), 0, sizeof(((model_config *)0)->name), NULL},
    {"licence", TEXT, AT(licence), 0, sizeof(((model_config *)0)->licence), NULL},
    {0},
};
static const member mel_members[] = {
    {"convention", TEXT, AT(mel.name), 0, sizeof(((model_config *)0)->mel.name), NULL},
    {"sample_rate", INTEGER, AT(mel.sample_rate), 1000, 384000, NULL},
    {"n_fft", INTEGER, AT(mel.n_fft), 16, MEL_MAX_FFT, NULL},
    {"window", INTEGER, AT(mel.window), 16, MEL_MAX_FFT, NULL},
    {"hop", INTEGER, AT(mel.hop), 1, MEL_MAX_FFT, NULL},
    {"bands", INTEGER, AT(mel.bands), 1, MEL_MAX_BANDS, NULL},
    {"fmin", NUMBER, AT(mel.fmin), 0, 192000, NULL},
    {"fmax", NUMBER, AT(mel.fmax), 1, 192000, NULL},
    {"scale", NAME, AT(mel.scale), 0, 0, scales},
    {"norm", NAME, AT(mel.norm), 0, 0, norms},
    {"filter_rate", INTEGER, AT(mel.filter_rate), 0, 384000, NULL},
    {"centred", BOOLEAN, AT(mel.centred), 0, 0, NULL},
    {"padding", NAME, AT(mel.padding), 0, 0, paddings},
    {"magnitude_epsilon", NUMBER, AT(mel.magnitude_epsilon), 0, 1, NULL},
    {"normalized_window", BOOLEAN, AT(mel.normalized_window), 0, 0, NULL},
    {"power", INTEGER, AT(mel.power), 1, 2, NULL},
    {"floor", NUMBER, AT(mel.floor), 1e-30, 1, NULL},
    {"floor_added", BOOLEAN, AT(mel.floor_added), 0, 0, NULL},
    {"compression", NAME, AT(mel.compression), 0, 0, compressions},
    {"gain", NUMBER, AT(mel.gain), -1e6, 1e6, NULL},
    {"offset", NUMBER, AT(mel.offset), -1e6, 1e6, NULL},
    {"clip_low", NUMBER, AT(mel.clip_low), -1e9, 1e9, NULL},
    {"clip_high", NUMBER, AT(mel.clip_high), -1e9, 1e9, NULL},
    {0},
};
static const member network_members[] = {
    {"patch", INTEGER, AT(patch), 1, 4096, NULL},
    {"channels", INTEGER, AT(channels), 1, 1024, NULL},
    {"layers", INTEGER, AT(layers), 1, MODEL_MAX_LAYERS, NULL},
    {"kernel", INTEGER, AT(kernel), 1, 31, NULL},
    {"input_relu", BOOLEAN, AT(input_relu), 0, 0, NULL},
    {"whitened", BOOLEAN, AT(whitened), 0, 0, NULL},
    {"tilt_hz", NUMBER, AT(tilt_hz), 0, 192000, NULL},
    {0},
};
static const member embedding_members[] = {
    {"frequencies", INTEGER, AT(embedding_frequencies), 1, 1024, NULL},
    {"from", NUMBER, AT(embedding_from), 1e-6, 1e6, NULL},
    {"to", NUMBER, AT(embedding_to), 1e-6, 1e6, NULL},
    {"hidden", INTEGER, AT(embedding_hidden), 1, 4096, NULL},
    {0},
};
static const member conditioner_members[] = {
    {"channels", INTEGER, AT(conditioner_channels), 0, 2048, NULL},
    {"kernel", INTEGER, AT(conditioner_kernel), 0, 31, NULL},
    {"layers", INTEGER, AT(conditioner_layers), 0, 16, NULL},
    {"look_ahead", INTEGER, AT(conditioner_look_ahead), 0, 15, NULL},
    {"mel_offset", NUMBER, AT(mel_offset), -1e4, 1e4, NULL},
    {"mel_scale", NUMBER, AT(mel_scale), -1e4, 1e4, NULL},
    {0},
};
static const member postnet_members[] = {
    {"channels", INTEGER, AT(postnet_channels), 0, 256, NULL},
    {"layers", INTEGER, AT(postnet_layers), 0, 32, NULL},
    {"look_ahead", INTEGER, AT(postnet_look_ahead), 0, 34, NULL},
    {0},
};
static const member postnet_use_members[] = {
    {"live", BOOLEAN, AT(live_postnet), 0, 0, NULL},
    {"low_latency", BOOLEAN, AT(low_latency_postnet), 0, 0, NULL},
    {"offline", BOOLEAN, AT(offline_postnet), 0, 0, NULL},
    {0},
};
static const member process_members[] = {
    {"objective", NAME, AT(objective), 0, 0, objectives},
    {0},
};
static const member schedule_members[] = {
    {"kind", NAME, AT(schedule.kind), 0, 0, schedules},
    {"training_steps", INTEGER, AT(schedule.training_steps), 0, DIFFUSION_MAX_TRAINING_STEPS, NULL},
    {"beta_first", NUMBER, AT(schedule.beta_first), 0, 1, NULL},
    {"beta_last", NUMBER, AT(schedule.beta_last), 0, 1, NULL},
    {0},
};
static const member synthesis_members[] = {
    {"sampler", NAME, AT(sampler), 0, 0, samplers},
    {"steps", INTEGER, AT(steps), 1, 1000, NULL},
    {"eta", NUMBER, AT(eta), 0, 1, NULL},
    {"refine", INTEGER, AT(refine), 0, 1000, NULL},
    {"refine_window", INTEGER, AT(refine_window), 0, 256, NULL},
    {"refine_momentum", NUMBER, AT(refine_momentum), 0, 1, NULL},
    {0},
};
static const member offline_members[] = {
    {"steps", INTEGER, AT(offline_steps), 1, 1000, NULL},
    {"refine", INTEGER, AT(offline_refine), 0, 1000, NULL},
    {"refine_window", INTEGER, AT(offline_refine_window), 0, 256, NULL},
    {"refine_momentum", NUMBER, AT(offline_refine_momentum), 0, 1, NULL},
    {0},
};
static const member low_latency_members[] = {
    {"steps", INTEGER, AT(low_latency_steps), 1, 1000, NULL},
    {"refine", INTEGER, AT(low_latency_refine), 0, 1000, NULL},
    {"refine_window", INTEGER, AT(low_latency_refine_window), 0, 256, NULL},
    {"refine_momentum", NUMBER, AT(low_latency_refine_momentum), 0, 1, NULL},
    {0},
};

/* ---- reading ---- */

typedef struct reader {
    const char *name; /* of the file */
    model_config *config;
    lull_error *error;
} reader;

static lull_status refuse(const reader *r, const char *group, const char *member,
                          const char *what) {
    return base_fail(r->error, LULL_FORMAT, "%s: configuration: %s%s%s %s", r->name, group,
                     *group ? "." : "", member, what);
}

/* Text from files may reach a terminal: printable characters only (UTF-8 above ASCII may pass). */
static bool printable(const char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f) return false;
    return true;
}

static lull_status read_member(const reader *r, const char *group, const member *m,
                               const cJSON *json) {
    void *field = (char *)r->config + m->offset;
    char what[160];
    switch (m->type) {
    case INTEGER:
    case NUMBER: {
        double value = cJSON_IsNumber(json) ? json->valuedouble : NAN;
        bool whole = m->type == NUMBER || value == floor(value);
        if (!(value >= m->least && value <= m->most) || !whole) {
            snprintf(what, sizeof what, "must be a%s number from %g to %g",
                     m->type == INTEGER ? " whole" : "", m->least, m->most);
            return refuse(r, group, m->name, what);
        }
        if (m->type == NUMBER)
            *(double *)field = value;
        else
            *(int *)field = (int)value;
        return LULL_OK;
    }
    case BOOLEAN:
        if (!cJSON_IsBool(json)) return refuse(r, group, m->name, "must be true or false");
        *(bool *)field = cJSON_IsTrue(json);
        return LULL_OK;
    case TEXT:
        if (!cJSON_IsString(json) || strlen(json->valuestring) >= (size_t)m->most ||
            !printable(json->valuestring)) {
            snprintf(what, sizeof what, "must be printable text of less than %g bytes", m->most);
            return refuse(r, group, m->name, what);
        }
        memcpy(field, json->valuestring, strlen(json->valuestring) + 1);
        return LULL_OK;
    case NAME:
        for (int i = 0; cJSON_IsString(json) && m->names[i]; i++) {
            if (strcmp(json->valuestring, m->names[i])) continue;
            memcpy(field, &i, sizeof i);
            return LULL_OK;
        }
        int n = snprintf(what, sizeof what, "must be one of");
        for (int i = 0; m->names[i] && n < (int)sizeof what; i++)
            n += snprintf(what + n, sizeof what - (size_t)n, " %s", m->names[i]);
        return refuse(r, group, m->name, what);
    }
    return LULL_OK;
}

/* Reads the members of the table; leaves those named in `others` to the caller; refuses the rest.
 */
static lull_status read_group(const reader *r, const char *group, const cJSON *json,
                              const member *members, const char *const *others) {
    if (!json) return LULL_OK;
    if (!cJSON_IsObject(json)) return refuse(r, "", group, "must be an object");
    for (const cJSON *at = json->child; at; at = at->next) {
        const member *m = members;
        while (m->name && strcmp(m->name, at->string)) m++;
        for (const cJSON *twin = at->next; twin; twin = twin->next)
            if (!strcmp(twin->string, at->string))
                return refuse(r, group, m->name ? m->name : "a member", "stands twice");
        if (m->name) {
            lull_status status = read_member(r, group, m, at);
            if (status) return status;
            continue;
        }
        const char *const *other = others;
        while (other && *other && strcmp(*other, at->string)) other++;
        if (other && *other) continue;
        char shown[48];
        snprintf(shown, sizeof shown, "%s", printable(at->string) ? at->string : "(not printable)");
        return refuse(r, group, shown,
                      "is not known; this version of lull cannot use it (see docs/formats.md)");
    }
    return LULL_OK;
}

/* A cycle of whole numbers that fills one value a layer. `shortest` repeats what the preset had. */
static lull_status read_cycle(const reader *r, const char *member, const cJSON *json, int least,
                              int most, int *values) {
    int count = cJSON_IsArray(json) ? cJSON_GetArraySize(json) : 0;
    char what[120];
    if (count < 1 || count > r->config->layers) {
        snprintf(what, sizeof what, "must be an array of 1 to %d numbers", r->config->layers);
        return refuse(r, "network", member, what);
    }
    int i = 0;
    for (const cJSON *at = json->child; at; at = at->next, i++) {
        double value = cJSON_IsNumber(at) ? at->valuedouble : NAN;
        if (!(value >= least && value <= most) || value != floor(value)) {
            snprintf(what, sizeof what, "must hold whole numbers from %d to %d", least, most);
            return refuse(r, "network", member, what);
        }
        values[i] = (int)value;
    }
    for (; i < r->config->layers; i++) values[i] = values[i - count];
    return LULL_OK;
}

static int shortest_cycle(const int *values, int count) {
    for (int cycle = 1; cycle < count; cycle++) {
        int i = cycle;
        while (i < count && values[i] == values[i - cycle]) i++;
        if (i == count) return cycle;
    }
    return count;
}

static lull_status read_network(const reader *r, const cJSON *json) {
    static const char *const others[] = {"dilations",   "look_ahead", "embedding",
                                         "conditioner", "postnet",    NULL};
    model_config *config = r->config;
    int dilation_cycle = shortest_cycle(config->dilation, config->layers);
    int look_ahead_cycle = shortest_cycle(config->look_ahead, config->layers);
    lull_status status = read_group(r, "network", json, network_members, others);
    if (status) return status;
    /* More layers than the preset's go on in its cycle. */
    for (int i = dilation_cycle; i < config->layers; i++)
        config->dilation[i] = config->dilation[i - dilation_cycle];
    for (int i = look_ahead_cycle; i < config->layers; i++)
        config->look_ahead[i] = config->look_ahead[i - look_ahead_cycle];

    const cJSON *dilations = cJSON_GetObjectItemCaseSensitive(json, "dilations");
    const cJSON *look_ahead = cJSON_GetObjectItemCaseSensitive(json, "look_ahead");
    if (dilations) status = read_cycle(r, "dilations", dilations, 1, 65536, config->dilation);
    if (status) return status;
    if (config->family == MODEL_DIFFWAVE)
        for (int i = 0; i < config->layers; i++)
            config->look_ahead[i] = config->dilation[i] * (config->kernel - 1) / 2;
    if (look_ahead)
        status = read_cycle(r, "look_ahead", look_ahead, 0, 65536 * 15, config->look_ahead);
    if (status) return status;
    status = read_group(r, "network.embedding", cJSON_GetObjectItemCaseSensitive(json, "embedding"),
                        embedding_members, NULL);
    if (status) return status;
    status = read_group(r, "network.postnet", cJSON_GetObjectItemCaseSensitive(json, "postnet"),
                        postnet_members, NULL);
    if (status) return status;
    const cJSON *conditioner = cJSON_GetObjectItemCaseSensitive(json, "conditioner");
    if (conditioner && config->family == MODEL_DIFFWAVE)
        return refuse(r, "network", "conditioner",
                      "is not for the family diffwave, which has its own");
    return read_group(r, "network.conditioner", conditioner, conditioner_members, NULL);
}

static lull_status read_statistics(const reader *r, const cJSON *mel, const char *member,
                                   float *values) {
    const cJSON *json = cJSON_GetObjectItemCaseSensitive(mel, member);
    int bands = r->config->mel.bands, i = 0;
    char what[80];
    snprintf(what, sizeof what, "must be an array of %d finite numbers, one a band", bands);
    if (!cJSON_IsArray(json) || cJSON_GetArraySize(json) != bands)
        return refuse(r, "mel", member, what);
    for (const cJSON *at = json->child; at; at = at->next, i++) {
        if (!cJSON_IsNumber(at) || !isfinite((float)at->valuedouble))
            return refuse(r, "mel", member, what);
        values[i] = (float)at->valuedouble;
        if (values == r->config->mel.deviation && !(values[i] > 0))
            return refuse(r, "mel", member, "must be above 0 in every band");
    }
    return LULL_OK;
}

/* A convention's name brings all its numbers; the other members then change single ones. */
static lull_status read_mel(const reader *r, const cJSON *json) {
    static const char *const others[] = {"mean", "deviation", NULL};
    model_config *config = r->config;
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(json, "convention");
    const cJSON *rate = cJSON_GetObjectItemCaseSensitive(json, "sample_rate");
    if (cJSON_IsString(name)) {
        lull_error reason = {0};
        double hertz = cJSON_IsNumber(rate) && rate->valuedouble >= 1 && rate->valuedouble <= 1e6
                           ? rate->valuedouble
                           : 0;
        if (mel_convention_named(name->valuestring, (int)hertz, &config->mel, &reason))
            return base_fail(r->error, LULL_FORMAT, "%s: configuration: mel: %s", r->name,
                             reason.message);
    }
    lull_status status = read_group(r, "mel", json, mel_members, others);
    if (status || !json) return status;
    /* Before norms had a member, they followed the scale. */
    if (cJSON_GetObjectItemCaseSensitive(json, "scale") &&
        !cJSON_GetObjectItemCaseSensitive(json, "norm"))
        config->mel.norm = config->mel.scale == MEL_SCALE_SLANEY ? MEL_NORM_SLANEY : MEL_NORM_NONE;
    if ((int)config->mel.compression == OLD_DIFFWAVE) {
        config->mel.compression = MEL_COMPRESS_LOG10;
        config->mel.gain = 0.2;
        config->mel.offset = 0.8;
        config->mel.clip_low = 0;
        config->mel.clip_high = 1;
    }
    if (cJSON_GetObjectItemCaseSensitive(json, "mean") ||
        cJSON_GetObjectItemCaseSensitive(json, "deviation")) {
        config->mel.statistics = true;
        status = read_statistics(r, json, "mean", config->mel.mean);
        if (!status) status = read_statistics(r, json, "deviation", config->mel.deviation);
    }
    return status;
}

static lull_status read_all(const reader *r, const cJSON *json) {
    static const char *const groups[] = {"format", "mel", "network", "process", "synthesis", NULL};
    static const char *const process_others[] = {"schedule", NULL};
    static const char *const synthesis_others[] = {"postnet", "low_latency", "offline", NULL};
    const cJSON *format = cJSON_GetObjectItemCaseSensitive(json, "format");
    if (format && (!cJSON_IsNumber(format) || format->valuedouble != 1)) {
        return base_fail(
            r->error, LULL_UNSUPPORTED,
            "%s: the model's format is %.40s, this version of lull reads format 1; use the "
            "version of lull that wrote it, or convert the model",
            r->name,
            cJSON_IsString(format) && printable(format->valuestring) ? format->valuestring
            : cJSON_IsNumber(format)                                 ? "another number"
                                                                     : "not a number");
    }
    const cJSON *family = cJSON_GetObjectItemCaseSensitive(json, "family");
    model_config_default(r->config);
    if (cJSON_IsString(family) && !strcmp(family->valuestring, "diffwave"))
        model_config_diffwave(r->config);

    lull_status status = read_group(r, "", json, top_members, groups);
    if (!status) status = read_mel(r, cJSON_GetObjectItemCaseSensitive(json, "mel"));
    if (!status) status = read_network(r, cJSON_GetObjectItemCaseSensitive(json, "network"));
    const cJSON *process = cJSON_GetObjectItemCaseSensitive(json, "process");
    if (!status) status = read_group(r, "process", process, process_members, process_others);
    if (!status)
        status =
            read_group(r, "process.schedule", cJSON_GetObjectItemCaseSensitive(process, "schedule"),
                       schedule_members, NULL);
    const cJSON *synthesis = cJSON_GetObjectItemCaseSensitive(json, "synthesis");
    if (!status)
        status = read_group(r, "synthesis", synthesis, synthesis_members, synthesis_others);
    if (!status)
        status = read_group(r, "synthesis.postnet",
                            cJSON_GetObjectItemCaseSensitive(synthesis, "postnet"),
                            postnet_use_members, NULL);
    if (!status)
        status = read_group(r, "synthesis.low_latency",
                            cJSON_GetObjectItemCaseSensitive(synthesis, "low_latency"),
                            low_latency_members, NULL);
    if (!status)
        status = read_group(r, "synthesis.offline",
                            cJSON_GetObjectItemCaseSensitive(synthesis, "offline"), offline_members,
                            NULL);
    return status;
}

lull_status model_config_parse(const char *text, const char *name, model_config *config,
                               lull_error *error) {
    const reader r = {name, config, error};
    cJSON *json;
    lull_error reason;
    lull_status status = json_parse(text, strlen(text), name, &json, &reason);
    if (status == LULL_NO_MEMORY) return base_fail(error, status, "%s", reason.message);
    if (!cJSON_IsObject(json)) {
        cJSON_Delete(json);
        return base_fail(error, LULL_FORMAT, "%s: the configuration is not a JSON object", name);
    }
    status = read_all(&r, json);
    cJSON_Delete(json);
    return status ? status : model_config_check(config, name, error);
}

/* Wherever a convention may stand: by itself, in a configuration, in what `lull info --json`
 * prints.
 */
static const cJSON *find_mel(const cJSON *json) {
    const cJSON *config = cJSON_GetObjectItemCaseSensitive(json, "config");
    const cJSON *mel = cJSON_GetObjectItemCaseSensitive(config ? config : json, "mel");
    return mel ? mel : json;
}

lull_status model_convention_parse(const char *text, const char *name, mel_convention *convention,
                                   lull_error *error) {
    model_config config;
    const reader r = {name, &config, error};
    cJSON *json = NULL;
    lull_error reason;
    model_config_default(&config);
    snprintf(config.mel.name, sizeof config.mel.name, "%s", "own");
    lull_status status = json_parse(text, strlen(text), name, &json, &reason);
    if (status) return base_fail(error, status, "%s", reason.message);
    if (!cJSON_IsObject(json))
        status = base_fail(error, LULL_FORMAT, "%s: the mel convention is not a JSON object", name);
    else
        status = read_mel(&r, find_mel(json));
    cJSON_Delete(json);
    if (!status && mel_convention_check(&config.mel, &reason))
        status = base_fail(error, LULL_FORMAT, "%s: %s", name, reason.message);
    if (!status) *convention = config.mel;
    return status;
}

/* ---- checking ---- */

static lull_status check_network(const model_config *c, const char *name, lull_error *error) {
#define REFUSE(...) return base_fail(error, LULL_INVALID, __VA_ARGS__)
    if (c->patch < 1 || c->mel.hop % c->patch)
        REFUSE("%s: a patch of %d samples does not divide the hop of %d; choose a divisor", name,
               c->patch, c->mel.hop);
    if (c->channels < 1 || c->channels > 1024)
        REFUSE("%s: the network has %d channels; 1 to 1024 are possible", name, c->channels);
    if (c->layers < 1 || c->layers > MODEL_MAX_LAYERS)
        REFUSE("%s: the network has %d layers; 1 to %d are possible", name, c->layers,
               MODEL_MAX_LAYERS);
    if (c->kernel < 1 || c->kernel > 31 || c->kernel % 2 == 0)
        REFUSE("%s: a kernel of %d taps; it must be odd, 1 to 31", name, c->kernel);
    for (int i = 0; i < c->layers; i++) {
        if (c->dilation[i] < 1 || c->dilation[i] > 65536)
            REFUSE("%s: layer %d has dilation %d; 1 to 65536 are possible", name, i,
                   c->dilation[i]);
        int most = c->dilation[i] * ((c->kernel - 1) / 2);
        if (c->look_ahead[i] < 0 || c->look_ahead[i] > most)
            REFUSE(
                "%s: layer %d (dilation %d, kernel %d) looks %d frames ahead; 0 to %d are possible",
                name, i, c->dilation[i], c->kernel, c->look_ahead[i], most);
    }
    if (c->embedding_frequencies < 1 || c->embedding_frequencies > 1024 ||
        c->embedding_hidden < 1 || c->embedding_hidden > 4096)
        REFUSE("%s: a step embedding of %d frequencies and %d hidden values; 1 to 1024 and 1 to "
               "4096 are "
               "possible",
               name, c->embedding_frequencies, c->embedding_hidden);
    if (!(c->embedding_from > 0 && c->embedding_to >= c->embedding_from &&
          isfinite(c->embedding_to)))
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
        if (c->schedule.kind != SCHEDULE_BETAS)
            REFUSE("%s: DiffWave's step embedding counts training steps: its schedule must be "
                   "betas, not %s",
                   name, schedule_kind_name(c->schedule.kind));
        return LULL_OK;
    }
    if (c->conditioner_channels < 1 || c->conditioner_channels > 2048)
        REFUSE("%s: the conditioner has %d channels; 1 to 2048 are possible", name,
               c->conditioner_channels);
    if (c->conditioner_layers < 1 || c->conditioner_layers > 16)
        REFUSE("%s: the conditioner has %d layers; 1 to 16 are possible", name,
               c->conditioner_layers);
    if (c->conditioner_kernel < 1 || c->conditioner_kernel > 31 || c->conditioner_kernel % 2 == 0)
        REFUSE("%s: the conditioner has a kernel of %d taps; it must be odd, 1 to 31", name,
               c->conditioner_kernel);
    if (c->conditioner_look_ahead < 0 ||
        c->conditioner_look_ahead > (c->conditioner_kernel - 1) / 2)
        REFUSE(
            "%s: the conditioner looks %d frames ahead; 0 to %d are possible with a kernel of %d",
            name, c->conditioner_look_ahead, (c->conditioner_kernel - 1) / 2,
            c->conditioner_kernel);
    if (!isfinite(c->mel_offset) || !isfinite(c->mel_scale) || c->mel_scale == 0)
        REFUSE("%s: the mel is scaled by %g and moved by %g; both must be finite, the scale not 0",
               name, c->mel_scale, c->mel_offset);
    return LULL_OK;
}

model_settings model_config_settings(const model_config *c, lull_use use) {
    switch (use) {
    case LULL_LOW_LATENCY:
        return (model_settings){c->low_latency_steps, c->low_latency_refine,
                                c->low_latency_refine_window, c->low_latency_refine_momentum,
                                c->low_latency_postnet && c->postnet_channels > 0};
    case LULL_OFFLINE:
        return (model_settings){c->offline_steps, c->offline_refine, c->offline_refine_window,
                                c->offline_refine_momentum,
                                c->offline_postnet && c->postnet_channels > 0};
    case LULL_LIVE:
        break;
    }
    return (model_settings){c->steps, c->refine, c->refine_window, c->refine_momentum,
                            c->live_postnet && c->postnet_channels > 0};
}

static lull_status check_postnet(const model_config *c, const char *name, lull_error *error) {
    if (c->postnet_channels < 0 || c->postnet_channels > 256 || c->postnet_layers < 0 ||
        c->postnet_layers > 32)
        REFUSE("%s: a postnet of %d channels and %d layers; 0 to 256 and 0 to 32 are possible",
               name, c->postnet_channels, c->postnet_layers);
    int most = model_config_postnet_convolutions(c);
    if (c->postnet_look_ahead < 0 || (most > 0 && c->postnet_look_ahead > most))
        REFUSE("%s: the postnet looks %d frames ahead; 0 to %d are possible with %d layers", name,
               c->postnet_look_ahead, most, c->postnet_layers);
    if (most > 0 && (!isfinite(c->mel_offset) || !isfinite(c->mel_scale) || c->mel_scale == 0))
        REFUSE("%s: the mel is scaled by %g and moved by %g; both must be finite, the scale not 0",
               name, c->mel_scale, c->mel_offset);
    return LULL_OK;
}

static lull_status check_synthesis(const model_config *c, const char *name, lull_error *error) {
    if (!(c->tilt_hz >= 0 && c->tilt_hz <= 192000))
        REFUSE("%s: a tilt of %g Hz; 0 (none) to 192000 are possible", name, c->tilt_hz);
    for (int use = LULL_LIVE; use <= LULL_OFFLINE; use++) {
        model_settings settings = model_config_settings(c, (lull_use)use);
        if (settings.refine < 0 || settings.refine > 1000)
            REFUSE("%s: %d refinements; 0 to 1000 are possible", name, settings.refine);
        if (settings.refine_window < 0 || settings.refine_window > 256)
            REFUSE("%s: a refinement window of %d frames; 0 to 256 are possible", name,
                   settings.refine_window);
        if (!(settings.refine_momentum >= 0 && settings.refine_momentum < 1))
            REFUSE("%s: a refinement momentum of %g; 0 to below 1 are possible", name,
                   settings.refine_momentum);
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
    lull_status status = mel_convention_check(&config->mel, &reason);
    if (status) return base_fail(error, status, "%s: mel: %s", name, reason.message);
    status = check_network(config, name, error);
    if (!status) status = check_conditioner(config, name, error);
    if (!status) status = check_postnet(config, name, error);
    if (!status) status = check_synthesis(config, name, error);
    return status;
}

/* ---- writing ---- */

/* All add functions give NULL when memory is out; `fine` collects that. */
static bool print_group(cJSON *json, const model_config *config, const member *members) {
    bool fine = json != NULL;
    for (const member *m = members; fine && m->name; m++) {
        const void *field = (const char *)config + m->offset;
        int i;
        switch (m->type) {
        case INTEGER:
            fine = cJSON_AddNumberToObject(json, m->name, *(const int *)field);
            break;
        case NUMBER:
            fine = cJSON_AddNumberToObject(json, m->name, *(const double *)field);
            break;
        case BOOLEAN:
            fine = cJSON_AddBoolToObject(json, m->name, *(const bool *)field);
            break;
        case TEXT:
            fine = cJSON_AddStringToObject(json, m->name, field);
            break;
        case NAME:
            memcpy(&i, field, sizeof i);
            fine = cJSON_AddStringToObject(json, m->name, m->names[i]);
            break;
        }
    }
    return fine;
}

static bool print_cycle(cJSON *json, const char *name, const int *values, int count) {
    cJSON *array = cJSON_CreateIntArray(values, shortest_cycle(values, count));
    return json_add(json, name, array);
}

static bool print_statistics(cJSON *json, const char *name, const float *values, int count) {
    cJSON *array = cJSON_CreateFloatArray(values, count);
    return json_add(json, name, array);
}

static bool print_all(cJSON *json, const model_config *c) {
    bool fine = cJSON_AddNumberToObject(json, "format", 1) && print_group(json, c, top_members);
    cJSON *mel = fine ? cJSON_AddObjectToObject(json, "mel") : NULL;
    fine = print_group(mel, c, mel_members);
    if (fine && c->mel.statistics)
        fine = print_statistics(mel, "mean", c->mel.mean, c->mel.bands) &&
               print_statistics(mel, "deviation", c->mel.deviation, c->mel.bands);
    cJSON *network = fine ? cJSON_AddObjectToObject(json, "network") : NULL;
    fine = print_group(network, c, network_members) &&
           print_cycle(network, "dilations", c->dilation, c->layers) &&
           print_cycle(network, "look_ahead", c->look_ahead, c->layers) &&
           print_group(cJSON_AddObjectToObject(network, "embedding"), c, embedding_members);
    if (fine && c->family == MODEL_LULL)
        fine = print_group(cJSON_AddObjectToObject(network, "conditioner"), c, conditioner_members);
    if (fine && c->postnet_channels > 0)
        fine = print_group(cJSON_AddObjectToObject(network, "postnet"), c, postnet_members);
    cJSON *process = fine ? cJSON_AddObjectToObject(json, "process") : NULL;
    fine = print_group(process, c, process_members) &&
           print_group(cJSON_AddObjectToObject(process, "schedule"), c, schedule_members);
    cJSON *synthesis = fine ? cJSON_AddObjectToObject(json, "synthesis") : NULL;
    fine = print_group(synthesis, c, synthesis_members);
    if (fine && c->postnet_channels > 0)
        fine = print_group(cJSON_AddObjectToObject(synthesis, "postnet"), c, postnet_use_members);
    return fine &&
           print_group(cJSON_AddObjectToObject(synthesis, "low_latency"), c, low_latency_members) &&
           print_group(cJSON_AddObjectToObject(synthesis, "offline"), c, offline_members);
}

char *model_convention_print(const mel_convention *convention) {
    model_config config = {.mel = *convention};
    cJSON *json = cJSON_CreateObject();
    char *copy = NULL;
    bool fine = print_group(json, &config, mel_members);
    if (fine && convention->statistics)
        fine = print_statistics(json, "mean", convention->mean, convention->bands) &&
               print_statistics(json, "deviation", convention->deviation, convention->bands);
    char *text = fine ? cJSON_Print(json) : NULL;
    if (text) copy = base_strdup(text);
    cJSON_free(text);
    cJSON_Delete(json);
    return copy;
}

char *model_config_print(const model_config *config) {
    cJSON *json = cJSON_CreateObject();
    char *copy = NULL;
    if (json && print_all(json, config)) {
        char *text = cJSON_Print(json);
        if (text) copy = base_strdup(text);
        cJSON_free(text);
    }
    cJSON_Delete(json);
    return copy;
}

/* ---- what follows from it ---- */

int model_config_postnet_convolutions(const model_config *config) {
    return config->postnet_channels > 0 ? config->postnet_layers + 2 : 0;
}

int model_config_network_look_ahead(const model_config *config) {
    int sum = 0;
    for (int i = 0; i < config->layers; i++) sum += config->look_ahead[i];
    return sum;
}

int model_config_frames_per_hop(const model_config *config) {
    return config->mel.hop / config->patch;
}
