/* What the settings of a synthesis leave out, and what was taken for granted. */
#ifndef CLI_REMARKS_H
#define CLI_REMARKS_H

#include "cli/jobs.h"
#include "mel/convention.h"

/* model NULL: nothing to say. mels: what goes in is, or may be, an acoustic model's. */
void cli_remark_settings(const lull_model *model, const lull_options *options, bool mels);

/* Of which conventions the inputs are, each as what is written beside it says, else `unsaid`:
 * nothing where all are of one. */
void cli_remark_conventions(const cli_jobs *jobs, const mel_convention *unsaid);

/* Which arrays were read as `base` by default: those of which nobody said what they are, neither by
 * naming a model (-m, LULL_MODEL) or a convention (-c), nor beside them; their numbers cannot tell.
 */
void cli_remark_unsaid(const char *model, const char *convention, const cli_jobs *jobs,
                       const mel_convention *base);

#endif
