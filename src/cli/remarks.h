/* What the settings of a synthesis leave out, and what was taken for granted. */
#ifndef CLI_REMARKS_H
#define CLI_REMARKS_H

#include "lull.h"
#include "mel/convention.h"

/* model NULL: nothing to say. mels: what goes in is, or may be, an acoustic model's. */
void cli_remark_settings(const lull_model *model, const lull_options *options, bool mels);

/* That `input` was read as `base` by default: an array of which nobody said what it is, neither by
 * naming a model (-m, LULL_MODEL) or a convention (-c), nor beside it; its numbers cannot tell. */
void cli_remark_convention(const char *model, const char *convention, const char *input,
                           const mel_convention *base);

#endif
