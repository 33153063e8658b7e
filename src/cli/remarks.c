/* What the settings of a synthesis leave out: see remarks.h. */
#include "cli/remarks.h"

#include "cli/options.h"
#include "model/model.h"
#include "vocoder/options.h"

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
