/* Standard input as bytes. */
#ifndef CLI_STANDARD_INPUT_H
#define CLI_STANDARD_INPUT_H

#include "lull.h"

extern const char cli_standard_input[]; /* its name in messages */

/* Waits for some bytes: *got is 0 at the end, and once the descriptor `stop` (-1: none) is readable
 * or a signal has asked to stop. */
lull_status cli_input_some(int stop, unsigned char *bytes, size_t room, size_t *got,
                           lull_error *error);

/* Everything, behind the `have` bytes already read. *bytes: base_free, also on failure. */
lull_status cli_input_all(int stop, const unsigned char *begun, size_t have, unsigned char **bytes,
                          size_t *size, lull_error *error);

#endif
