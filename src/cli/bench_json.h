/* JSON of lull bench that is whole or not printed: what was lost for want of memory is remembered.
 */
#ifndef CLI_BENCH_JSON_H
#define CLI_BENCH_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>

typedef struct bench_json {
    cJSON *root;
    bool lost;
} bench_json;

bench_json bench_json_new(void);

/* Into an object under a name, or at an array's end (name NULL). */
void bench_json_number(bench_json *json, cJSON *parent, const char *name, double value);
void bench_json_text(bench_json *json, cJSON *object, const char *name, const char *value);
cJSON *bench_json_object(bench_json *json, cJSON *parent, const char *name);
cJSON *bench_json_array(bench_json *json, cJSON *object, const char *name);

/* Prints it on standard output and frees it; gives the exit code. */
int bench_json_print(bench_json *json);

#endif
