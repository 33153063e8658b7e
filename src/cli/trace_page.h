/* The page and the list that go with a trace. */
#ifndef CLI_TRACE_PAGE_H
#define CLI_TRACE_PAGE_H

#include "model/model.h"

typedef struct trace_row {
    double time; /* of the network */
    diffusion_levels levels;
    bool last; /* what sampling ended with: no network evaluation */
} trace_row;

/* FOLDER/index.html. */
lull_status trace_page_write(const char *folder, const char *title, const lull_model *model,
                             const trace_row *rows, int count, lull_error *error);
/* FOLDER/steps.json. */
lull_status trace_list_write(const char *folder, const lull_model *model, const trace_row *rows,
                             int count, lull_error *error);
/* FOLDER/index.html with links to FOLDER/NAME/index.html. */
lull_status trace_contents_write(const char *folder, const char *const *names, size_t count,
                                 lull_error *error);

#endif
