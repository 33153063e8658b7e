/* lull info: what a model is. */
#include "cli/commands.h"

#include "base/error.h"
#include "base/memory.h"
#include "cli/options.h"
#include "io/json.h"
#include "mel/low_band.h"
#include "model/model.h"
#include "vocoder/vocoder.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SETTINGS = LULL_OFFLINE + 1 };

static const char *const use_titles[] = {"live", "low latency", "offline"}; /* of lull_use */
static const char *const use_names[] = {"live", "low_latency", "offline"};

/* What depends on the settings of synthesis. */
typedef struct settings_facts {
    const char *name;
    int steps, refine, refine_low, refine_window;
    double refine_momentum;
    bool postnet;
    size_t latency;                           /* samples */
    vocoder_delay delays[VOCODER_MAX_DELAYS]; /* what it is the sum of */
    int delay_count;
    double flops; /* in one second of audio */
} settings_facts;

static lull_status find_settings(const lull_model *model, lull_use use, settings_facts *facts,
                                 lull_error *error) {
    const model_config *config = &model->config;
    model_settings settings = model_config_settings(config, use);
    lull_options options;
    lull_vocoder *vocoder = NULL;
    lull_options_init(&options);
    options.use = use;
    options.queue_frames = 1;
    lull_status status = lull_vocoder_new(model, &options, &vocoder, error);
    if (status != LULL_OK) return status;
    facts->name = use_titles[use];
    facts->steps = settings.steps;
    facts->refine = settings.refine;
    facts->refine_low = settings.refine_low;
    facts->refine_window = settings.refine_window;
    facts->refine_momentum = settings.refine_momentum;
    facts->postnet = settings.postnet;
    facts->latency = lull_vocoder_latency(vocoder);
    facts->delay_count = vocoder_delays(vocoder, facts->delays);
    facts->flops = model_flops(config, &settings, vocoder_stages(vocoder));
    lull_vocoder_free(vocoder);
    return LULL_OK;
}

static double milliseconds(const lull_model *model, size_t samples) {
    return 1000.0 * (double)samples / model->config.mel.sample_rate;
}

static const char *compression_name(const mel_convention *mel) {
    switch (mel->compression) {
    case MEL_COMPRESS_LN:
        return "natural logarithm";
    case MEL_COMPRESS_LOG10:
        return "log10";
    case MEL_COMPRESS_LINEAR:
        return "linear";
    }
    return "";
}

/* ---- JSON --------------------------------------------------------------------------------- */

static void add_settings(json_writer *json, yyjson_mut_val *parent, const char *name,
                         const lull_model *model, const settings_facts *facts) {
    yyjson_mut_val *object = json_add_object(json, parent, name);
    int hop = model->config.mel.hop;
    json_add_number(json, object, "steps", facts->steps);
    json_add_number(json, object, "refine", facts->refine);
    json_add_number(json, object, "refine_low", facts->refine_low);
    json_add_number(json, object, "refine_window", facts->refine_window);
    json_add_number(json, object, "refine_momentum", facts->refine_momentum);
    json_add_bool(json, object, "postnet", facts->postnet);
    json_add_number(json, object, "latency_samples", (double)facts->latency);
    json_add_number(json, object, "latency_frames", (double)facts->latency / hop);
    json_add_number(json, object, "latency_ms", milliseconds(model, facts->latency));
    yyjson_mut_val *parts = json_add_array(json, object, "latency_parts");
    for (int i = 0; i < facts->delay_count; i++) {
        yyjson_mut_val *part = json_add_object(json, parts, NULL);
        json_add_text(json, part, "name", facts->delays[i].name);
        json_add_number(json, part, "parts", facts->delays[i].parts);
        json_add_number(json, part, "samples", (double)facts->delays[i].samples);
    }
    json_add_number(json, object, "flops_per_second", facts->flops);
}

static int print_json(const char *path, const lull_model *model, const settings_facts *facts) {
    const lull_model_info *info = lull_model_get_info(model);
    json_writer json = json_writer_new();
    json_add_text(&json, json.root, "file", path);
    json_add_text(&json, json.root, "name", info->name);
    json_add_text(&json, json.root, "family", info->family);
    json_add_text(&json, json.root, "licence", info->licence);
    json_add_number(&json, json.root, "parameters", (double)info->parameters);
    json_add_text(&json, json.root, "convention", info->convention);
    json_add_number(&json, json.root, "sample_rate", info->sample_rate);
    json_add_number(&json, json.root, "bands", info->bands);
    json_add_number(&json, json.root, "hop", info->hop);
    for (int i = 0; i < SETTINGS && model->config.family != MODEL_PITCH_ALONE; i++)
        add_settings(&json, json.root, use_names[i], model, &facts[i]);
    model_config_write(&model->config, &json, json_add_object(&json, json.root, "config"));
    /* Facts of training are for people: what is no JSON is left out. */
    yyjson_doc *training = NULL;
    const char *text = model->training_json;
    if (json_parse(text, strlen(text), path, &training, NULL) == LULL_NO_MEMORY) json.lost = true;
    if (training)
        json_add_copy(&json, json.root, "training", yyjson_doc_get_root(training));
    else
        json_add_object(&json, json.root, "training");
    yyjson_doc_free(training);
    return cli_print_json(&json);
}

/* ---- text --------------------------------------------------------------------------------- */

static void row(const char *label, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void row(const char *label, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < 32 || *c == 127) *c = '?'; /* the file's own words */
    printf("  %-13s%s\n", label, text);
}

/* Is it what a run of `lull train` says of itself (train_settings_facts)? */
static bool is_run(yyjson_val *facts) {
    return yyjson_is_num(yyjson_obj_get(facts, "steps")) &&
           yyjson_is_num(yyjson_obj_get(facts, "audio_seconds")) &&
           yyjson_is_num(yyjson_obj_get(facts, "batch")) &&
           yyjson_is_num(yyjson_obj_get(facts, "crop_frames")) &&
           yyjson_is_num(yyjson_obj_get(facts, "rate")) &&
           yyjson_is_str(yyjson_obj_get(facts, "optimizer"));
}

/* Its gist: --json has all. */
static void print_run(const char *label, const char *part, yyjson_val *facts) {
    row(label, "%s: %.0f steps of %.0f crops of %.0f frames, %.0f s of audio: %s %g", part,
        yyjson_get_num(yyjson_obj_get(facts, "steps")),
        yyjson_get_num(yyjson_obj_get(facts, "batch")),
        yyjson_get_num(yyjson_obj_get(facts, "crop_frames")),
        yyjson_get_num(yyjson_obj_get(facts, "audio_seconds")),
        yyjson_get_str(yyjson_obj_get(facts, "optimizer")),
        yyjson_get_num(yyjson_obj_get(facts, "rate")));
}

/* False when memory is out. */
static bool print_training(const lull_model *model) {
    const char *json = model->training_json, *label = "training";
    yyjson_doc *tree = NULL;
    bool fine = json_parse(json, strlen(json), label, &tree, NULL) != LULL_NO_MEMORY;
    yyjson_val *root = yyjson_doc_get_root(tree), *key, *item;
    const bool own = is_run(root); /* of the denoiser; then parts stand beside its members */
    size_t i, n;
    if (own) {
        print_run(label, "denoiser", root);
        label = "";
    }
    yyjson_obj_foreach(root, i, n, key, item) {
        if (own && !yyjson_is_obj(item)) continue;
        if (is_run(item)) {
            print_run(label, yyjson_get_str(key), item);
        } else {
            char *text = yyjson_is_str(item) ? NULL : json_print(item);
            fine = fine && (text != NULL || yyjson_is_str(item));
            if (fine) row(label, "%s: %s", yyjson_get_str(key), text ? text : yyjson_get_str(item));
            base_free(text);
        }
        label = "";
    }
    if (fine && *label != '\0') row(label, "the file says nothing");
    yyjson_doc_free(tree);
    return fine;
}

/* The part that refines has another name where programs read it (--json). */
static const char *shown_name(const char *part) {
    return strcmp(part, "consistency") == 0 ? "refinement" : part;
}

static void print_delays(const lull_model *model, const settings_facts *facts) {
    char text[512] = "";
    size_t length = 0;
    for (int i = 0; i < facts->delay_count && length < sizeof text; i++) {
        const vocoder_delay *delay = &facts->delays[i];
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%s ", i ? " + " : "",
                                   shown_name(delay->name));
        if (delay->parts > 1 && length < sizeof text)
            length += (size_t)snprintf(text + length, sizeof text - length, "%d × ", delay->parts);
        if (length < sizeof text)
            length += (size_t)snprintf(text + length, sizeof text - length, "%.1f",
                                       milliseconds(model, delay->samples) / delay->parts);
    }
    row("", "latency: %s ms", text);
}

static void print_pitch(const model_config *config) {
    if (config->pitch_channels > 0)
        row("pitch",
            "%d convolutions of %d channels, looks %d frame%s ahead; for mels of any "
            "convention",
            config->pitch_layers, config->pitch_channels, config->pitch_look_ahead,
            config->pitch_look_ahead == 1 ? "" : "s");
}

static void print_convolutions(const char *label, int layers, int channels, const char *what) {
    row(label, "%d convolution%s of %d channels; %s", layers, layers == 1 ? "" : "s", channels,
        what);
}

static void print_bandwidth(const model_config *config) {
    if (config->bandwidth_channels > 0)
        print_convolutions("bandwidth", config->bandwidth_layers, config->bandwidth_channels,
                           "for mels of any convention that ends below 12 kHz");
    else if (config->full_bandwidth)
        row("bandwidth", "full: what lies above the mel is added");
}

static void print_spectrum(const model_config *config) {
    char what[64];
    if (config->spectrum_channels == 0) return;
    snprintf(what, sizeof what, "guides refinement below %.2f kHz",
             mel_low_band_edge(&config->mel) / 1000);
    print_convolutions("spectrum", config->spectrum_layers, config->spectrum_channels, what);
}

/* Those of the low band, in words. */
static const char *low_refinements(int count, const mel_convention *mel, char text[48]) {
    text[0] = '\0';
    if (count > 0) snprintf(text, 48, " (%d below %.2f kHz)", count, mel_low_band_edge(mel) / 1000);
    return text;
}

static void print_denoiser(const lull_model *model, const settings_facts *facts) {
    const model_config *config = &model->config;
    const mel_convention *mel = &config->mel;
    row("mel", "%s: %d Hz, %d bands %g-%g Hz (%s), %s%s", mel->name, mel->sample_rate, mel->bands,
        mel->fmin, mel->fmax, mel->scale == MEL_SCALE_SLANEY ? "Slaney" : "HTK",
        compression_name(mel), mel->statistics ? ", with statistics" : "");
    row("", "transform %d, window %d, hop %d (%.2f ms), %s", mel->n_fft, mel->window, mel->hop,
        milliseconds(model, (size_t)mel->hop), mel->centred ? "centred" : "not centred");
    row("network", "%d layers of %d channels, width %d, on %s of %d sample%s", config->layers,
        config->channels, config->kernel, config->patch > 1 ? "patches" : "frames", config->patch,
        config->patch > 1 ? "s" : "");
    row("", "looks %.2f ms ahead, %s",
        milliseconds(model,
                     (size_t)model_config_network_look_ahead(config) * (size_t)config->patch),
        config->whitened ? "works on the whitened waveform" : "works on the waveform");
    if (config->below_hz > 0) row("", "knows what lies below %g Hz", config->below_hz);
    if (config->postnet_channels > 0)
        row("postnet", "%d convolutions of %d channels, looks %.1f ms ahead",
            model_config_postnet_convolutions(config), config->postnet_channels,
            milliseconds(model, (size_t)config->postnet_look_ahead * (size_t)mel->hop));
    print_pitch(config);
    print_bandwidth(config);
    print_spectrum(config);
    row("process", "predicts %s, sampler %s, eta %g", diffusion_objective_name(config->objective),
        diffusion_sampler_name(config->sampler), config->eta);
    for (int i = 0; i < SETTINGS; i++) {
        char low[48];
        row(facts[i].name,
            "%s%d step%s, %d refinement%s%s on %d frame%s: latency %.1f ms (%zu samples), "
            "%.1f GFLOP/s",
            facts[i].postnet ? "postnet, " : "", facts[i].steps, facts[i].steps == 1 ? "" : "s",
            facts[i].refine, facts[i].refine == 1 ? "" : "s",
            low_refinements(facts[i].refine_low, mel, low), facts[i].refine_window,
            facts[i].refine_window == 1 ? "" : "s", milliseconds(model, facts[i].latency),
            facts[i].latency, facts[i].flops / 1e9);
        print_delays(model, &facts[i]);
    }
}

static int print_text(const char *path, const lull_model *model, const settings_facts *facts) {
    const lull_model_info *info = lull_model_get_info(model);
    const model_config *config = &model->config;
    row("name", "%s", info->name);
    row("family", "%s, %.2f million weights", info->family, (double)info->parameters / 1e6);
    row("file", "%s", path);
    row("licence", "%s", info->licence[0] != '\0' ? info->licence : "not said in the file");
    if (config->family == MODEL_PITCH_ALONE)
        print_pitch(config);
    else
        print_denoiser(model, facts);
    if (!print_training(model)) return cli_failf("out of memory");
    return cli_finish_stdout();
}

/* ---- --conventions ------------------------------------------------------------------------ */

static void print_convention(const mel_convention *c, const char *alias, const char *writers) {
    char filters[48] = "", root[48] = "", values[96];
    printf("%s%s%s%s: %s\n", c->name, alias ? " (" : "", alias ? alias : "", alias ? ")" : "",
           writers);
    row("frames", "%d Hz, transform %d, window %d, hop %d (%.2f ms), %s, ends %s", c->sample_rate,
        c->n_fft, c->window, c->hop, 1000.0 * c->hop / c->sample_rate,
        c->centred ? "centred" : "not centred",
        c->padding == MEL_PADDING_REFLECT ? "mirrored" : "padded with zeros");
    if (c->filter_rate > 0)
        snprintf(filters, sizeof filters, " (filters of %g kHz)", c->filter_rate / 1000.0);
    if (c->magnitude_epsilon > 0)
        snprintf(root, sizeof root, ", %g under the root", c->magnitude_epsilon);
    row("bands", "%d, %g-%g Hz, %s scale%s, %s", c->bands, c->fmin, c->fmax,
        c->scale == MEL_SCALE_SLANEY ? "Slaney" : "HTK", filters,
        c->norm == MEL_NORM_SLANEY ? "area 1" : "peak 1");
    snprintf(values, sizeof values, "%s %g", c->floor_added ? "plus" : "at least", c->floor);
    row("values", "%s of %s %s%s%s", compression_name(c), c->power == 2 ? "power" : "amplitude",
        values, root, c->normalized_window ? ", divided by the window's norm" : "");
    if (c->gain != 1 || c->offset != 0)
        row("", "times %g plus %g%s", c->gain, c->offset,
            mel_convention_clips(c) ? ", within bounds" : "");
}

static int print_conventions(bool json) {
    mel_convention c;
    const char *name, *writers, *alias;
    if (json) printf("[\n");
    for (int i = 0; (name = mel_convention_name_at(i, &writers, &alias)) != NULL; i++) {
        if (mel_convention_named(name, 0, &c, NULL) != LULL_OK) continue;
        if (!json) {
            print_convention(&c, alias, writers);
            continue;
        }
        char *text = model_convention_print(&c);
        if (text == NULL) return cli_failf("out of memory");
        printf("%s%s", i > 0 ? ",\n" : "", text);
        base_free(text);
    }
    if (json) printf("\n]\n");
    return cli_finish_stdout();
}

int command_info(int argc, char **argv) {
    bool json = false, conventions = false;
    const char *option = NULL;
    int first = 0, code = CLI_OK;
    const cli_option options[] = {
        CLI_TEXT('m', "model", "FILE", &option, "the same as MODEL"),
        CLI_FLAG('j', "json", &json, "print JSON"),
        CLI_FLAG(0, "conventions", &conventions, "print all numbers of the mel conventions known"),
        CLI_END};
    const cli_command_line line = {
        "info",
        "[OPTIONS] [MODEL]",
        "Says what a model is: its size and licence, the mel convention that it wants,\n"
        "its latency and cost, how it was trained. Without MODEL: the default model.\n"
        "GFLOP/s: floating-point operations of the networks in one second of audio.",
        NULL,
        options,
        0,
        1};
    if (!cli_parse(&line, argc, argv, &first, &code)) return code;
    if (conventions) return print_conventions(json);

    char path[PATH_MAX];
    lull_error error = {LULL_OK, ""};
    lull_model *model = NULL;
    settings_facts facts[SETTINGS];
    lull_status status =
        cli_find_model(first < argc ? argv[first] : option, path, sizeof path, &error);
    if (status == LULL_OK) status = lull_model_open(path, &model, &error);
    const bool speaks = status == LULL_OK && model->config.family != MODEL_PITCH_ALONE;
    for (int i = 0; i < SETTINGS && status == LULL_OK && speaks; i++)
        status = find_settings(model, (lull_use)i, &facts[i], &error);
    code = status != LULL_OK ? cli_fail(&error)
           : json            ? print_json(path, model, facts)
                             : print_text(path, model, facts);
    lull_model_close(model);
    return code;
}
