/* What the settings of a synthesis leave out, said before it begins. */
#ifndef CLI_REMARKS_H
#define CLI_REMARKS_H

#include "lull.h"

/* model NULL: nothing to say. mels: what goes in is, or may be, an acoustic model's. */
void cli_remark_settings(const lull_model *model, const lull_options *options, bool mels);

#endif
