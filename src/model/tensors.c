/* The table of a network's tensors: see tensors.h. */
#include "model/tensors.h"

#include "mel/frame_features.h"
#include "model/bandwidth_outputs.h"
#include "model/pitch_outputs.h"
#include "model/spectrum_points.h"

#include <stdio.h>
#include <string.h>

enum { ALIGNMENT = 16 };

/* How often a role's pair stands in a network. Neighbouring rows of the residual layers take turns:
 * all of layer 0, all of layer 1, … */
typedef enum {
    ONCE,
    EMBEDDINGS,
    UPSAMPLINGS,
    CONDITIONER_LAYERS,
    LAYERS,
    POSTNET_LAYERS,
    PITCH_LAYERS,
    BANDWIDTH_LAYERS,
    SPECTRUM_LAYERS
} times;

/* An axis of a weight: a size of the configuration; below FIRST_SIZE a number that means itself. */
enum {
    FIRST_SIZE = 1000,
    PATCH = FIRST_SIZE,
    INPUT, /* of a network frame */
    CHANNELS,
    TWO_CHANNELS,
    KERNEL,
    EMBEDDING_IN, /* the first projection's input is wider than the second's */
    EMBEDDING_HIDDEN,
    CONDITION, /* channels of what the residual layers are conditioned on */
    CONDITIONER_IN,
    CONDITIONER_KERNEL,
    POSTNET_IN,
    POSTNET_OUT,
    PITCH_IN,
    PITCH_OUT,
    BANDWIDTH_IN,
    BANDWIDTH_OUT,
    SPECTRUM_IN,
    SPECTRUM_OUT
};

enum { LAST_ZERO = MODEL_START_ZERO + 1 }; /* the last of the role 0, the others uniform */

typedef struct row {
    const char *before, *after; /* name: before, index + counted_from where after is not NULL */
    int counted_from;
    times times;
    model_part part;
    int weight_start, bias_start; /* model_start, or LAST_ZERO */
    int axes[4];                  /* of the weight, [out, in, …]; the bias has the first one */
} row;

/* Linear layers, DiffWave's transposed convolutions, the conditioner's and the postnet's begin as
 * PyTorch's do; the denoiser's 1-D convolutions as DiffWave's. Zero last projections make a network
 * that is not trained predict nothing. */
#define UNIFORM MODEL_START_UNIFORM
#define NORMAL MODEL_START_NORMAL
#define ZERO MODEL_START_ZERO
/* clang-format off */
static const row rows[MODEL_ROLES] = {
    [MODEL_INPUT_PROJECTION] =
        {"input_projection", NULL, 0, ONCE, MODEL_DENOISER, NORMAL, NORMAL,
         {CHANNELS, INPUT, 1}},
    [MODEL_EMBEDDING_PROJECTION] =
        {"diffusion_embedding.projection", "", 1, EMBEDDINGS, MODEL_DENOISER, UNIFORM, UNIFORM,
         {EMBEDDING_HIDDEN, EMBEDDING_IN}},
    [MODEL_UPSAMPLER_CONVOLUTION] =
        {"spectrogram_upsampler.conv", "", 1, UPSAMPLINGS, MODEL_DENOISER, UNIFORM, UNIFORM,
         {1, 1, 3, 32}},
    [MODEL_CONDITIONER_CONVOLUTION] =
        {"conditioner.conv", "", 1, CONDITIONER_LAYERS, MODEL_DENOISER, UNIFORM, UNIFORM,
         {CONDITION, CONDITIONER_IN, CONDITIONER_KERNEL}},
    [MODEL_DILATED_CONVOLUTION] =
        {"residual_layers.", ".dilated_conv", 0, LAYERS, MODEL_DENOISER, NORMAL, UNIFORM,
         {TWO_CHANNELS, CHANNELS, KERNEL}},
    [MODEL_STEP_PROJECTION] =
        {"residual_layers.", ".diffusion_projection", 0, LAYERS, MODEL_DENOISER, UNIFORM, UNIFORM,
         {CHANNELS, EMBEDDING_HIDDEN}},
    [MODEL_CONDITION_PROJECTION] =
        {"residual_layers.", ".conditioner_projection", 0, LAYERS, MODEL_DENOISER, NORMAL, UNIFORM,
         {TWO_CHANNELS, CONDITION, 1}},
    [MODEL_RESIDUAL_PROJECTION] =
        {"residual_layers.", ".output_projection", 0, LAYERS, MODEL_DENOISER, NORMAL, UNIFORM,
         {TWO_CHANNELS, CHANNELS, 1}},
    [MODEL_SKIP_PROJECTION] =
        {"skip_projection", NULL, 0, ONCE, MODEL_DENOISER, NORMAL, NORMAL,
         {CHANNELS, CHANNELS, 1}},
    [MODEL_OUTPUT_PROJECTION] =
        {"output_projection", NULL, 0, ONCE, MODEL_DENOISER, ZERO, UNIFORM,
         {PATCH, CHANNELS, 1}},
    [MODEL_POSTNET_CONVOLUTION] =
        {"postnet.conv", "", 1, POSTNET_LAYERS, MODEL_POSTNET, LAST_ZERO, LAST_ZERO,
         {POSTNET_OUT, POSTNET_IN, 3, 3}},
    [MODEL_PITCH_CONVOLUTION] =
        {"pitch.conv", "", 1, PITCH_LAYERS, MODEL_PITCH, UNIFORM, UNIFORM,
         {PITCH_OUT, PITCH_IN, 3}},
    [MODEL_BANDWIDTH_CONVOLUTION] =
        {"bandwidth.conv", "", 1, BANDWIDTH_LAYERS, MODEL_BANDWIDTH, LAST_ZERO, LAST_ZERO,
         {BANDWIDTH_OUT, BANDWIDTH_IN, 3}},
    [MODEL_SPECTRUM_CONVOLUTION] =
        {"spectrum.conv", "", 1, SPECTRUM_LAYERS, MODEL_SPECTRUM, LAST_ZERO, LAST_ZERO,
         {SPECTRUM_OUT, SPECTRUM_IN, 3}},
};
/* clang-format on */

static int count_of(const model_config *c, times times) {
    if (c->family == MODEL_PITCH_ALONE && times != PITCH_LAYERS) return 0;
    switch (times) {
    case ONCE:
        return 1;
    case EMBEDDINGS:
        return 2;
    case UPSAMPLINGS:
        return c->family == MODEL_DIFFWAVE ? 2 : 0;
    case CONDITIONER_LAYERS:
        return c->family == MODEL_LULL ? c->conditioner_layers : 0;
    case LAYERS:
        return c->layers;
    case POSTNET_LAYERS:
        return model_config_postnet_convolutions(c);
    case PITCH_LAYERS:
        return c->pitch_channels > 0 ? c->pitch_layers : 0;
    case BANDWIDTH_LAYERS:
        return c->bandwidth_channels > 0 ? c->bandwidth_layers : 0;
    case SPECTRUM_LAYERS:
        return c->spectrum_channels > 0 ? c->spectrum_layers : 0;
    }
    return 0;
}

static int size_of(const model_config *c, int axis, int index) {
    bool diffwave = c->family == MODEL_DIFFWAVE;
    switch (axis) {
    case PATCH:
        return c->patch;
    case INPUT:
        return model_config_input(c);
    case CHANNELS:
        return c->channels;
    case TWO_CHANNELS:
        return 2 * c->channels;
    case KERNEL:
        return c->kernel;
    case EMBEDDING_IN:
        return index == 0 ? model_config_embedding_inputs(c) : c->embedding_hidden;
    case EMBEDDING_HIDDEN:
        return c->embedding_hidden;
    case CONDITION:
        return diffwave ? c->mel.bands : c->conditioner_channels;
    case CONDITIONER_IN:
        return index == 0 ? c->mel.bands : c->conditioner_channels;
    case CONDITIONER_KERNEL:
        return c->conditioner_kernel;
    case POSTNET_IN:
        return index == 0 ? c->postnet_patch : c->postnet_channels;
    case POSTNET_OUT:
        return index == model_config_postnet_convolutions(c) - 1 ? c->postnet_patch
                                                                 : c->postnet_channels;
    case PITCH_IN:
        return index == 0 ? MEL_FEATURES : c->pitch_channels;
    case PITCH_OUT:
        return index == c->pitch_layers - 1 ? PITCH_OUTPUTS : c->pitch_channels;
    case BANDWIDTH_IN:
        return index == 0 ? MEL_FEATURES : c->bandwidth_channels;
    case BANDWIDTH_OUT:
        return index == c->bandwidth_layers - 1 ? BANDWIDTH_POINTS : c->bandwidth_channels;
    case SPECTRUM_IN:
        return index == 0 ? MEL_FEATURES : c->spectrum_channels;
    case SPECTRUM_OUT:
        return index == c->spectrum_layers - 1 ? SPECTRUM_OUTPUTS : c->spectrum_channels;
    default:
        return axis;
    }
}

static model_start start_of(int start, bool last) {
    if (start == LAST_ZERO) return last ? MODEL_START_ZERO : MODEL_START_UNIFORM;
    return (model_start)start;
}

static void add(model_tensor *tensors, model_layout *l, const model_tensor *tensor) {
    if (tensors) {
        tensors[l->count] = *tensor;
        tensors[l->count].offset = l->size;
    }
    l->count++;
    l->total += tensor->count;
    l->size += (tensor->count + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* A role's weight and bias. */
static void add_pair(const model_config *c, model_role role, int index, bool last,
                     model_tensor *tensors, model_layout *l) {
    const row *r = &rows[role];
    model_tensor weight = {.role = role, .index = index, .part = r->part, .count = 1, .fan = 1};
    weight.start = start_of(r->weight_start, last);
    for (int i = 0; i < 4 && r->axes[i] != 0; i++) {
        size_t size = (size_t)size_of(c, r->axes[i], index);
        weight.shape[weight.dimensions++] = size;
        weight.count *= size;
        if (i > 0) weight.fan *= size;
    }
    model_tensor bias = {.role = role,
                         .index = index,
                         .bias = true,
                         .part = r->part,
                         .start = start_of(r->bias_start, last),
                         .dimensions = 1,
                         .shape = {weight.shape[0]},
                         .count = weight.shape[0],
                         .fan = weight.fan};
    model_role_place *place = &l->place[role];
    if (index == 0) place->first = l->count;
    if (index == 1) place->step = l->count - place->first;
    place->count = index + 1;
    add(tensors, l, &weight);
    add(tensors, l, &bias);
}

void model_tensors_lay_out(const model_config *config, model_tensor *tensors,
                           model_layout *layout) {
    *layout = (model_layout){0};
    for (int role = 0, end; role < MODEL_ROLES; role = end) {
        end = role + 1;
        while (rows[role].times == LAYERS && end < MODEL_ROLES && rows[end].times == LAYERS) end++;
        int count = count_of(config, rows[role].times);
        for (int index = 0; index < count; index++)
            for (int each = role; each < end; each++)
                add_pair(config, (model_role)each, index, index == count - 1, tensors, layout);
    }
}

const char *model_tensor_name(const model_tensor *tensor, char name[MODEL_TENSOR_NAME]) {
    const row *r = &rows[tensor->role];
    const char *which = tensor->bias ? "bias" : "weight";
    if (r->after)
        snprintf(name, MODEL_TENSOR_NAME, "%s%d%s.%s", r->before, tensor->index + r->counted_from,
                 r->after, which);
    else
        snprintf(name, MODEL_TENSOR_NAME, "%s.%s", r->before, which);
    return name;
}
