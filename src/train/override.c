/* Assignments to members of a configuration: see override.h. */
#include "train/override.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "io/json.h"

/* Members that another assignment may have removed, and that may be given although they are not
 * printed. */
static bool optional(const char *path) {
    return strcmp(path, "network.look_ahead") == 0 || strncmp(path, "mel.", 4) == 0;
}

static cJSON *value_of(const char *text) {
    const char *end = NULL;
    cJSON *value = cJSON_ParseWithOpts(text, &end, true);
    return value ? value : cJSON_CreateString(text);
}

/* The object that holds the last part of a path, which *name becomes. NULL when there is none. */
static cJSON *parent_of(cJSON *root, char *path, const char **name) {
    cJSON *at = root;
    char *part = path, *dot;
    while (at != NULL && (dot = strchr(part, '.')) != NULL) {
        *dot = '\0';
        at = cJSON_GetObjectItemCaseSensitive(at, part);
        *dot = '.';
        part = dot + 1;
    }
    *name = part;
    return cJSON_IsObject(at) ? at : NULL;
}

static void shorten(cJSON *network, const char *name, double layers) {
    cJSON *array = cJSON_GetObjectItemCaseSensitive(network, name);
    while (cJSON_IsArray(array) && layers >= 1.0 && cJSON_GetArraySize(array) > layers)
        cJSON_DeleteItemFromArray(array, cJSON_GetArraySize(array) - 1);
}

/* What a change takes with it. */
static void follow(cJSON *root, const char *path, const cJSON *value) {
    cJSON *mel = cJSON_GetObjectItemCaseSensitive(root, "mel");
    cJSON *network = cJSON_GetObjectItemCaseSensitive(root, "network");
    const cJSON *family = cJSON_GetObjectItemCaseSensitive(root, "family");
    bool diffwave = cJSON_IsString(family) && strcmp(family->valuestring, "diffwave") == 0;
    if (strcmp(path, "mel.convention") == 0 || strcmp(path, "mel.sample_rate") == 0) {
        for (cJSON *item = mel ? mel->child : NULL, *next; item != NULL; item = next) {
            next = item->next;
            bool kept =
                strcmp(item->string, "convention") == 0 ||
                (strcmp(item->string, "sample_rate") == 0 && strcmp(path, "mel.sample_rate") == 0);
            if (!kept) cJSON_Delete(cJSON_DetachItemViaPointer(mel, item));
        }
    }
    if (strcmp(path, "network.layers") == 0 && cJSON_IsNumber(value)) {
        shorten(network, "dilations", value->valuedouble);
        shorten(network, "look_ahead", value->valuedouble);
    }
    /* DiffWave looks ahead as far as its kernels reach: computed again. */
    if (diffwave && (strcmp(path, "network.layers") == 0 ||
                     strcmp(path, "network.dilations") == 0 || strcmp(path, "network.kernel") == 0))
        cJSON_DeleteItemFromObjectCaseSensitive(network, "look_ahead");
}

static lull_status assign(cJSON *root, const char *assignment, lull_error *error) {
    const char *equals = strchr(assignment, '=');
    if (equals == NULL || equals == assignment)
        return base_fail(error, LULL_INVALID,
                         "'%s' is not an assignment: expected PLACE=VALUE, as network.channels=128",
                         assignment);
    char *path = base_strdup(assignment);
    if (path == NULL) return base_no_memory(error);
    path[equals - assignment] = '\0';
    const char *name = NULL;
    cJSON *parent = parent_of(root, path, &name);
    lull_status status = LULL_OK;
    cJSON *value = value_of(equals + 1);
    if (value == NULL) {
        status = base_no_memory(error);
    } else if (parent == NULL || (!cJSON_HasObjectItem(parent, name) && !optional(path))) {
        status =
            base_fail(error, LULL_INVALID,
                      "the configuration has no '%s'; 'lull info --json' shows what it has", path);
        cJSON_Delete(value);
    } else {
        follow(root, path, value);
        if (cJSON_GetObjectItemCaseSensitive(parent, name) != NULL)
            cJSON_ReplaceItemInObjectCaseSensitive(parent, name, value);
        else
            json_add(parent, name,
                     value); /* when memory is out, what is missing is noticed below */
    }
    base_free(path);
    return status;
}

lull_status train_override(model_config *config, const char *const *assignments, size_t count,
                           lull_error *error) {
    char *text = model_config_print(config);
    cJSON *root = text ? cJSON_Parse(text) : NULL;
    lull_status status = root ? LULL_OK : base_no_memory(error);
    base_free(text);
    for (size_t i = 0; i < count && !status; i++) status = assign(root, assignments[i], error);
    if (!status) {
        char *changed = cJSON_PrintUnformatted(root);
        status = changed ? model_config_parse(changed, "the configuration", config, error)
                         : base_no_memory(error);
        cJSON_free(changed);
    }
    if (!status) status = model_config_check(config, "the configuration", error);
    cJSON_Delete(root);
    return status;
}
