/* How the numbers of a mel become frames for a vocoder. */
#include "cli/reading.h"

#include "base/error.h"
#include "base/memory.h"
#include "cli/npz.h"
#include "cli/options.h"
#include "io/file_bytes.h"
#include "io/json.h"
#include "mel/look.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *const cli_layout_choices[] = {"auto", "bands-first", "frames-first", NULL};

/* Levels in dB of full scale below which a whole mel is remarked on. */
static const double NEARLY_SILENT = -60;

/* ---- --from ------------------------------------------------------------------------------- */

static bool set_scale(const char *name, mel_convention *c) {
    for (int i = 0; i < MEL_VALUES; i++)
        if (strcmp(name, mel_values_name((mel_values)i)) == 0) {
            if (c) mel_convention_set_values(c, (mel_values)i);
            return true;
        }
    return strcmp(name, "model") == 0;
}

/* "LOW,HIGH" and what follows. */
static bool take_pair(const char **text, double pair[2]) {
    char *end = NULL;
    pair[0] = strtod(*text, &end);
    if (end == *text || *end != ',') return false;
    *text = end + 1;
    pair[1] = strtod(*text, &end);
    if (end == *text || !isfinite(pair[0]) || !isfinite(pair[1]) || pair[0] == pair[1])
        return false;
    *text = end;
    return true;
}

/* Changes the convention as --from says; c may be NULL. False: it cannot be read. */
static bool set_from(const char *from, mel_convention *c) {
    double seen[2], meant[2];
    if (strncmp(from, "range:", 6) != 0) return set_scale(from, c);
    from += 6;
    if (!take_pair(&from, seen) || *from++ != ':' || !take_pair(&from, meant)) return false;
    if (*from == ':' && !set_scale(from + 1, c)) return false;
    if (*from != ':' && *from != '\0') return false;
    if (c) mel_convention_set_range(c, seen[0], seen[1], meant[0], meant[1]);
    return true;
}

bool cli_input_fine(const cli_input_options *options, const char *command) {
    if (options->from == NULL || set_from(options->from, NULL)) return true;
    cli_usage_error(command,
                    "--from is one of ln, log10, db, linear, ln-power, log10-power, power-db, "
                    "power, or range:LOW,HIGH:MIN,MAX[:SCALE]; found '%s'",
                    options->from);
    return false;
}

/* ---- statistics --------------------------------------------------------------------------- */

static bool has_ending(const char *path, const char *ending) {
    const size_t length = strlen(path), wanted = strlen(ending);
    return length >= wanted && strcasecmp(path + length - wanted, ending) == 0;
}

/* One number for all bands, or one for each. */
static bool spread(const float *values, size_t count, size_t bands, float *to) {
    if (count != 1 && count != bands) return false;
    for (size_t b = 0; b < bands; b++) to[b] = values[count == 1 ? 0 : b];
    return true;
}

static lull_status wrong_shape(const char *path, size_t bands, lull_error *error) {
    return base_fail(error, LULL_MISMATCH,
                     "%s: expected shape [2, %zu]: the mean and the deviation of each band (or "
                     "[2]: one of each)",
                     path, bands);
}

static lull_status statistics_of_array(const char *path, mel_convention *c, lull_error *error) {
    npy_array array = {0};
    lull_status status = npy_read(path, &array, error);
    if (status) return status;
    const size_t bands = (size_t)c->bands;
    const size_t each = array.dimensions == 2 ? array.shape[1] : 1;
    if ((array.dimensions != 1 && array.dimensions != 2) || array.shape[0] != 2 ||
        !spread(array.data, each, bands, c->mean) ||
        !spread(array.data + each, each, bands, c->deviation))
        status = wrong_shape(path, bands, error);
    npy_free(&array);
    return status;
}

static lull_status member_of_archive(const npz_file *file, const char *path,
                                     const char *const *names, size_t bands, float *to,
                                     lull_error *error) {
    size_t at = npz_count(file);
    for (int i = 0; names[i] && at == npz_count(file); i++) at = npz_find(file, names[i]);
    if (at == npz_count(file))
        return base_fail(error, LULL_MISMATCH, "%s: no member '%s' in it", path, names[0]);
    npy_array array = {0};
    lull_status status = npz_array(file, at, &array, error);
    if (status) return status;
    size_t count = 1;
    for (int d = 0; d < array.dimensions; d++) count *= array.shape[d];
    if (!spread(array.data, count, bands, to))
        status = base_fail(error, LULL_MISMATCH, "%s: '%s' has %zu numbers, expected %zu or one",
                           path, npz_name(file, at), count, bands);
    npy_free(&array);
    return status;
}

static lull_status statistics_of_archive(const char *path, mel_convention *c, lull_error *error) {
    static const char *const means[] = {"mean", "mel_mean", NULL};
    static const char *const deviations[] = {"deviation", "std", "scale", "mel_std", NULL};
    npz_file *file = NULL;
    const size_t bands = (size_t)c->bands;
    lull_status status = npz_open(path, &file, error);
    if (!status) status = member_of_archive(file, path, means, bands, c->mean, error);
    if (!status) status = member_of_archive(file, path, deviations, bands, c->deviation, error);
    npz_close(file);
    return status;
}

/* A number for all bands, or an array of one for each. */
static bool spread_json(yyjson_val *json, size_t bands, float *to) {
    if (!yyjson_is_num(json) && yyjson_arr_size(json) != bands) return false;
    for (size_t b = 0; b < bands; b++) {
        yyjson_val *value = yyjson_is_num(json) ? json : yyjson_arr_get(json, b);
        if (!yyjson_is_num(value)) return false;
        to[b] = (float)yyjson_get_num(value);
    }
    return true;
}

static lull_status statistics_of_json(const char *path, mel_convention *c, lull_error *error) {
    file_bytes bytes;
    yyjson_doc *tree = NULL;
    const size_t bands = (size_t)c->bands;
    lull_status status = file_bytes_read(path, &bytes, error);
    if (status) return status;
    status = json_parse(bytes.data, bytes.size, path, &tree, error);
    file_bytes_free(&bytes);
    yyjson_val *root = status ? NULL : yyjson_doc_get_root(tree);
    if (!status && (!spread_json(yyjson_obj_get(root, "mean"), bands, c->mean) ||
                    !spread_json(yyjson_obj_get(root, "deviation"), bands, c->deviation)))
        status = base_fail(error, LULL_MISMATCH,
                           "%s: expected the members \"mean\" and \"deviation\", numbers or arrays "
                           "of %zu",
                           path, bands);
    yyjson_doc_free(tree);
    return status;
}

lull_status cli_read_statistics(const char *path, mel_convention *convention, lull_error *error) {
    lull_status status = has_ending(path, ".json") ? statistics_of_json(path, convention, error)
                         : cli_is_npz(path)        ? statistics_of_archive(path, convention, error)
                                                   : statistics_of_array(path, convention, error);
    if (status) return status;
    convention->statistics = true;
    for (int b = 0; b < convention->bands; b++)
        if (!(convention->deviation[b] > 0.0f) || !isfinite(convention->deviation[b]) ||
            !isfinite(convention->mean[b]))
            return base_fail(error, LULL_FORMAT,
                             "%s: band %d has mean %g and deviation %g: expected finite numbers, a "
                             "deviation above 0",
                             path, b, (double)convention->mean[b],
                             (double)convention->deviation[b]);
    return LULL_OK;
}

/* ---- reading ------------------------------------------------------------------------------ */

lull_status cli_reading_init(cli_reading *reading, const cli_input_options *options,
                             const mel_convention *base, const mel_convention *target,
                             lull_error *error) {
    lull_status status = LULL_OK;
    *reading = (cli_reading){.options = *options, .base = *base, .input = *base};
    if (options->from != NULL && !set_from(options->from, &reading->input))
        return base_fail(error, LULL_INVALID, "--from %s cannot be read", options->from);
    if (options->statistics != NULL)
        status = cli_read_statistics(options->statistics, &reading->input, error);
    if (status) return status;
    reading->target = target ? *target : reading->input;
    if (target == NULL || mel_convention_difference(&reading->input, target) == NULL)
        return LULL_OK;
    return mel_conversion_new(&reading->input, target, &reading->conversion, error);
}

void cli_reading_clear(cli_reading *reading) {
    mel_conversion_free(reading->conversion);
    reading->conversion = NULL;
}

static bool believed(const cli_reading *r) {
    return r->options.from != NULL && strcmp(r->options.from, "model") != 0;
}

/* What --from makes of a value must be a number, and one that a mel can be. */
static lull_status check_values(const cli_reading *r, const char *name, const float *frames,
                                size_t n, lull_error *error) {
    const mel_convention *c = &r->input;
    const size_t bands = (size_t)c->bands;
    const double per_log = c->compression == MEL_COMPRESS_LOG10 ? M_LN10 : 1;
    for (size_t i = 0; i < n * bands; i++) {
        const double value = (double)frames[i];
        const double inner = (value - c->offset) / c->gain;
        const bool linear = c->compression == MEL_COMPRESS_LINEAR;
        if (!isfinite(value) || (!linear && inner * per_log > 88))
            return base_fail(
                error, LULL_NOT_FINITE,
                "%s: band %zu of frame %zu is %g, which --from %s makes no finite number", name,
                i % bands, i / bands, value, r->options.from ? r->options.from : c->name);
        if (linear && inner < 0)
            return base_fail(
                error, LULL_MISMATCH,
                "%s: band %zu of frame %zu is %g: linear mels are not below 0; they may be "
                "logarithms (--from ln or log10)",
                name, i % bands, i / bands, value);
    }
    return LULL_OK;
}

static lull_status check_level(const cli_reading *r, const char *name, const float *frames,
                               size_t n, lull_error *error) {
    mel_sound sound;
    mel_look_listen(&r->input, frames, n, &sound);
    if (mel_sound_is_possible(&sound)) return LULL_OK;
    return base_fail(error, LULL_MISMATCH,
                     "%s: with --from %s the loudest frames would be at %+.0f dB of full scale and "
                     "%.0f %% of the samples beyond it: 'lull synth --explain-mel' shows what "
                     "other scales would make, --force goes on",
                     name, r->options.from, sound.loudest, 100 * sound.beyond);
}

void cli_reading_remark(const cli_reading *r, const cli_reading_seen *seen, const char *name) {
    if (r->options.quiet || seen->frames == 0) return;
    if (seen->padded > 0)
        cli_note("%s: %zu of %zu frames hold one number in all bands: padding, made silence", name,
                 seen->padded, seen->frames);
    if (seen->loudest < NEARLY_SILENT)
        cli_note(
            "%s: nearly silent: its loudest frames are at %.0f dB of full scale (was the audio "
            "divided by 32768 twice?)",
            name, seen->loudest);
}

lull_status cli_reading_take(const cli_reading *reading, const char *name, float *frames, size_t n,
                             lull_error *error) {
    const cli_reading *r = reading;
    lull_status status = LULL_OK;
    if (believed(r) || r->options.force) {
        status = check_values(r, name, frames, n, error);
        if (!status && !r->options.force) status = check_level(r, name, frames, n, error);
    } else {
        status = mel_convention_check_frames(&r->input, frames, n, name, error);
    }
    if (status) return status;
    mel_sound sound;
    cli_reading_seen seen = {.frames = n};
    seen.padded = mel_look_silence_padding(&r->input, frames, n);
    mel_look_listen(&r->input, frames, n, &sound);
    seen.loudest = sound.loudest;
    cli_reading_remark(r, &seen, name);
    if (r->conversion) mel_conversion_run(r->conversion, frames, n);
    return LULL_OK;
}

lull_status cli_reading_stream_init(cli_reading_stream *stream, const cli_reading *reading,
                                    lull_error *error) {
    stream->seen = (cli_reading_seen){.loudest = -HUGE_VAL};
    return mel_opening_init(&stream->opened, &reading->input, error);
}

void cli_reading_stream_clear(cli_reading_stream *stream) {
    mel_opening_clear(&stream->opened);
}

lull_status cli_reading_take_some(const cli_reading *reading, cli_reading_stream *stream,
                                  const char *name, float *frames, size_t n, lull_error *error) {
    const cli_reading *r = reading;
    const bool looks = !believed(r) && !r->options.force;
    mel_sound sound;
    cli_reading_seen *seen = &stream->seen;
    lull_status status = looks ? mel_opening_check(&stream->opened, frames, n, name, error)
                               : check_values(r, name, frames, n, error);
    if (!status && looks && r->conversion) status = check_values(r, name, frames, n, error);
    if (status) return status;
    if (n > 0) mel_look_listen(&r->input, frames, n, &sound);
    if (n > 0) seen->loudest = fmax(seen->loudest, sound.loudest);
    seen->padded += mel_look_silence_padding(&r->input, frames, n);
    seen->frames += n;
    if (r->conversion) mel_conversion_run(r->conversion, frames, n);
    return LULL_OK;
}

lull_status cli_reading_check_limited(const cli_reading *reading, const char *name,
                                      uint64_t limited, uint64_t samples, lull_error *error) {
    const bool enough = samples > (uint64_t)reading->target.sample_rate / 2;
    if (reading->options.force || !enough || limited * 20 <= samples) return LULL_OK;
    return base_fail(error, LULL_MISMATCH,
                     "%s: %.0f %% of the samples are beyond full scale: is the mel of the '%s' "
                     "convention? 'lull synth --explain-mel' shows what it looks like, --force "
                     "goes on",
                     name, 100.0 * (double)limited / (double)samples, reading->target.name);
}

/* ---- explaining --------------------------------------------------------------------------- */

static void print_sound(const char *label, const mel_sound *s) {
    printf("  %-34s %6.1f %8.1f %8.1f %% %9.2f %10.2f   %s\n", label, s->loudest, s->median,
           100 * s->beyond, s->contrast, s->roughness,
           !mel_sound_is_possible(s)    ? "too loud"
           : s->loudest < NEARLY_SILENT ? "nearly silent"
           : s->contrast > 3.4          ? "too much contrast"
           : s->roughness < 0.33        ? "smoother than speech"
                                        : "possible");
}

void cli_reading_explain(const cli_reading *reading, const char *name, const float *frames,
                         size_t n) {
    const mel_convention *c = &reading->input;
    mel_look look;
    lull_error reason = {LULL_OK, ""};
    mel_look_at(c, frames, n, &look);
    printf("%s: %zu frames of %d bands, read as '%s' (%d Hz, hop %d, %g-%g Hz)\n", name, n,
           c->bands, c->name, c->sample_rate, c->hop, c->fmin, c->fmax);
    printf("values      %.4g to %.4g, mean %.3g, deviation %.3g; %.2g %% at the lowest\n",
           look.lowest, look.highest, look.mean, look.deviation, 100 * look.at_lowest);
    printf("neighbours  differ by %.3g along time, %.3g along bands%s\n", look.along_time,
           look.along_bands, mel_look_is_turned(&look) ? ": the order looks turned" : "");
    printf("padding     %zu frames\n", look.padded);
    printf("\n  %-34s %6s %8s %10s %9s %10s\n", "read as", "loud", "median", "beyond", "contrast",
           "roughness");
    print_sound("what is said", &look.sound);
    for (int i = 0; i < MEL_VALUES; i++) {
        mel_convention other = *c;
        mel_sound sound;
        char label[64];
        if ((mel_values)i == MEL_VALUES_LINEAR || (mel_values)i == MEL_VALUES_POWER)
            if (look.lowest < 0) continue;
        mel_convention_set_values(&other, (mel_values)i);
        mel_look_listen(&other, frames, n, &sound);
        snprintf(label, sizeof label, "--from %s", mel_values_name((mel_values)i));
        print_sound(label, &sound);
    }
    if (c->norm == MEL_NORM_SLANEY) {
        mel_convention other = *c;
        mel_sound sound;
        other.norm = MEL_NORM_NONE;
        mel_look_listen(&other, frames, n, &sound);
        print_sound("norm=none (peaks of 1)", &sound);
    }
    printf(
        "\nloud, median: dB of full scale of the loudest and the middle frames; beyond: samples\n"
        "above full scale; contrast: deviation of ln amplitude (speech: 1 to 3); roughness: of\n"
        "the lower bands in time (speech: above 0.33)\n\n");
    if (mel_convention_check_frames(c, frames, n, name, &reason))
        printf("refused: %s\n", reason.message);
    else
        printf("accepted as '%s'. Rate, hop, fmin and fmax cannot be seen in the numbers.\n",
               c->name);
}
