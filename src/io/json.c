/* JSON text that nobody vouches for, into cJSON's tree. */
#include "io/json.h"

#include <string.h>

#include "base/error.h"

enum { MAX_DEPTH = 64 };

/* cJSON recurses, and a value of two letters takes it eighty bytes. Counts levels and values up to
 * the first mistake; there are at most *values. */
static void measure(const char *text, size_t size, int *deepest, size_t *values) {
    int depth = 0;
    bool quoted = false;
    *deepest = 0;
    *values = 1;
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
            if (++depth > *deepest) *deepest = depth;
            ++*values;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        } else if (c == ',') {
            ++*values;
        }
    }
}

/* ---- is it JSON? cJSON gives NULL for wrong text and for lack of memory alike ---------------- */

typedef struct scan {
    const char *at, *end;
} scan;

static bool scan_one(scan *s, const char *wanted) {
    if (s->at == s->end || !*s->at || !strchr(wanted, *s->at)) return false;
    s->at++;
    return true;
}

static void scan_spaces(scan *s) {
    while (scan_one(s, " \t\r\n")) {
    }
}

static bool scan_string(scan *s) {
    if (!scan_one(s, "\"")) return false;
    while (s->at < s->end && *s->at != '"') {
        if (*s->at++ != '\\') continue;
        if (!scan_one(s, "\"\\/bfnrtu")) return false;
        if (s->at[-1] != 'u') continue;
        /* Surrogates, which come in pairs, are not looked into. */
        if (s->at < s->end && (*s->at == 'd' || *s->at == 'D')) return false;
        for (int i = 0; i < 4; i++)
            if (!scan_one(s, "0123456789abcdefABCDEF")) return false;
    }
    return scan_one(s, "\"");
}

static bool scan_digits(scan *s) {
    bool any = false;
    while (scan_one(s, "0123456789")) any = true;
    return any;
}

static bool scan_number(scan *s) {
    enum { LONGEST = 60 }; /* of cJSON */
    const char *begin = s->at;
    scan_one(s, "-");
    if (!scan_digits(s)) return false;
    if (scan_one(s, ".") && !scan_digits(s)) return false;
    if (scan_one(s, "eE")) {
        scan_one(s, "+-");
        if (!scan_digits(s)) return false;
    }
    return s->at - begin < LONGEST;
}

static bool scan_value(scan *s);

static bool scan_members(scan *s, const char *close) {
    s->at++;
    scan_spaces(s);
    if (scan_one(s, close)) return true;
    do {
        scan_spaces(s);
        if (*close == '}') {
            if (!scan_string(s)) return false;
            scan_spaces(s);
            if (!scan_one(s, ":")) return false;
        }
        if (!scan_value(s)) return false;
        scan_spaces(s);
    } while (scan_one(s, ","));
    return scan_one(s, close);
}

/* Called for what is shallow enough. */
static bool scan_value(scan *s) {
    static const char *const words[] = {"true", "false", "null"};
    scan_spaces(s);
    if (s->at == s->end) return false;
    if (*s->at == '{') return scan_members(s, "}");
    if (*s->at == '[') return scan_members(s, "]");
    if (*s->at == '"') return scan_string(s);
    for (int i = 0; i < 3; i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(s->end - s->at) < length || memcmp(s->at, words[i], length)) continue;
        s->at += length;
        return true;
    }
    return scan_number(s);
}

/* The whole text is one value that cJSON reads when it has the memory. */
static bool is_json(const char *text, size_t size) {
    scan s = {text, text + size};
    if (!scan_value(&s)) return false;
    scan_spaces(&s);
    return s.at == s.end || *s.at == '\0';
}

lull_status json_parse(const char *text, size_t size, const char *name, cJSON **tree,
                       lull_error *error) {
    return json_parse_large(text, size, JSON_MOST_VALUES, name, tree, error);
}

lull_status json_parse_large(const char *text, size_t size, size_t most, const char *name,
                             cJSON **tree, lull_error *error) {
    int deepest;
    size_t values;
    *tree = NULL;
    measure(text, size, &deepest, &values);
    if (deepest > MAX_DEPTH) {
        return base_fail(error, LULL_FORMAT, "%s: JSON nested deeper than %d levels", name,
                         MAX_DEPTH);
    }
    if (values > most) {
        return base_fail(error, LULL_FORMAT, "%s: JSON of %zu values, expected at most %zu", name,
                         values, most);
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
    } else if (is_json(text, size)) {
        return base_fail(error, LULL_NO_MEMORY, "out of memory reading %s", name);
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

bool json_add(cJSON *object, const char *name, cJSON *item) {
    if (item && cJSON_AddItemToObject(object, name, item)) return true;
    cJSON_Delete(item);
    return false;
}
