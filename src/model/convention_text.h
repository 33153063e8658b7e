/* A mel convention as a user says it: a name, a name with changes, or JSON. */
#ifndef MODEL_CONVENTION_TEXT_H
#define MODEL_CONVENTION_TEXT_H

#include "mel/convention.h"

/* "NAME", "NAME,member=value,…" with the members of the JSON, or JSON itself (begins with a brace;
 * members that it leaves out are hifigan-22k's). rate as for mel_convention_named. Checked. */
lull_status model_convention_read(const char *text, int rate, mel_convention *convention,
                                  lull_error *error);

#endif
