/* The public lull_convention. */
#ifndef MODEL_CONVENTION_API_H
#define MODEL_CONVENTION_API_H

#include "mel/convention.h"

struct lull_convention {
    mel_convention convention;
    char *json;
};

#endif
