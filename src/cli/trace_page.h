/* The page and the list that go with a trace. */
#ifndef CLI_TRACE_PAGE_H
#define CLI_TRACE_PAGE_H

#include "diffusion/sampler.h"
#include "model/model.h"

/* One signal of the reverse process. */
typedef struct trace_row {
    double time; /* of the network */
    diffusion_levels levels;
    const diffusion_stage *stage; /* what happens to it; NULL: it is what sampling ended with */
    double agreement_db; /* level of the end result over its difference from the belief here */
    float *x, *x0;       /* the loudest moment: `moment` samples */
} trace_row;

typedef struct trace_story {
    const char *title;
    const model_config *config;
    const lull_options *options; /* complete */
    const diffusion_plan *plan;
    const trace_row *rows; /* plan->count + 1 */
    const float *output;   /* the loudest moment of what was written */
    size_t moment;         /* samples */
    double moment_seconds; /* where it begins */
} trace_story;

/* FOLDER/index.html. */
lull_status trace_page_write(const char *folder, const trace_story *story, lull_error *error);
/* FOLDER/steps.json. */
lull_status trace_list_write(const char *folder, const trace_story *story, lull_error *error);
/* FOLDER/index.html with links to FOLDER/NAME/index.html. */
lull_status trace_contents_write(const char *folder, const char *const *names, size_t count,
                                 lull_error *error);

#endif
