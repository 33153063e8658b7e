/* JSON text that nobody vouches for, into cJSON's tree. */
#include "io/json.h"

#include "base/error.h"

enum { MAX_DEPTH = 64 };

/* cJSON recurses; its own limit is a build option of that library. Returns false when too deep. */
static bool shallow_enough(const char *text, size_t size) {
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (quoted) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                quoted = false;
            }
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > MAX_DEPTH) return false;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

lull_status json_parse(const char *text, size_t size, const char *name, cJSON **tree,
                       lull_error *error) {
    *tree = NULL;
    if (!shallow_enough(text, size)) {
        return base_fail(error, LULL_FORMAT, "%s: JSON nested deeper than %d levels", name,
                         MAX_DEPTH);
    }
    const char *end = NULL;
    *tree = cJSON_ParseWithLengthOpts(text, size, &end, 0);
    size_t used = end ? (size_t)(end - text) : 0;
    if (*tree) {
        while (used < size && (text[used] == ' ' || text[used] == '\t' || text[used] == '\r' ||
                               text[used] == '\n' || text[used] == '\0')) {
            used++;
        }
        if (used >= size) return LULL_OK;
        cJSON_Delete(*tree);
        *tree = NULL;
    }
    return base_fail(error, LULL_FORMAT, "%s: not valid JSON at byte %zu of %zu", name, used, size);
}

bool json_size(const cJSON *item, size_t *value) {
    if (!cJSON_IsNumber(item)) return false;
    double number = item->valuedouble;
    if (!(number >= 0 && number <= 9007199254740992.0)) return false;
    *value = (size_t)number;
    return (double)*value == number;
}
