/* Building the path of sound. */
#include "vocoder/path.h"

#include "base/error.h"
#include "model/model.h"
#include "nn/kernels.h"
#include "vocoder/options.h"

enum {
    BLOCK_PATCHES = 128,  /* network frames of a block where a frame is a patch … */
    BLOCK_SAMPLES = 1024, /* … and where it is a sample */
    NO_NETWORK_BLOCK = 2048,
    LINE_BLOCKS = 4 /* blocks of room between two steps */
};

/* Parts beside the steps. */
enum { OTHER_PARTS = 4 };

static size_t block_samples(const vocoder_path *p) {
    return p->model ? (size_t)p->block * (size_t)p->model->config.patch : NO_NETWORK_BLOCK;
}

static lull_status new_network(vocoder_path *p, lull_error *error) {
    const model_config *config = &p->model->config;
    lull_status status =
        diffusion_plan_new(p->options.sampler, config->objective, &config->schedule,
                           p->options.steps, p->options.eta, &p->plan, error);
    if (status) return status;
    bool native = nn_kernels_get()->bf16_native;
    if (p->options.precision == LULL_PRECISION_AUTO)
        p->options.precision = native ? LULL_PRECISION_BF16 : LULL_PRECISION_F32;
    status = denoiser_shelf_get(p->model->shelf, config, p->model->parameters,
                                p->options.precision == LULL_PRECISION_BF16, &p->weights, error);
    if (status) return status;
    p->block = config->patch == 1 ? BLOCK_SAMPLES : BLOCK_PATCHES;
    p->step = base_alloc((size_t)p->plan->count, sizeof *p->step);
    if (!p->step) return base_no_memory(error);
    p->steps = p->plan->count;
    const denoiser_grid grid = {p->convention.hop, mel_convention_first_centre(&p->convention)};
    for (int k = 0; k < p->steps && !status; k++)
        status =
            vocoder_step_init(&p->step[k], config, p->weights, p->plan, k, p->block, &grid, error);
    return status;
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

/* How a network of the model reads the frames; NULL when they are in its own convention. */
static lull_status new_reader(const vocoder_path *p, mel_read unit, mel_reader **reader,
                              lull_error *error) {
    *reader = NULL;
    if (!mel_convention_difference(&p->convention, &p->model->config.mel)) return LULL_OK;
    return mel_reader_new(&p->convention, &p->model->config.mel, unit, reader, error);
}

/* The parts that work with mel frames. */
static lull_status new_frame_parts(vocoder_path *p, lull_error *error) {
    lull_status status =
        frame_queue_new(p->options.queue_frames, p->convention.bands, &p->queue, error);
    if (status) return status;
    size_t capacity = span(p) / (size_t)p->convention.hop + 8;
    int most = vocoder_output_most(p->convention.hop, block_samples(p));
    int bands = p->model ? p->model->config.mel.bands : p->convention.bands;
    mel_reader *reader = NULL;
    postnet *postnet = NULL;
    if (p->options.postnet > 0) status = new_reader(p, MEL_READ_HERTZ, &reader, error);
    if (p->options.postnet > 0 && !status)
        status = postnet_new(&p->model->config, p->model->parameters, &postnet, error);
    if (status) {
        mel_reader_free(reader);
        return status;
    }
    status = vocoder_frames_init(&p->frames, p->queue, p->convention.bands, postnet, reader, bands,
                                 capacity, most, error);
    if (status || !p->model) return status;
    status = new_reader(p, MEL_READ_SAMPLES, &reader, error);
    if (status) return status;
    return vocoder_conditioner_init(&p->conditioner, p->weights, reader, bands, &p->frames.out,
                                    capacity, most, error);
}

static lull_status new_lines(vocoder_path *p, lull_error *error) {
    size_t count = (size_t)p->steps + 1;
    bool carry = p->plan && p->plan->carry;
    p->lines = base_alloc(count, sizeof *p->lines);
    if (carry) p->carries = base_alloc(count, sizeof *p->carries);
    if (!p->lines || (carry && !p->carries)) return base_no_memory(error);
    for (size_t k = 0; k < count; k++) {
        size_t kept = k < count - 1 ? step_delay(p)
                                    : (size_t)p->convention.n_fft + 2 * (size_t)p->convention.hop;
        size_t capacity = kept + LINE_BLOCKS * block_samples(p);
        if (!line_new(&p->lines[k], capacity)) return base_no_memory(error);
        if (carry && !line_new(&p->carries[k], capacity)) return base_no_memory(error);
    }
    return LULL_OK;
}

static lull_status new_output(vocoder_path *p, lull_error *error) {
    const model_config *config = p->model ? &p->model->config : NULL;
    return vocoder_output_init(&p->output, &p->convention, config ? config->whitened : true,
                               config ? config->tilt_hz : 0, p->options.refine,
                               p->options.refine_window, p->options.refine_momentum, &p->frames.out,
                               block_samples(p), error);
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
    for (int k = 0; k < p->steps; k++) {
        vocoder_step *s = &p->step[k];
        s->in = &p->lines[k];
        s->out = &p->lines[k + 1];
        s->carry_in = p->carries ? &p->carries[k] : NULL;
        s->carry_out = p->carries ? &p->carries[k + 1] : NULL;
        s->frames = &p->frames.out;
        s->conditioning = &p->conditioner.out;
        s->noise = &p->noise;
    }
    /* The last step is behind all others. */
    if (p->steps) vocoder_rows_read_by(&p->conditioner.out, &p->step[p->steps - 1].oldest_row);
    p->output.in = &p->lines[p->steps];
}

static void add(vocoder_path *p, const vocoder_part_kind *kind, void *context) {
    p->part[p->parts++] = (vocoder_part){.kind = kind, .context = context};
}

static lull_status new_parts(vocoder_path *p, lull_error *error) {
    p->part = base_alloc((size_t)p->steps + OTHER_PARTS, sizeof *p->part);
    if (!p->part) return base_no_memory(error);
    add(p, &vocoder_frames_part, &p->frames);
    add(p, &vocoder_start_part, &p->start);
    if (p->steps) add(p, &vocoder_conditioner_part, &p->conditioner);
    for (int k = 0; k < p->steps; k++) add(p, &vocoder_step_part, &p->step[k]);
    add(p, &vocoder_output_part, &p->output);
    return LULL_OK;
}

/* What each part keeps back, counted where all of them have work (every further frame gives one
 * more hop). What a part waits for a side part is that one's. */
static void measure_latency(vocoder_path *p) {
    uint64_t hop = (uint64_t)p->convention.hop;
    uint64_t frames = (uint64_t)p->steps * step_delay(p) / hop +
                      (uint64_t)p->convention.n_fft / hop + VOCODER_MAX_WINDOW + 128;
    vocoder_reach reach = {.frames = frames, .samples = frames * hop};
    vocoder_part *side = NULL;
    for (int i = 0; i < p->parts; i++) {
        vocoder_part *part = &p->part[i];
        uint64_t before = reach.samples;
        reach.waited = 0;
        if (part->kind->reach) part->kind->reach(part->context, &reach);
        part->latency = (size_t)(before - reach.samples - reach.waited);
        if (part->kind->side) side = part;
        if (side) side->latency += (size_t)reach.waited;
    }
}

size_t vocoder_path_latency(const vocoder_path *p) {
    size_t sum = 0;
    for (int i = 0; i < p->parts; i++) sum += p->part[i].latency;
    return sum;
}

lull_status vocoder_path_init(vocoder_path *p, const lull_model *model,
                              const mel_convention *convention, const lull_options *options,
                              lull_error *error) {
    p->model = model;
    p->convention = *convention;
    lull_status status =
        vocoder_resolve_options(options, model ? &model->config : NULL, &p->options, error);
    if (!status && model) status = new_network(p, error);
    if (!status) status = new_frame_parts(p, error);
    if (!status) status = new_output(p, error);
    if (!status) status = new_lines(p, error);
    if (!status) status = new_parts(p, error);
    if (status) return status;
    connect(p);
    vocoder_path_reset(p, p->options.seed);
    measure_latency(p);
    return LULL_OK;
}

void vocoder_path_clear(vocoder_path *p) {
    vocoder_frames_part.clear(&p->frames);
    vocoder_conditioner_part.clear(&p->conditioner);
    for (int k = 0; k < p->steps; k++) vocoder_step_part.clear(&p->step[k]);
    vocoder_output_part.clear(&p->output);
    for (int k = 0; p->lines && k <= p->steps; k++) base_free(p->lines[k].data);
    for (int k = 0; p->carries && k <= p->steps; k++) base_free(p->carries[k].data);
    base_free(p->lines);
    base_free(p->carries);
    base_free(p->step);
    base_free(p->part);
    frame_queue_free(p->queue);
    diffusion_plan_free(p->plan);
}

void vocoder_path_reset(vocoder_path *p, uint64_t seed) {
    frame_queue_reset(p->queue);
    for (int i = 0; i < p->parts; i++)
        if (p->part[i].kind->reset) p->part[i].kind->reset(p->part[i].context);
    for (int k = 0; k < p->steps; k++) line_reset(&p->lines[k], 0);
    line_reset(&p->lines[p->steps], -vocoder_output_lead(&p->output));
    for (int k = 0; p->carries && k <= p->steps; k++) line_reset(&p->carries[k], 0);
    p->options.seed = p->noise.seed = seed;
}
