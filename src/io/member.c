/* The members of a struct, described once: see member.h. */
#include "io/member.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/printable.h"

enum { PLACE_SIZE = 128, SHOWN_SIZE = 96, EXPECTED_SIZE = 256 };

static void *field_of(const member *row, const void *object) {
    return (char *)(uintptr_t)object + row->offset;
}

static bool in_range(const member *row, double value) {
    return value >= row->least && value <= row->most; /* not NaN */
}

/* Text from files may reach a terminal: no control characters. */
static bool printable(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) return false;
    return true;
}

/* How many elements of an array mean something. */
static size_t used(const member *row, const void *object) {
    int count = *(const int *)((const char *)object + row->count);
    if (count < 0) return 0;
    return (size_t)count < row->capacity ? (size_t)count : row->capacity;
}

static const char *place_of(char *buffer, const char *place, const char *name) {
    const char *parts[] = {place, *place ? "." : "", name};
    size_t length = 0;
    for (int i = 0; i < 3; i++)
        for (const char *c = parts[i]; *c && length < PLACE_SIZE - 1; c++) buffer[length++] = *c;
    buffer[length] = '\0';
    return buffer;
}

static bool is_value(const member *row) {
    return row->kind != MEMBER_KIND_GROUP && row->kind != MEMBER_KIND_OTHER;
}

/* A group without a name: its members stand in this object. */
static bool is_inline(const member *row) {
    return row->kind == MEMBER_KIND_GROUP && row->name == NULL;
}

/* ---- what it may be ------------------------------------------------------------------------ */

static void expected_names(const member *row, char *text, size_t size) {
    size_t at = 0;
    for (int i = 0; row->names[i] && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%s",
                               i == 0              ? "one of "
                               : row->names[i + 1] ? ", "
                                                   : " or ",
                               row->names[i]);
}

void member_expected(const member *row, char *text, size_t size) {
    switch (row->kind) {
    case MEMBER_KIND_INT:
        snprintf(text, size, "a whole number from %.0f to %.0f", row->least, row->most);
        return;
    case MEMBER_KIND_UINT64:
        snprintf(text, size, "a whole number from 0 to %llu", (unsigned long long)UINT64_MAX);
        return;
    case MEMBER_KIND_NUMBER:
        snprintf(text, size, "a number from %g to %g", row->least, row->most);
        return;
    case MEMBER_KIND_BOOL:
        snprintf(text, size, "true or false");
        return;
    case MEMBER_KIND_TEXT:
        snprintf(text, size, "printable text of less than %zu bytes", row->capacity);
        return;
    case MEMBER_KIND_ARGUMENT:
        snprintf(text, size, "a word");
        return;
    case MEMBER_KIND_NAME:
        expected_names(row, text, size);
        return;
    case MEMBER_KIND_CYCLE:
        snprintf(text, size, "an array of 1 to %zu whole numbers from %.0f to %.0f", row->capacity,
                 row->least, row->most);
        return;
    case MEMBER_KIND_FLOATS:
        snprintf(text, size, "an array of 1 to %zu numbers from %g to %g, or one number",
                 row->capacity, row->least, row->most);
        return;
    case MEMBER_KIND_GROUP:
        snprintf(text, size, "an object");
        return;
    case MEMBER_KIND_OTHER:
    case MEMBER_KIND_END:
        snprintf(text, size, "nothing");
    }
}

/* ---- values from JSON ---------------------------------------------------------------------- */

static bool whole_number(yyjson_val *json, double *value) {
    *value = yyjson_is_num(json) ? yyjson_get_num(json) : NAN;
    return *value == floor(*value);
}

static bool read_name(const member *row, int *field, const char *text) {
    for (int i = 0; row->names[i]; i++) {
        if (strcmp(row->names[i], text) != 0) continue;
        memcpy(field, &i, sizeof i);
        return true;
    }
    return false;
}

static bool read_text(const member *row, char *field, const char *text, size_t length) {
    char same[512];
    if (length >= row->capacity || length >= sizeof same || !printable(text, length)) return false;
    /* What is not UTF-8 could not be written again as it is. */
    if (strcmp(base_printable(text, same, sizeof same), text) != 0) return false;
    memcpy(field, text, length);
    field[length] = '\0';
    return true;
}

static bool read_cycle(const member *row, int *field, yyjson_val *json) {
    size_t count = yyjson_arr_size(json), i, n;
    if (count < 1 || count > row->capacity) return false;
    yyjson_val *item;
    double value;
    yyjson_arr_foreach(json, i, n, item) {
        if (!whole_number(item, &value) || !in_range(row, value)) return false;
    }
    yyjson_arr_foreach(json, i, n, item) field[i] = (int)yyjson_get_num(item);
    for (i = count; i < row->capacity; i++) field[i] = field[i - count];
    return true;
}

static bool read_floats(const member *row, float *field, yyjson_val *json) {
    size_t count = yyjson_arr_size(json), i, n;
    if (yyjson_is_num(json) && in_range(row, yyjson_get_num(json))) {
        for (i = 0; i < row->capacity; i++) field[i] = (float)yyjson_get_num(json);
        return true;
    }
    if (count < 1 || count > row->capacity) return false;
    yyjson_val *item;
    yyjson_arr_foreach(json, i, n, item) {
        double value = yyjson_is_num(item) ? yyjson_get_num(item) : NAN;
        if (!isfinite((float)value) || !in_range(row, value)) return false;
    }
    yyjson_arr_foreach(json, i, n, item) field[i] = (float)yyjson_get_num(item);
    return true;
}

static bool read_uint64(uint64_t *field, yyjson_val *json) {
    if (yyjson_is_uint(json)) {
        *field = yyjson_get_uint(json);
        return true;
    }
    double value;
    if (!whole_number(json, &value) || !(value >= 0 && value < 18446744073709551616.0))
        return false;
    *field = (uint64_t)value;
    return true;
}

static bool read_value(const member *row, void *object, yyjson_val *json) {
    void *field = field_of(row, object);
    double value;
    switch (row->kind) {
    case MEMBER_KIND_INT:
        if (!whole_number(json, &value) || !in_range(row, value)) return false;
        *(int *)field = (int)value;
        return true;
    case MEMBER_KIND_UINT64:
        return read_uint64(field, json);
    case MEMBER_KIND_NUMBER:
        value = yyjson_is_num(json) ? yyjson_get_num(json) : NAN;
        if (!in_range(row, value)) return false;
        *(double *)field = value;
        return true;
    case MEMBER_KIND_BOOL:
        if (!yyjson_is_bool(json)) return false;
        *(bool *)field = yyjson_get_bool(json);
        return true;
    case MEMBER_KIND_TEXT:
        return yyjson_is_str(json) &&
               read_text(row, field, yyjson_get_str(json), yyjson_get_len(json));
    case MEMBER_KIND_NAME:
        return yyjson_is_str(json) && read_name(row, field, yyjson_get_str(json));
    case MEMBER_KIND_CYCLE:
        return read_cycle(row, field, json);
    case MEMBER_KIND_FLOATS:
        return read_floats(row, field, json);
    default:
        return false;
    }
}

/* ---- values from what was typed ------------------------------------------------------------- */

static bool only_space(const char *text) {
    while (isspace((unsigned char)*text)) text++;
    return *text == '\0';
}

static bool set_array(const member *row, void *object, const char *text) {
    yyjson_doc *tree = NULL;
    if (json_parse(text, strlen(text), "", &tree, NULL)) return false;
    bool fine = read_value(row, object, yyjson_doc_get_root(tree));
    yyjson_doc_free(tree);
    return fine;
}

/* "name" with its quotes, as JSON has it, or name. */
static bool set_text(const member *row, void *object, const char *text) {
    if (*text == '"' && set_array(row, object, text)) return true;
    return read_text(row, field_of(row, object), text, strlen(text));
}

bool member_set(const member *row, void *object, const char *text) {
    void *field = field_of(row, object);
    char *end = NULL;
    errno = 0;
    switch (row->kind) {
    case MEMBER_KIND_INT: {
        long value = strtol(text, &end, 10);
        if (end == text || !only_space(end) || errno != 0 || !in_range(row, (double)value))
            return false;
        *(int *)field = (int)value;
        return true;
    }
    case MEMBER_KIND_UINT64: {
        unsigned long long value = strtoull(text, &end, 10);
        if (end == text || !only_space(end) || errno != 0 || strchr(text, '-')) return false;
        *(uint64_t *)field = value;
        return true;
    }
    case MEMBER_KIND_NUMBER: {
        double value = strtod(text, &end);
        if (end == text || !only_space(end) || !in_range(row, value)) return false;
        *(double *)field = value;
        return true;
    }
    case MEMBER_KIND_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) return false;
        *(bool *)field = *text == 't';
        return true;
    case MEMBER_KIND_TEXT:
        return set_text(row, object, text);
    case MEMBER_KIND_ARGUMENT:
        if (*text == '\0') return false;
        *(const char **)field = text;
        return true;
    case MEMBER_KIND_NAME:
        return read_name(row, field, text) || (*text == '"' && set_array(row, object, text));
    case MEMBER_KIND_CYCLE:
    case MEMBER_KIND_FLOATS:
        return set_array(row, object, text);
    default:
        return false;
    }
}

void members_default(const member *table, void *object) {
    for (const member *row = table; row->kind != MEMBER_KIND_END; row++) {
        if (row->kind == MEMBER_KIND_GROUP)
            members_default(row->members, field_of(row, object));
        else if (row->initial)
            member_set(row, object, row->initial);
        else if (row->kind == MEMBER_KIND_INT || row->kind == MEMBER_KIND_NAME)
            memset(field_of(row, object), 0, sizeof(int));
        else if (row->kind == MEMBER_KIND_UINT64)
            *(uint64_t *)field_of(row, object) = 0;
        else if (row->kind == MEMBER_KIND_NUMBER)
            *(double *)field_of(row, object) = 0;
        else if (row->kind == MEMBER_KIND_BOOL)
            *(bool *)field_of(row, object) = false;
        else if (row->kind == MEMBER_KIND_TEXT)
            memset(field_of(row, object), 0, row->capacity);
    }
}

/* ---- reading a table ------------------------------------------------------------------------ */

/* The row of a name, also in groups without one. */
static const member *row_named(const member *table, const char *name) {
    for (const member *row = table; row->kind != MEMBER_KIND_END; row++) {
        const member *found = is_inline(row) ? row_named(row->members, name)
                              : row->name && strcmp(row->name, name) == 0 ? row
                                                                          : NULL;
        if (found) return found;
    }
    return NULL;
}

static lull_status check_names(const member *table, yyjson_val *json, const char *file,
                               const char *place, lull_error *error) {
    size_t i, n, j, m;
    yyjson_val *key, *value, *twin, *other;
    char at[PLACE_SIZE];
    yyjson_obj_foreach(json, i, n, key, value) {
        const char *name = yyjson_get_str(key);
        if (!printable(name, yyjson_get_len(key))) name = "(not printable)";
        yyjson_obj_foreach(json, j, m, twin, other) {
            if (j > i && yyjson_equals_strn(twin, yyjson_get_str(key), yyjson_get_len(key)))
                return base_fail(error, LULL_FORMAT, "%s: %s stands twice", file,
                                 place_of(at, place, name));
        }
        if (!row_named(table, name))
            return base_fail(error, LULL_FORMAT,
                             "%s: %.100s is not known; this version of lull cannot use it (see "
                             "docs/formats.md)",
                             file, place_of(at, place, name));
    }
    return LULL_OK;
}

static lull_status refuse(const member *row, yyjson_val *json, const char *file, const char *place,
                          lull_error *error) {
    char shown[SHOWN_SIZE], expected[EXPECTED_SIZE];
    json_show(json, shown, sizeof shown);
    member_expected(row, expected, sizeof expected);
    return base_fail(error, LULL_FORMAT, "%s: %s is %s, expected %s", file, place, shown, expected);
}

/* An array is all right but for one of its values: that one is named. */
static lull_status refuse_array(const member *row, yyjson_val *json, const char *file,
                                const char *place, lull_error *error) {
    size_t i, n;
    yyjson_val *item;
    member one = *row;
    one.kind = row->kind == MEMBER_KIND_CYCLE ? MEMBER_KIND_INT : MEMBER_KIND_NUMBER;
    one.offset = 0;
    if (yyjson_arr_size(json) > row->capacity) return refuse(row, json, file, place, error);
    yyjson_arr_foreach(json, i, n, item) {
        double unused;
        if (read_value(&one, &unused, item)) continue;
        char at[PLACE_SIZE + 32];
        snprintf(at, sizeof at, "%s[%zu]", place, i);
        return refuse(&one, item, file, at, error);
    }
    return refuse(row, json, file, place, error);
}

static lull_status read_rows(const member *table, void *object, yyjson_val *json, const char *file,
                             const char *place, lull_error *error) {
    lull_status status = LULL_OK;
    for (const member *row = table; !status && row->kind != MEMBER_KIND_END; row++) {
        char at[PLACE_SIZE];
        if (is_inline(row)) {
            status = read_rows(row->members, field_of(row, object), json, file, place, error);
            continue;
        }
        yyjson_val *value = row->name ? yyjson_obj_get(json, row->name) : NULL;
        if (!value || row->kind == MEMBER_KIND_OTHER) continue;
        place_of(at, place, row->name);
        if (row->kind == MEMBER_KIND_GROUP)
            status = members_read(row->members, field_of(row, object), value, file, at, error);
        else if (read_value(row, object, value))
            continue;
        else if (yyjson_is_arr(value) &&
                 (row->kind == MEMBER_KIND_CYCLE || row->kind == MEMBER_KIND_FLOATS))
            status = refuse_array(row, value, file, at, error);
        else
            status = refuse(row, value, file, at, error);
    }
    return status;
}

lull_status members_read(const member *table, void *object, yyjson_val *json, const char *file,
                         const char *place, lull_error *error) {
    if (!yyjson_is_obj(json)) {
        const member group = {.kind = MEMBER_KIND_GROUP};
        return refuse(&group, json, file, *place ? place : "it", error);
    }
    lull_status status = check_names(table, json, file, place, error);
    return status ? status : read_rows(table, object, json, file, place, error);
}

/* ---- printing -------------------------------------------------------------------------------- */

static size_t shortest_cycle(const int *values, size_t count) {
    for (size_t cycle = 1; cycle < count; cycle++) {
        size_t i = cycle;
        while (i < count && values[i] == values[i - cycle]) i++;
        if (i == count) return cycle;
    }
    return count;
}

static void print_value(const member *row, const void *object, json_writer *writer,
                        yyjson_mut_val *parent) {
    const void *field = field_of(row, object);
    yyjson_mut_val *array;
    int index;
    switch (row->kind) {
    case MEMBER_KIND_INT:
        json_add_number(writer, parent, row->name, *(const int *)field);
        return;
    case MEMBER_KIND_UINT64:
        json_add_whole(writer, parent, row->name, *(const uint64_t *)field);
        return;
    case MEMBER_KIND_NUMBER:
        json_add_number(writer, parent, row->name, *(const double *)field);
        return;
    case MEMBER_KIND_BOOL:
        json_add_bool(writer, parent, row->name, *(const bool *)field);
        return;
    case MEMBER_KIND_TEXT:
        json_add_text(writer, parent, row->name, field);
        return;
    case MEMBER_KIND_NAME:
        memcpy(&index, field, sizeof index);
        json_add_text(writer, parent, row->name, row->names[index]);
        return;
    case MEMBER_KIND_CYCLE:
        array = json_add_array(writer, parent, row->name);
        index = (int)shortest_cycle(field, used(row, object));
        for (int i = 0; i < index; i++)
            json_add_number(writer, array, NULL, ((const int *)field)[i]);
        return;
    case MEMBER_KIND_FLOATS:
        array = json_add_array(writer, parent, row->name);
        for (size_t i = 0; i < used(row, object); i++)
            json_add_number(writer, array, NULL, (double)((const float *)field)[i]);
        return;
    default:
        return;
    }
}

void members_print(const member *table, const void *object, json_writer *writer,
                   yyjson_mut_val *parent) {
    for (const member *row = table; row->kind != MEMBER_KIND_END; row++) {
        if (row->shown && !row->shown(object)) continue;
        if (row->kind == MEMBER_KIND_GROUP)
            members_print(row->members, field_of(row, object), writer,
                          is_inline(row) ? parent : json_add_object(writer, parent, row->name));
        else
            print_value(row, object, writer, parent);
    }
}

/* ---- checking -------------------------------------------------------------------------------- */

/* The first value out of its range, or NULL. */
static const char *bad_value(const member *row, const void *object, double *value) {
    const void *field = field_of(row, object);
    int index, names = 0;
    switch (row->kind) {
    case MEMBER_KIND_INT:
        *value = *(const int *)field;
        return in_range(row, *value) ? NULL : "";
    case MEMBER_KIND_NUMBER:
        *value = *(const double *)field;
        return in_range(row, *value) ? NULL : "";
    case MEMBER_KIND_NAME:
        memcpy(&index, field, sizeof index);
        *value = index;
        while (row->names[names]) names++;
        return index >= 0 && index < names ? NULL : "value ";
    case MEMBER_KIND_CYCLE:
        for (size_t i = 0; i < used(row, object); i++) {
            *value = ((const int *)field)[i];
            if (!in_range(row, *value)) return "an array with ";
        }
        return NULL;
    case MEMBER_KIND_FLOATS:
        for (size_t i = 0; i < used(row, object); i++) {
            *value = (double)((const float *)field)[i];
            if (!in_range(row, *value)) return "an array with ";
        }
        return NULL;
    default:
        return NULL;
    }
}

static lull_status check_rows(const member *table, const void *object, const char *file,
                              const char *place, lull_error *error) {
    lull_status status = LULL_OK;
    for (const member *row = table; !status && row->kind != MEMBER_KIND_END; row++) {
        char at[PLACE_SIZE], expected[EXPECTED_SIZE];
        /* What is not printed is not there. */
        if (row->shown && !row->shown(object)) continue;
        if (is_inline(row)) {
            status = check_rows(row->members, field_of(row, object), file, place, error);
            continue;
        }
        if (row->kind == MEMBER_KIND_OTHER) continue;
        place_of(at, place, row->name);
        if (row->kind == MEMBER_KIND_GROUP) {
            status = check_rows(row->members, field_of(row, object), file, at, error);
            continue;
        }
        double value = 0;
        const char *what = bad_value(row, object, &value);
        if (!what) continue;
        member_expected(row, expected, sizeof expected);
        status = base_fail(error, LULL_INVALID, "%s: %s is %s%g, expected %s", file, at, what,
                           value, expected);
    }
    return status;
}

lull_status members_check(const member *table, const void *object, const char *file,
                          lull_error *error) {
    return check_rows(table, object, file, "", error);
}

/* ---- by place -------------------------------------------------------------------------------- */

const member *members_find(const member *table, const char *place, void **object) {
    void *here = object ? *object : NULL;
    size_t length = strcspn(place, ".");
    for (const member *row = table; row->kind != MEMBER_KIND_END; row++) {
        void *inner = object ? field_of(row, here) : NULL;
        const member *found = NULL;
        if (is_inline(row))
            found = members_find(row->members, place, object ? &inner : NULL);
        else if (row->name && strlen(row->name) == length && !strncmp(row->name, place, length)) {
            if (row->kind == MEMBER_KIND_GROUP && place[length] == '.')
                found = members_find(row->members, place + length + 1, object ? &inner : NULL);
            else if (is_value(row) && place[length] == '\0')
                return row;
        }
        if (!found) continue;
        if (object) *object = inner;
        return found;
    }
    return NULL;
}

typedef struct search {
    const char *wanted;
    char nearest[PLACE_SIZE];
} search;

/* The same last part, elsewhere or with another ending: what was meant, perhaps. */
static void look(void *context, const char *place, const member *row) {
    search *s = context;
    const char *last = strrchr(s->wanted, '.');
    last = last ? last + 1 : s->wanted;
    (void)row;
    const char *own = strrchr(place, '.');
    own = own ? own + 1 : place;
    if (s->nearest[0] == '\0' && strcmp(own, last) == 0)
        snprintf(s->nearest, sizeof s->nearest, "%s", place);
}

lull_status members_set(const member *table, void *object, const char *place, const char *text,
                        lull_error *error) {
    const member *row = members_find(table, place, &object);
    if (!row) {
        search s = {place, ""};
        members_walk(table, "", look, &s);
        return base_fail(error, LULL_INVALID, "there is no '%.100s'%s%s", place,
                         s.nearest[0] ? "; do you mean " : "", s.nearest);
    }
    if (member_set(row, object, text)) return LULL_OK;
    char expected[EXPECTED_SIZE];
    member_expected(row, expected, sizeof expected);
    return base_fail(error, LULL_INVALID, "%s is '%.60s', expected %s", place, text, expected);
}

void members_walk(const member *table, const char *place,
                  void (*each)(void *context, const char *place, const member *row),
                  void *context) {
    for (const member *row = table; row->kind != MEMBER_KIND_END; row++) {
        char at[PLACE_SIZE];
        if (is_inline(row))
            members_walk(row->members, place, each, context);
        else if (row->kind == MEMBER_KIND_GROUP)
            members_walk(row->members, place_of(at, place, row->name), each, context);
        else if (is_value(row))
            each(context, place_of(at, place, row->name), row);
    }
}
