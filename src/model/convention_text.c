/* A mel convention as a user says it. */
#include "model/convention_text.h"

#include "base/error.h"
#include "model/config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_SIZE = 1024 };

static bool is_word(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("_-+.", text[i])) return false;
    return size > 0;
}

/* Numbers and truths stand by themselves in JSON, everything else in quotes. */
static bool stands_alone(const char *value, size_t size) {
    return isdigit((unsigned char)value[0]) || value[0] == '-' ||
           (size == 4 && strncmp(value, "true", 4) == 0) ||
           (size == 5 && strncmp(value, "false", 5) == 0);
}

/* "bands=100,norm=none" → {"convention":NAME,"bands":100,"norm":"none"} */
static lull_status changes_as_json(const char *name_of_all, int rate, const char *changes,
                                   char json[TEXT_SIZE], lull_error *error) {
    size_t used = (size_t)snprintf(json, TEXT_SIZE, "{\"convention\":\"%s\"", name_of_all);
    if (rate > 0 && strstr(changes, "sample_rate=") == NULL)
        used += (size_t)snprintf(json + used, TEXT_SIZE - used, ",\"sample_rate\":%d", rate);
    for (const char *at = changes, *end; *at; at = *end ? end + 1 : end) {
        end = at + strcspn(at, ",");
        const char *equals = memchr(at, '=', (size_t)(end - at));
        const size_t name = equals ? (size_t)(equals - at) : 0;
        const size_t size = equals ? (size_t)(end - equals - 1) : 0;
        if (!equals || !is_word(at, name) || !is_word(equals + 1, size))
            return base_fail(error, LULL_INVALID,
                             "mel convention: '%.*s' is no change: expected member=value, as "
                             "fmax=8000 ('lull info --conventions --json' shows the members)",
                             (int)(end - at > 60 ? 60 : end - at), at);
        const char *quote = stands_alone(equals + 1, size) ? "" : "\"";
        used += (size_t)snprintf(json + used, TEXT_SIZE - used, ",\"%.*s\":%s%.*s%s", (int)name, at,
                                 quote, (int)size, equals + 1, quote);
        if (used >= TEXT_SIZE - 2)
            return base_fail(error, LULL_INVALID, "mel convention: too many changes");
    }
    json[used++] = '}';
    json[used] = '\0';
    return LULL_OK;
}

lull_status model_convention_read(const char *text, int rate, mel_convention *convention,
                                  lull_error *error) {
    char name[64], json[TEXT_SIZE];
    while (isspace((unsigned char)*text)) text++;
    const bool is_json = *text == '{';
    const char *comma = is_json ? NULL : strchr(text, ',');
    const size_t length = comma ? (size_t)(comma - text) : strlen(text);
    snprintf(name, sizeof name, "%.*s", (int)(length < 63 ? length : 63), text);
    lull_status status =
        mel_convention_named(is_json ? "hifigan-22k" : name, rate, convention, error);
    if (!status && comma) status = changes_as_json(name, rate, comma + 1, json, error);
    if (!status && comma)
        status = model_convention_parse(json, "mel convention", convention, error);
    if (!status && is_json)
        status = model_convention_parse(text, "mel convention", convention, error);
    return status ? status : mel_convention_check(convention, error);
}
