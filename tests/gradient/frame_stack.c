/* The gradient of postnets, pitch, bandwidth and spectrum networks against central differences of a forward pass written
 * here in double precision, on odd shapes; and independence of the thread count. */
#include "model/stacks.h"

#include <stdio.h>

#include "gradient/frame_stack.h"
#include "model/bandwidth.h"
#include "model/spectrum.h"

enum { CROPS = 3, FRAMES = 5 };

/* A stack with its data: crops of inputs, and what their outputs should be. */
typedef struct network {
    model_config config;
    model_frame_stack_shape shape;
    model_part part;
    model_parameters *parameters;
    size_t inputs, outputs; /* of a crop */
    float *input, *target;
} network;

static float *normal(uint64_t seed, size_t n) {
    float *values = base_alloc(n, sizeof *values);
    assert_non_null(values);
    random_normal(seed, 0, 0, values, n);
    return values;
}

static void network_begin(network *n) {
    n->parameters = stack_weights(&n->config);
    n->inputs = (size_t)(FRAMES * n->shape.bands * n->shape.first);
    n->outputs = (size_t)(FRAMES * n->shape.bands * n->shape.last);
    n->input = normal(7, CROPS * n->inputs);
    n->target = normal(8, CROPS * n->outputs);
}

static void postnet_begin(network *n, int number) {
    postnet_config(&postnet_cases[number], &n->config);
    n->shape = postnet_shape(&n->config);
    n->part = MODEL_POSTNET;
    network_begin(n);
    for (size_t i = 0; i < CROPS * n->inputs; i++) n->input[i] = 2 * n->input[i] - 5;
    for (size_t i = 0; i < CROPS * n->outputs; i++)
        n->target[i] = n->input[i] + 0.3f * sinf((float)i);
}

static void pitch_begin(network *n, int number) {
    pitch_config(&pitch_cases[number], &n->config);
    n->shape = pitch_network_shape(&n->config);
    n->part = MODEL_PITCH;
    network_begin(n);
}

static void bandwidth_begin(network *n, int channels, int layers) {
    model_config_default(&n->config);
    n->config.bandwidth_channels = channels;
    n->config.bandwidth_layers = layers;
    checked_config(&n->config);
    n->shape = bandwidth_shape(&n->config);
    n->part = MODEL_BANDWIDTH;
    network_begin(n);
}

static void spectrum_begin(network *n, int channels, int layers) {
    model_config_default(&n->config);
    n->config.spectrum_channels = channels;
    n->config.spectrum_layers = layers;
    checked_config(&n->config);
    n->shape = spectrum_shape(&n->config);
    n->part = MODEL_SPECTRUM;
    network_begin(n);
}

static void network_end(network *n) {
    model_parameters_free(n->parameters);
    base_free(n->input);
    base_free(n->target);
}

/* Output o of convolution l at band b of frame t, from h (frame, band, channel). */
static double convolved(const network *n, const double *w, int l, const double *h, int t, int b,
                        int o) {
    const model_frame_stack_shape *s = &n->shape;
    const double *weight = w + model_parameters_weight_tensor(n->parameters, s->role, l)->offset;
    const int in = l == 0 ? s->first : s->inner, ahead = l < s->look_ahead;
    double sum = w[model_parameters_bias_tensor(n->parameters, s->role, l)->offset + (size_t)o];
    for (int i = 0; i < in; i++)
        for (int j = 0; j < s->across; j++)
            for (int k = 0; k < 3; k++) {
                const int f = t + k - 2 + ahead, at = b + j - (s->across - 1) / 2;
                if (f < 0 || f >= FRAMES || at < 0 || at >= s->bands) continue;
                sum += weight[((o * in + i) * s->across + j) * 3 + k] *
                       h[(f * s->bands + at) * in + i];
            }
    return sum;
}

/* Half the sum of the squares of the output's distance from what it should be, of one crop. */
static double loss_of(const network *n, const double *w, int crop) {
    const model_frame_stack_shape *s = &n->shape;
    const float *input = n->input + (size_t)crop * n->inputs;
    const float *target = n->target + (size_t)crop * n->outputs;
    const size_t widest = n->inputs + n->outputs + (size_t)(FRAMES * s->bands * s->inner);
    double *h = calloc(widest, sizeof *h), *y = calloc(widest, sizeof *y), loss = 0;
    for (size_t i = 0; i < n->inputs; i++) h[i] = ((double)input[i] + s->offset) * s->scale;
    for (int l = 0; l < s->count; l++) {
        const bool last = l == s->count - 1;
        const int out = last ? s->last : s->inner;
        for (int t = 0; t < FRAMES; t++)
            for (int b = 0; b < s->bands; b++)
                for (int o = 0; o < out; o++)
                    y[(t * s->bands + b) * out + o] = convolved(n, w, l, h, t, b, o);
        for (int i = 0; !last && i < FRAMES * s->bands * out; i++) {
            const double active = s->silu ? y[i] / (1 + exp(-y[i])) : y[i] > 0 ? y[i] : 0.1 * y[i];
            h[i] = l > 0 ? h[i] + active : active;
        }
    }
    for (size_t i = 0; i < n->outputs; i++) {
        const double difference = (s->added ? input[i] : 0) + y[i] - target[i];
        loss += 0.5 * difference * difference;
    }
    free(h);
    free(y);
    return loss;
}

static double squared(void *context, int crop, const float *u, float *du) {
    const network *n = context;
    double loss = 0;
    for (size_t i = 0; i < n->outputs; i++) {
        du[i] = u[i] - n->target[(size_t)crop * n->outputs + i];
        loss += 0.5 * (double)du[i] * du[i];
    }
    return loss;
}

static float *gradient_with(network *n, int threads, double *losses) {
    thread_pool *pool;
    gradient_frame_stack *stack;
    const size_t size = n->parameters->size;
    float *gradient = base_alloc(size, sizeof *gradient);
    assert_non_null(gradient);
    memset(gradient, 0x7f, size * sizeof *gradient);
    assert_int_equal(thread_pool_new(threads, &pool, NULL), LULL_OK);
    assert_int_equal(
        gradient_frame_stack_new(&n->shape, &n->config, CROPS, FRAMES, pool, &stack, NULL),
        LULL_OK);
    assert_true(gradient_frame_stack_flops(stack) > 0 && gradient_frame_stack_bytes(stack) > 0);
    /* Twice: nothing of the first may be left. */
    for (int i = 0; i < 2; i++)
        gradient_frame_stack_run(stack, n->parameters, CROPS, n->input, squared, n, losses,
                                 gradient);
    gradient_frame_stack_free(stack);
    thread_pool_free(pool);
    return gradient;
}

static double by_differences(const network *n, double *w, size_t at) {
    const double step = 1e-6, kept = w[at];
    double sum = 0;
    for (int c = 0; c < CROPS; c++) {
        w[at] = kept + step;
        sum += loss_of(n, w, c);
        w[at] = kept - step;
        sum -= loss_of(n, w, c);
        w[at] = kept;
    }
    return sum / (2 * step);
}

static void expect_differences(network *n, double tolerance) {
    const model_parameters *p = n->parameters;
    double losses[CROPS], *w = calloc(p->size, sizeof *w);
    float *gradient = gradient_with(n, 1, losses);
    for (size_t i = 0; i < p->size; i++) w[i] = p->data[i];
    for (int c = 0; c < CROPS; c++) {
        const double wanted = loss_of(n, w, c);
        assert_true(fabs(losses[c] - wanted) < 1e-4 * wanted);
    }
    size_t checked = 0;
    for (size_t i = 0; i < p->tensor_count; i++) {
        const model_tensor *t = &p->tensors[i];
        const bool ours = t->part == n->part;
        for (size_t j = 0; j < t->count; j += ours ? 1 + t->count / 30 : 1) {
            const size_t at = t->offset + j;
            if (!ours) {
                assert_true(gradient[at] == 0);
                continue;
            }
            const double wanted = by_differences(n, w, at);
            char name[MODEL_TENSOR_NAME];
            if (fabs(gradient[at] - wanted) > tolerance * (1 + fabs(wanted)))
                fail_msg("%s[%zu]: %g, by differences %g", model_tensor_name(t, name), j,
                         (double)gradient[at], wanted);
            checked++;
        }
    }
    assert_true(checked > 50);
    base_free(gradient);
    free(w);
}

static void postnets_is_that_of_differences(void **state) {
    (void)state;
    for (int s = 0; s < POSTNET_CASES - 1; s++) {
        network n;
        postnet_begin(&n, s);
        expect_differences(&n, 2e-4);
        network_end(&n);
    }
}

static void pitch_networks_is_that_of_differences(void **state) {
    (void)state;
    for (int s = 0; s < PITCH_CASES; s++) {
        network n;
        pitch_begin(&n, s);
        expect_differences(&n, 3e-4);
        network_end(&n);
    }
}

static void bandwidth_networks_is_that_of_differences(void **state) {
    (void)state;
    for (int layers = 1; layers <= 3; layers++) {
        network n;
        bandwidth_begin(&n, 7, layers);
        expect_differences(&n, 3e-4);
        network_end(&n);
    }
}

static void spectrum_networks_is_that_of_differences(void **state) {
    (void)state;
    for (int layers = 1; layers <= 3; layers++) {
        network n;
        spectrum_begin(&n, 7, layers);
        expect_differences(&n, 3e-4);
        network_end(&n);
    }
}

static void threads_do_not_matter(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        network n;
        if (kind == 0)
            postnet_begin(&n, 2);
        else
            pitch_begin(&n, 2);
        double losses[CROPS], others[CROPS];
        float *one = gradient_with(&n, 1, losses);
        float *three = gradient_with(&n, 3, others);
        assert_memory_equal(one, three, n.parameters->size * sizeof *one);
        assert_memory_equal(losses, others, sizeof losses);
        base_free(one);
        base_free(three);
        network_end(&n);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(postnets_is_that_of_differences),
        cmocka_unit_test(pitch_networks_is_that_of_differences),
        cmocka_unit_test(bandwidth_networks_is_that_of_differences),
        cmocka_unit_test(spectrum_networks_is_that_of_differences),
        cmocka_unit_test(threads_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
