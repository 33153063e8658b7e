/* JSON text that nobody vouches for, into cJSON's tree. */
#ifndef IO_JSON_H
#define IO_JSON_H

#include <cjson/cJSON.h>

#include "lull.h"

/* Parses exactly one JSON value (whitespace may follow), at most 64 levels deep and of at most
 * JSON_MOST_VALUES values, each of which takes up to 144 bytes beside its text. `name` stands in
 * messages. *tree is freed with cJSON_Delete. */
enum { JSON_MOST_VALUES = 32768 };
lull_status json_parse(const char *text, size_t size, const char *name, cJSON **tree,
                       lull_error *error);

/* The same for at most `most` values. */
lull_status json_parse_large(const char *text, size_t size, size_t most, const char *name,
                             cJSON **tree, lull_error *error);

/* A number that is a whole number from 0 to 2^53, as size_t; false otherwise. */
bool json_size(const cJSON *item, size_t *value);

/* Puts an item (NULL: its making failed) into an object, which then owns it; false when memory is
 * out: the item is gone then. */
bool json_add(cJSON *object, const char *name, cJSON *item);

#endif
