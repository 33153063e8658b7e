/* The members of a struct, described once: name, kind, range, names, default and words. One table
 * reads JSON, prints JSON, takes single assignments (network.channels=128) and feeds the options
 * of a command line. */
#ifndef IO_MEMBER_H
#define IO_MEMBER_H

#include <stddef.h>

#include "io/json.h"

typedef enum member_kind {
    MEMBER_KIND_END,   /* after the last row */
    MEMBER_KIND_GROUP, /* an object of its own table; without a name its members stand in this one */
    MEMBER_KIND_OTHER,    /* may stand in the JSON; whoever reads the table sees to it */
    MEMBER_KIND_INT,      /* int, least … most */
    MEMBER_KIND_UINT64,   /* uint64_t, any */
    MEMBER_KIND_NUMBER,   /* double, least … most */
    MEMBER_KIND_BOOL,     /* bool */
    MEMBER_KIND_TEXT,     /* char[capacity]: printable, NUL-terminated */
    MEMBER_KIND_ARGUMENT, /* const char *, of a command line: not empty; not for JSON */
    MEMBER_KIND_NAME,     /* int or enum, the index in `names` */
    MEMBER_KIND_CYCLE, /* int[capacity], each least … most: the JSON's array is repeated to fill it */
    MEMBER_KIND_FLOATS /* float[capacity], each finite and least … most; one number fills it */
} member_kind;

/* One row. Everything that has no field is 0. */
typedef struct member {
    const char *name;
    member_kind kind;
    size_t offset; /* of the field; of a group: of its struct */
    double least, most;
    const char *const *names;     /* NULL-terminated */
    size_t capacity, count;       /* arrays: elements, and the offset of the int that says how many
                                     of them mean something */
    const struct member *members; /* of a group */
    const char *initial;          /* the default as one would type it; NULL = 0, false, "" */
    const char *help;
    bool (*shown)(const void *object); /* printed only when true; NULL = always */
} member;

/* Rows, for a struct of type `type`. */
#define MEMBER_INT(type, field, name_, least_, most_, initial_, help_)                             \
    {                                                                                              \
        .name = name_, .kind = MEMBER_KIND_INT, .offset = offsetof(type, field), .least = least_,  \
        .most = most_, .initial = initial_, .help = help_                                          \
    }
#define MEMBER_NUMBER(type, field, name_, least_, most_, initial_, help_)                          \
    {                                                                                              \
        .name = name_, .kind = MEMBER_KIND_NUMBER, .offset = offsetof(type, field),                \
        .least = least_, .most = most_, .initial = initial_, .help = help_                         \
    }
#define MEMBER_UINT64(type, field, name_, initial_, help_)                                         \
    {                                                                                              \
        .name = name_, .kind = MEMBER_KIND_UINT64, .offset = offsetof(type, field),                \
        .initial = initial_, .help = help_                                                         \
    }
#define MEMBER_BOOL(type, field, name_, initial_, help_)                                           \
    {                                                                                              \
        .name = name_, .kind = MEMBER_KIND_BOOL, .offset = offsetof(type, field),                  \
        .initial = initial_, .help = help_                                                         \
    }
#define MEMBER_TEXT(type, field, name_, initial_, help_)                                           \
    {                                                                                              \
        .name = name_, .kind = MEMBER_KIND_TEXT, .offset = offsetof(type, field),                  \
        .capacity = sizeof(((type *)0)->field), .initial = initial_, .help = help_                 \
    }
#define MEMBER_NAME(type, field, name_, names_, initial_, help_)                                   \
    {                                                                                              \
        .name = name_, .kind = MEMBER_KIND_NAME, .offset = offsetof(type, field), .names = names_, \
        .initial = initial_, .help = help_                                                         \
    }
#define MEMBER_CYCLE(type, field, count_, name_, least_, most_, initial_, help_)                   \
    {                                                                                              \
        .name = name_, .kind = MEMBER_KIND_CYCLE, .offset = offsetof(type, field),                 \
        .least = least_, .most = most_, .count = offsetof(type, count_),                           \
        .capacity = sizeof(((type *)0)->field) / sizeof(int), .initial = initial_, .help = help_   \
    }
/* A group in a field that is a struct, and one whose members are this struct's own. */
#define MEMBER_GROUP(type, field, name_, members_, shown_, help_)                                  \
    {                                                                                              \
        .name = name_, .kind = MEMBER_KIND_GROUP, .offset = offsetof(type, field),                 \
        .members = members_, .shown = shown_, .help = help_                                        \
    }
#define MEMBER_PART(name_, members_, shown_, help_)                                                \
    {                                                                                              \
        .name = name_, .kind = MEMBER_KIND_GROUP, .members = members_, .shown = shown_,            \
        .help = help_                                                                              \
    }

/* ---- one member --------------------------------------------------------------------------- */

/* The field from what was typed ("128", "true", "ddim", "[1, 2, 4]"); false leaves it as it was. */
bool member_set(const member *row, void *object, const char *text);

/* What it may be: "a whole number from 1 to 1024", "one of ddim, euler or heun". */
void member_expected(const member *row, char *text, size_t size);

/* ---- a table ------------------------------------------------------------------------------ */

/* Every member at its default. */
void members_default(const member *table, void *object);

/* Reads those that the JSON has, in the table's order, and refuses what the table does not know or
 * what stands twice. Messages begin with `file` and the member's place; `place` is the object's own
 * ("" at the top). Errors: LULL_FORMAT. */
lull_status members_read(const member *table, void *object, yyjson_val *json, const char *file,
                         const char *place, lull_error *error);

/* Adds all members to an object that is being written. */
void members_print(const member *table, const void *object, json_writer *writer,
                   yyjson_mut_val *parent);

/* Every value in its range, or LULL_INVALID. */
lull_status members_check(const member *table, const void *object, const char *file,
                          lull_error *error);

/* The member at a place ("network.channels"), and in *object, which may be NULL, the struct that
 * its offset is of. NULL: there is none. */
const member *members_find(const member *table, const char *place, void **object);

/* Assigns by place. Errors: LULL_INVALID. */
lull_status members_set(const member *table, void *object, const char *place, const char *text,
                        lull_error *error);

/* Calls `each` for every member that has a value, in order, with its place. */
void members_walk(const member *table, const char *place,
                  void (*each)(void *context, const char *place, const member *row), void *context);

#endif
