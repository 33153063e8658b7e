/* What the settings of a synthesis leave out, and what was taken for granted: see remarks.h. */
#include "cli/remarks.h"

#include "cli/input.h"
#include "cli/options.h"
#include "model/model.h"
#include "vocoder/options.h"

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

void cli_remark_convention(const char *model, const char *convention, const char *input,
                           const mel_convention *base) {
    const char *variable = getenv("LULL_MODEL");
    mel_convention beside;
    bool said = convention != NULL || (model != NULL && strcmp(model, "none") != 0) ||
                (variable != NULL && *variable != '\0') || !cli_is_array(input);
    if (!said && cli_convention_beside(input, &beside, &said, NULL) == LULL_OK && !said)
        cli_note(
            "%s: read as '%s' (%d Hz, hop %d) by default: neither -c nor a .json beside it says "
            "what it is",
            input, base->name, base->sample_rate, base->hop);
}
