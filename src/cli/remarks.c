/* What the settings of a synthesis leave out, and what was taken for granted: see remarks.h. */
#include "cli/remarks.h"

#include "base/memory.h"
#include "cli/convention_options.h"
#include "cli/input.h"
#include "cli/options.h"
#include "model/model.h"
#include "vocoder/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cli_remark_settings(const lull_model *model, const lull_options *options, bool mels) {
    lull_options resolved;
    if (model == NULL) return;
    const model_config *config = &model->config;
    if (vocoder_resolve_options(options, config, NULL, &resolved, NULL) != LULL_OK) return;
    if (mels && config->postnet_channels > 0 && options->postnet < 0 && resolved.postnet == 0)
        cli_note("%s leaves the postnet out, which mends mels of acoustic models; --postnet on "
                 "puts it in, for %.0f ms of latency",
                 resolved.use == LULL_LOW_LATENCY ? "low latency" : "this use",
                 1e3 * config->postnet_look_ahead * config->mel.hop / config->mel.sample_rate);
    if (config->whitened && resolved.steps == 1 && resolved.refine == 0)
        cli_note("one step without refinement (--refine 0) gives the mean of all that the mel "
                 "allows: far too quiet and dull; take --refine 1 or more, or --steps 6");
}

/* ---- conventions -------------------------------------------------------------------------- */

enum { MOST_NAMED = 8 };

typedef struct tally {
    mel_convention convention;
    const char *first; /* input of it */
    size_t count;
} tally;

/* Adds an input; false: no room for a further convention. */
static bool add_up(tally *all, size_t *count, const mel_convention *c, const char *input) {
    size_t i = 0;
    while (i < *count && mel_convention_difference(&all[i].convention, c) != NULL) i++;
    if (i == MOST_NAMED) return false;
    if (i == *count) all[(*count)++] = (tally){*c, input, 0};
    all[i].count++;
    return true;
}

void cli_remark_conventions(const cli_jobs *jobs, const mel_convention *unsaid) {
    size_t count = 0, others = 0;
    tally *all = jobs->count > 1 ? base_alloc(MOST_NAMED, sizeof *all) : NULL;
    for (size_t i = 0; i < jobs->count && all != NULL; i++) {
        mel_convention base;
        bool said;
        /* What cannot be read says so in its turn. */
        if (cli_convention_of(jobs->list[i].input, NULL, unsaid, &base, &said, NULL) == LULL_OK &&
            !add_up(all, &count, &base, jobs->list[i].input))
            others++;
    }
    for (size_t i = 0; i < count && count > 1; i++)
        cli_note("%zu of %zu inputs read as '%s' (%d Hz, hop %d), the first of them %s",
                 all[i].count, jobs->count, all[i].convention.name, all[i].convention.sample_rate,
                 all[i].convention.hop, all[i].first);
    if (others > 0) cli_note("%zu of %zu inputs read as what is beside them", others, jobs->count);
    base_free(all);
}

void cli_remark_unsaid(const char *model, const char *convention, const cli_jobs *jobs,
                       const mel_convention *base) {
    const char *variable = getenv("LULL_MODEL"), *first = NULL;
    char more[40] = "";
    size_t count = 0;
    if (convention != NULL || (model != NULL && strcmp(model, "none") != 0) ||
        (variable != NULL && *variable != '\0'))
        return;
    for (size_t i = 0; i < jobs->count; i++) {
        const char *input = jobs->list[i].input;
        mel_convention beside;
        bool said = !cli_is_array(input);
        if (!said && cli_convention_beside(input, &beside, &said, NULL) == LULL_OK && !said &&
            count++ == 0)
            first = input;
    }
    if (count > 1) snprintf(more, sizeof more, " and %zu more", count - 1);
    if (count > 0)
        cli_note("%s%s: read as '%s' (%d Hz, hop %d) by default: neither -c nor a .json beside %s "
                 "says what %s",
                 first, more, base->name, base->sample_rate, base->hop, count > 1 ? "them" : "it",
                 count > 1 ? "they are" : "it is");
}
