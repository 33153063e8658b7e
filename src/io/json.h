/* JSON: text that nobody vouches for into yyjson's tree, and trees into text. */
#ifndef IO_JSON_H
#define IO_JSON_H

#include <yyjson.h>

#include "lull.h"

/* ---- reading ------------------------------------------------------------------------------ */

/* Parses exactly one JSON value; white space, also NULs, may follow. `name` stands in messages,
 * which say line and column of a mistake. Takes at most 12 bytes for each byte of text and a
 * constant. *tree is freed with yyjson_doc_free. Errors: LULL_FORMAT, LULL_NO_MEMORY. */
lull_status json_parse(const char *text, size_t size, const char *name, yyjson_doc **tree,
                       lull_error *error);

/* A number that is a whole number from 0 to 2^53, as size_t; false otherwise. */
bool json_size(yyjson_val *item, size_t *value);

/* A value in at most `size` bytes, for messages: 12, "text", an array of 3 values, nothing. */
void json_show(yyjson_val *item, char *text, size_t size);

/* The length of the UTF-8 sequence at `text` (NUL-terminated), 0 when it is none. */
size_t json_utf8(const char *text);

/* ---- writing ------------------------------------------------------------------------------ */

/* A tree that grows. When memory runs out on the way it is lost, which json_text says at its end:
 * what lies between needs no checks. Names and texts are copied; bytes that are not UTF-8, in
 * names of files for example, become U+FFFD, unless keep_bytes says that lull itself reads them
 * again. */
typedef struct json_writer {
    yyjson_mut_doc *tree;
    yyjson_mut_val *root; /* an object */
    bool lost, keep_bytes;
} json_writer;

json_writer json_writer_new(void);

/* Each adds to an object under a name, or to an array (name NULL). A parent of NULL, that is one
 * whose making failed, is allowed. What is not finite becomes null. */
yyjson_mut_val *json_add_object(json_writer *writer, yyjson_mut_val *parent, const char *name);
yyjson_mut_val *json_add_array(json_writer *writer, yyjson_mut_val *parent, const char *name);
void json_add_text(json_writer *writer, yyjson_mut_val *parent, const char *name,
                   const char *value);
void json_add_number(json_writer *writer, yyjson_mut_val *parent, const char *name, double value);
void json_add_whole(json_writer *writer, yyjson_mut_val *parent, const char *name, uint64_t value);
void json_add_bool(json_writer *writer, yyjson_mut_val *parent, const char *name, bool value);
/* A copy of what was parsed. */
void json_add_copy(json_writer *writer, yyjson_mut_val *parent, const char *name,
                   yyjson_val *value);

/* The text, of one line or indented (base_free), and the end of the writer. NULL: memory ran out.
 */
char *json_writer_end(json_writer *writer, bool indented);

/* The text of what was parsed, of one line (base_free; NULL: out of memory). */
char *json_print(yyjson_val *item);

#endif
