/* JSON of lull bench. */
#include "cli/bench_json.h"

#include <stdio.h>

#include "cli/options.h"

/* Hands `item` (NULL: its making failed) over to its parent. */
static cJSON *add(bench_json *json, cJSON *parent, const char *name, cJSON *item) {
    bool added = item && (name ? cJSON_AddItemToObject(parent, name, item)
                               : cJSON_AddItemToArray(parent, item));
    if (added) return item;
    cJSON_Delete(item);
    json->lost = true;
    return NULL;
}

bench_json bench_json_new(void) {
    cJSON *root = cJSON_CreateObject();
    return (bench_json){root, root == NULL};
}

void bench_json_number(bench_json *json, cJSON *parent, const char *name, double value) {
    add(json, parent, name, cJSON_CreateNumber(value));
}

void bench_json_text(bench_json *json, cJSON *object, const char *name, const char *value) {
    add(json, object, name, cJSON_CreateString(value));
}

cJSON *bench_json_object(bench_json *json, cJSON *parent, const char *name) {
    return add(json, parent, name, cJSON_CreateObject());
}

cJSON *bench_json_array(bench_json *json, cJSON *object, const char *name) {
    return add(json, object, name, cJSON_CreateArray());
}

int bench_json_print(bench_json *json) {
    char *text = json->lost ? NULL : cJSON_Print(json->root);
    cJSON_Delete(json->root);
    json->root = NULL;
    if (!text) return cli_failf("out of memory");
    puts(text);
    cJSON_free(text);
    return cli_finish_stdout();
}
