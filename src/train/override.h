/* Changing single members of a model's configuration by their place in its JSON:
 * "network.channels=128". */
#ifndef TRAIN_OVERRIDE_H
#define TRAIN_OVERRIDE_H

#include "model/config.h"

/* Applies `count` assignments in order, then checks the whole. The value is JSON, or a bare word
 * for a string. What follows from a change and is not itself assigned goes along: another
 * mel.convention or mel.sample_rate brings that convention's own numbers, and fewer layers shorten
 * their cycles. Unknown places are refused by name. */
lull_status train_override(model_config *config, const char *const *assignments, size_t count,
                           lull_error *error);

#endif
