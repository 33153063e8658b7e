/* Standard input as bytes: see standard_input.h. */
#include "cli/standard_input.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "cli/stop.h"

const char cli_standard_input[] = "standard input";

lull_status cli_input_some(int stop, unsigned char *bytes, size_t room, size_t *got,
                           lull_error *error) {
    *got = 0;
    while (!cli_stop_asked) {
        struct pollfd waiting[2] = {{STDIN_FILENO, POLLIN, 0}, {stop, POLLIN, 0}};
        int ready = poll(waiting, 2, -1);
        if (ready < 0 && errno != EINTR)
            return base_fail(error, LULL_IO, "%s: %s", cli_standard_input, strerror(errno));
        if (ready <= 0) continue;
        if (waiting[1].revents) return LULL_OK;
        ssize_t n = read(STDIN_FILENO, bytes, room);
        if (n >= 0) {
            *got = (size_t)n;
            return LULL_OK;
        }
        if (errno != EINTR && errno != EAGAIN)
            return base_fail(error, LULL_IO, "%s: %s", cli_standard_input, strerror(errno));
    }
    return LULL_OK;
}

lull_status cli_input_all(int stop, const unsigned char *begun, size_t have, unsigned char **bytes,
                          size_t *size, lull_error *error) {
    size_t capacity = 0;
    *bytes = NULL;
    *size = have;
    for (size_t got = 1; got > 0; *size += got) {
        if (!base_grow((void **)bytes, &capacity, *size + (1 << 16), 1))
            return base_no_memory(error);
        if (begun != NULL) memcpy(*bytes, begun, have);
        begun = NULL;
        lull_status status = cli_input_some(stop, *bytes + *size, capacity - *size, &got, error);
        if (status != LULL_OK) return status;
    }
    return cli_stop_asked ? base_fail(error, LULL_FINISHED, "interrupted") : LULL_OK;
}
