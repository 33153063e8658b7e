/* Building the path of sound. */
#include "vocoder/path.h"

#include "base/error.h"
#include "base/low_pass.h"
#include "mel/opening.h"
#include "model/model.h"
#include "model/spectrum.h"
#include "nn/kernels.h"
#include "vocoder/options.h"

enum {
    BLOCK_PATCHES = 128,  /* network frames of a block where a frame is a patch … */
    BLOCK_SAMPLES = 1024, /* … and where it is a sample */
    NO_NETWORK_BLOCK = 2048,
    LINE_BLOCKS = 4 /* blocks of room between two steps */
};

/* Parts beside the steps. */
enum { OTHER_PARTS = 7 };

static size_t block_samples(const vocoder_path *p) {
    return p->model ? (size_t)p->block * (size_t)p->model->config.patch : NO_NETWORK_BLOCK;
}

static bool in_bf16(const vocoder_path *p) {
    return p->options.precision == LULL_PRECISION_BF16;
}

static lull_status init_network(vocoder_path *p, lull_error *error) {
    const model_config *config = &p->model->config;
    lull_status status =
        diffusion_plan_new(p->options.sampler, config->objective, &config->schedule,
                           p->options.steps, p->options.eta, &p->plan, error);
    if (status) return status;
    bool native = nn_kernels_get()->bf16_native;
    if (p->options.precision == LULL_PRECISION_AUTO)
        p->options.precision = native ? LULL_PRECISION_BF16 : LULL_PRECISION_F32;
    p->block = config->patch == 1 ? BLOCK_SAMPLES : BLOCK_PATCHES;
    p->step = base_alloc((size_t)p->plan->count, sizeof *p->step);
    if (!p->step) return base_no_memory(error);
    p->steps = p->plan->count;
    const denoiser_grid grid = {p->convention.hop, mel_convention_first_centre(&p->convention)};
    for (int k = 0; k < p->steps; k++)
        vocoder_step_init(&p->step[k], config, p->plan, k, p->block, in_bf16(p), &grid);
    return LULL_OK;
}

static size_t step_delay(const vocoder_path *p) {
    return p->steps ? vocoder_step_delay(&p->step[0]) : 0;
}

/* Samples between the newest frame taken and the oldest of the signal that the output still needs,
 * with every line as full as it is when all parts have work. */
static size_t span(const vocoder_path *p) {
    size_t between = step_delay(p) + block_samples(p);
    return (size_t)p->steps * between + 2 * block_samples(p) + (size_t)p->convention.n_fft;
}

/* Whether the network reads the source, or noise in its place. */
static bool beside_network(const vocoder_path *p) {
    return p->model && p->model->config.source;
}

static bool crosses_below(const vocoder_path *p) {
    return p->options.crossover < (float)p->convention.sample_rate / 2;
}

/* Whose pitch network is asked; NULL: the source is noise. */
static const lull_model *pitch_model(const vocoder_path *p) {
    if (p->options.source != LULL_SOURCE_PITCH) return NULL;
    if (p->model && !crosses_below(p) && !beside_network(p)) return NULL;
    return p->options.pitch_model ? p->options.pitch_model : p->model;
}

/* What the model says for the use; without a network, what that of the pitch network does. */
static double aperiodicity_power(const vocoder_path *p) {
    const model_config *config = p->model ? &p->model->config : &pitch_model(p)->config;
    return model_config_settings(config, p->model ? p->options.use : LULL_LIVE).aperiodicity_power;
}

static bool has_crossover(const vocoder_path *p) {
    return p->steps > 0 && crosses_below(p) && (pitch_model(p) || p->model->config.below_hz > 0);
}

/* Above the crossover there is noise: nobody knows a pitch. */
static bool has_noise_above(const vocoder_path *p) {
    return has_crossover(p) && !pitch_model(p);
}

/* The parts that work with mel frames. */
static void init_frame_parts(vocoder_path *p) {
    const model_config *mended = p->options.postnet > 0 ? &p->model->config : NULL;
    const lull_model *pitch = pitch_model(p);
    size_t capacity = span(p) / (size_t)p->convention.hop + 8;
    if (pitch) capacity += (size_t)pitch->config.pitch_look_ahead + 2;
    vocoder_frames_init(&p->frames, &p->convention, mended, mended ? p->model->parameters : NULL,
                        pitch != NULL, p->options.queue_frames, capacity);
    if (pitch)
        vocoder_voices_init(&p->voices, &pitch->config, pitch->parameters, &p->convention,
                            p->options.transpose, aperiodicity_power(p), &p->frames.came, capacity);
    if (p->model)
        vocoder_conditioner_init(&p->conditioner, &p->model->config, in_bf16(p), &p->convention,
                                 &p->frames.out, capacity);
}

static lull_status init_lines(vocoder_path *p, lull_error *error) {
    size_t count = (size_t)p->steps + 1;
    bool carry = p->plan && p->plan->carry;
    p->lines = base_alloc(count, sizeof *p->lines);
    if (carry) p->carries = base_alloc(count, sizeof *p->carries);
    if (!p->lines || (carry && !p->carries)) return base_no_memory(error);
    for (size_t k = 0; k < count; k++) {
        size_t kept = k < count - 1 ? step_delay(p)
                                    : (size_t)p->convention.n_fft + 2 * (size_t)p->convention.hop;
        p->lines[k].capacity = kept + LINE_BLOCKS * block_samples(p);
        if (carry) p->carries[k].capacity = p->lines[k].capacity;
    }
    if (has_crossover(p)) {
        p->crossed.capacity = p->lines[p->steps].capacity;
        p->lines[p->steps].capacity += 2 * (size_t)low_pass_half(p->convention.sample_rate);
    }
    /* It has to hold what the network keeps back. */
    if (p->steps && (pitch_model(p) || has_noise_above(p)))
        p->source.capacity = span(p) + p->lines[p->steps].capacity;
    return LULL_OK;
}

static void init_output(vocoder_path *p) {
    const model_config *config = p->model ? &p->model->config : NULL;
    const mel_refinement refinement = {.iterations = p->options.refine,
                                       .window = p->options.refine_window,
                                       .momentum = (double)p->options.refine_momentum,
                                       .low = p->options.refine_low};
    vocoder_output_init(&p->output, &p->convention, config ? config->whitened : true,
                        config ? config->tilt_hz : 0, &refinement, &p->frames.out,
                        block_samples(p));
    if (!config || refinement.low == 0 || !spectrum_guides(config, &p->convention)) return;
    p->output.config = config;
    p->output.parameters = p->model->parameters;
}

/* Above the mel the signal is white where the source alone, or noise, is there. */
static bool white_above(const vocoder_path *p) {
    return p->steps == 0 || has_crossover(p);
}

static void connect_above(vocoder_path *p) {
    if (p->options.bandwidth != LULL_BANDWIDTH_FULL || !bandwidth_is_open(&p->convention)) return;
    vocoder_above *a = &p->output.above;
    a->wanted = true;
    a->config = p->model ? &p->model->config : NULL;
    a->parameters = p->model ? p->model->parameters : NULL;
    if (white_above(p)) return;
    a->noise = &p->noise;
    a->noise_row = vocoder_path_noise_rows(p) - 1;
}

static vocoder_line *output_line(vocoder_path *p) {
    return has_crossover(p) ? &p->crossed : &p->lines[p->steps];
}

/* Who reads what from whom. */
static void connect(vocoder_path *p) {
    p->start = (vocoder_start){.noise = &p->noise,
                               .frames = &p->frames.out,
                               .out = &p->lines[0],
                               .carry = p->carries ? &p->carries[0] : NULL,
                               .hop = p->convention.hop,
                               .patch = p->model ? p->model->config.patch : 1,
                               .most = block_samples(p)};
    const lull_model *pitch = pitch_model(p);
    if (pitch)
        vocoder_source_part_init(
            &p->source_part, &p->convention, &p->noise, p->steps ? p->plan->noise_rows : 0,
            &p->voices.out, p->steps ? &p->source : &p->lines[0], p->steps == 0, block_samples(p));
    if (has_noise_above(p))
        p->beside = (vocoder_start){.noise = &p->noise,
                                    .row = p->plan->noise_rows,
                                    .frames = &p->frames.out,
                                    .out = &p->source,
                                    .hop = p->convention.hop,
                                    .patch = 1,
                                    .most = block_samples(p)};
    if (has_crossover(p))
        vocoder_crossover_init(&p->crossover, p->options.crossover, p->convention.sample_rate,
                               p->convention.hop, &p->frames.out, &p->lines[p->steps], &p->source,
                               &p->crossed, block_samples(p));
    for (int k = 0; k < p->steps; k++) {
        vocoder_step *s = &p->step[k];
        s->in = &p->lines[k];
        s->out = &p->lines[k + 1];
        s->carry_in = p->carries ? &p->carries[k] : NULL;
        s->carry_out = p->carries ? &p->carries[k + 1] : NULL;
        s->frames = &p->frames.out;
        s->conditioning = &p->conditioner.out;
        s->noise = &p->noise;
        if (!beside_network(p)) continue;
        s->beside = pitch ? &p->source : NULL;
        s->beside_row = p->plan->noise_rows;
        s->releases = !has_crossover(p) && k == p->steps - 1;
    }
    /* The last step is behind all others. */
    if (p->steps) vocoder_rows_read_by(&p->conditioner.out, &p->step[p->steps - 1].oldest_row);
    p->output.in = output_line(p);
    connect_above(p);
}

static void add(vocoder_path *p, const vocoder_part_kind *kind, void *context, int unit) {
    p->part[p->parts++] = (vocoder_part){.kind = kind, .context = context, .unit = (size_t)unit};
}

static lull_status init_parts(vocoder_path *p, lull_error *error) {
    p->part = base_alloc((size_t)p->steps + OTHER_PARTS, sizeof *p->part);
    if (!p->part) return base_no_memory(error);
    int hop = p->convention.hop;
    add(p, &vocoder_frames_part, &p->frames, hop);
    if (pitch_model(p)) {
        add(p, &vocoder_voices_part, &p->voices, hop);
        add(p, &vocoder_source_part, &p->source_part, hop);
    }
    if (p->steps || !pitch_model(p)) add(p, &vocoder_start_part, &p->start, 1);
    if (has_noise_above(p)) add(p, &vocoder_start_part, &p->beside, 1);
    if (p->steps) add(p, &vocoder_conditioner_part, &p->conditioner, hop);
    for (int k = 0; k < p->steps; k++)
        add(p, &vocoder_step_part, &p->step[k], p->model->config.patch);
    if (has_crossover(p)) add(p, &vocoder_crossover_part, &p->crossover, 1);
    add(p, &vocoder_output_part, &p->output, hop);
    return LULL_OK;
}

size_t vocoder_path_latency(const vocoder_path *p) {
    size_t sum = 0;
    for (int i = 0; i < p->parts; i++) sum += p->part[i].latency;
    return sum;
}

/* What each part keeps back after so many frames. What a part waits for a side part is that one's. */
static void reach_after(vocoder_path *p, uint64_t frames) {
    uint64_t hop = (uint64_t)p->convention.hop;
    vocoder_reach reach = {.came = frames, .samples = frames * hop, .source = frames * hop};
    for (int i = 0; i < p->parts; i++) {
        vocoder_part *part = &p->part[i];
        uint64_t before = reach.samples;
        reach.waited = 0;
        if (part->kind->reach) part->kind->reach(part->context, &reach);
        part->latency = (size_t)(before - reach.samples - reach.waited);
        for (int j = 0; j < i && reach.waited; j++)
            if (p->part[j].kind == reach.on) p->part[j].latency += (size_t)reach.waited;
    }
}

/* Counted where all parts have work: from there on every further frame gives one more hop, in the
 * mean. Where the hop is no whole patches it is now more and now less, and begins anew after at
 * most as many frames as a patch has samples: the latency is that of the worst. */
static void measure_latency(vocoder_path *p) {
    const uint64_t hop = (uint64_t)p->convention.hop;
    const uint64_t frames = (uint64_t)p->steps * step_delay(p) / hop +
                            (uint64_t)p->convention.n_fft / hop + VOCODER_MAX_WINDOW + 128;
    const int cycle =
        p->steps && p->convention.hop % p->model->config.patch ? p->model->config.patch : 1;
    int worst = 0;
    size_t most = 0;
    for (int i = 0; i < cycle; i++) {
        reach_after(p, frames + (uint64_t)i);
        if (vocoder_path_latency(p) <= most) continue;
        most = vocoder_path_latency(p);
        worst = i;
    }
    reach_after(p, frames + (uint64_t)worst);
}

/* Beyond this the sums above are no longer exact in an int or a 32-bit size_t. */
static lull_status check_size(const vocoder_path *p, lull_error *error) {
    double samples = (double)p->steps * ((double)step_delay(p) + 8 * (double)block_samples(p));
    if (samples < (double)(1 << 30)) return LULL_OK;
    return base_fail(error, LULL_NO_MEMORY,
                     "%d steps of a network that looks %zu samples ahead are more than a vocoder "
                     "can hold: ask for fewer steps",
                     p->steps, step_delay(p));
}

int vocoder_path_noise_rows(const vocoder_path *p) {
    if (!p->plan) return 1;
    bool above = p->options.bandwidth == LULL_BANDWIDTH_FULL && bandwidth_is_open(&p->convention) &&
                 !white_above(p);
    return p->plan->noise_rows + (has_crossover(p) || beside_network(p)) + above;
}

lull_status vocoder_path_init(vocoder_path *p, const lull_model *model,
                              const mel_convention *convention, const lull_options *options,
                              lull_error *error) {
    p->model = model;
    p->convention = *convention;
    if (model && model->config.family == MODEL_PITCH_ALONE)
        return base_fail(
            error, LULL_UNSUPPORTED,
            "%s is a pitch network alone and makes no speech by itself: choose a model "
            "with a denoiser",
            model->config.name);
    lull_status status = vocoder_resolve_options(options, model ? &model->config : NULL, convention,
                                                 &p->options, error);
    if (!status && model) status = init_network(p, error);
    if (!status) status = check_size(p, error);
    if (status) return status;
    init_frame_parts(p);
    init_output(p);
    status = init_lines(p, error);
    if (!status) status = init_parts(p, error);
    if (status) return status;
    connect(p);
    measure_latency(p);
    return LULL_OK;
}

uint64_t vocoder_path_bytes(const vocoder_path *p) {
    /* The path, and what the vocoder has around it: a plan, the first frames to look at, a bell,
     * what is needed while all this is made. */
    uint64_t bands = (uint64_t)p->convention.bands;
    uint64_t sum = base_memory_add(1 << 16, 1, sizeof *p);
    sum = base_memory_add(sum, MEL_OPENING_FRAMES * bands, sizeof(float));
    sum = base_memory_add(sum, (uint64_t)p->steps, sizeof *p->step);
    sum = base_memory_add(sum, (uint64_t)p->steps + OTHER_PARTS, sizeof *p->part);
    for (int k = 0; k <= p->steps; k++)
        sum += vocoder_line_bytes(&p->lines[k]) * (p->carries ? 2 : 1) + 2 * sizeof *p->lines;
    sum += vocoder_line_bytes(&p->source) + vocoder_line_bytes(&p->crossed);
    for (int i = 0; i < p->parts; i++)
        if (p->part[i].kind->bytes) {
            uint64_t bytes = p->part[i].kind->bytes(p->part[i].context);
            if (__builtin_add_overflow(sum, bytes, &sum)) return UINT64_MAX;
        }
    return sum;
}

static lull_status share_weights(vocoder_path *p, lull_error *error) {
    lull_status status = denoiser_shelf_get(p->model->shelf, &p->model->config,
                                            p->model->parameters, in_bf16(p), &p->weights, error);
    if (status) return status;
    p->conditioner.weights = p->weights;
    for (int k = 0; k < p->steps; k++) p->step[k].weights = p->weights;
    return LULL_OK;
}

static lull_status check_limit(const vocoder_path *p, lull_error *error) {
    uint64_t bytes = vocoder_path_bytes(p), limit = p->options.memory_limit;
    if (bytes <= limit) return LULL_OK;
    return base_fail(error, LULL_NO_MEMORY,
                     "this vocoder needs %.0f MiB, the limit is %.0f MiB: give it fewer steps or a "
                     "shorter queue, or raise memory_limit in the options",
                     (double)bytes / (1 << 20), (double)limit / (1 << 20));
}

lull_status vocoder_path_allocate(vocoder_path *p, lull_error *error) {
    lull_status status = check_limit(p, error);
    if (status) return status;
    status = p->model ? share_weights(p, error) : LULL_OK;
    for (int i = 0; i < p->parts && !status; i++)
        if (p->part[i].kind->allocate)
            status = p->part[i].kind->allocate(p->part[i].context, error);
    if (status) return status;
    for (int k = 0; k <= p->steps; k++)
        if (!vocoder_line_allocate(&p->lines[k]) ||
            (p->carries && !vocoder_line_allocate(&p->carries[k])))
            return base_no_memory(error);
    if (!vocoder_line_allocate(&p->source) || !vocoder_line_allocate(&p->crossed))
        return base_no_memory(error);
    vocoder_path_reset(p, p->options.seed);
    return LULL_OK;
}

void vocoder_path_clear(vocoder_path *p) {
    for (int i = 0; i < p->parts; i++)
        if (p->part[i].kind->clear) p->part[i].kind->clear(p->part[i].context);
    for (int k = 0; p->lines && k <= p->steps; k++) base_free(p->lines[k].data);
    for (int k = 0; p->carries && k <= p->steps; k++) base_free(p->carries[k].data);
    base_free(p->source.data);
    base_free(p->crossed.data);
    base_free(p->lines);
    base_free(p->carries);
    base_free(p->step);
    base_free(p->part);
    diffusion_plan_free(p->plan);
}

void vocoder_path_reset(vocoder_path *p, uint64_t seed) {
    for (int i = 0; i < p->parts; i++)
        if (p->part[i].kind->reset) p->part[i].kind->reset(p->part[i].context);
    for (int k = 0; k <= p->steps; k++) vocoder_line_reset(&p->lines[k], 0);
    vocoder_line_reset(&p->source, 0);
    vocoder_line_reset(output_line(p), -vocoder_output_lead(&p->output));
    for (int k = 0; p->carries && k <= p->steps; k++) vocoder_line_reset(&p->carries[k], 0);
    p->options.seed = p->noise.seed = seed;
}
