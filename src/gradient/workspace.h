/* What one worker thread needs to run a crop. */
#ifndef GRADIENT_WORKSPACE_H
#define GRADIENT_WORKSPACE_H

#include "gradient/state.h"

/* False in *ok: out of memory; gradient_workspace_free is called all the same. */
void gradient_workspace_new(gradient_engine *e, gradient_workspace *w, bool *ok);
void gradient_workspace_free(const gradient_engine *e, gradient_workspace *w);

#endif
