/* What the fuzz harnesses share. A harness is one file: LLVMFuzzerTestOneInput for libFuzzer
 * (tools/fuzz.sh), or for replay.c, which feeds it files. What must never be is an `expect`: it
 * aborts. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/random.h"
#include "model/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define expect(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* A failure has one line of printable text and the status that was returned. */
static inline void expect_told(lull_status status, const lull_error *error) {
    expect(error->status == status);
    size_t size = strnlen(error->message, LULL_MESSAGE_SIZE);
    expect(size > 0 && size < LULL_MESSAGE_SIZE);
    expect(!memchr(error->message, '\n', size));
}

/* Input taken from the front, piece by piece; zeros when it is used up. */
typedef struct bytes {
    const uint8_t *at;
    size_t left;
} bytes;

static inline uint8_t take_byte(bytes *b) {
    if (b->left == 0) return 0;
    b->left--;
    return *b->at++;
}

/* A file in memory with a name that can be opened. */
static inline int memory_file(const void *data, size_t size, char name[32]) {
    int descriptor = memfd_create("fuzz", MFD_CLOEXEC);
    expect(descriptor >= 0);
    for (size_t done = 0; done < size;) {
        ssize_t n = write(descriptor, (const char *)data + done, size - done);
        expect(n > 0);
        done += (size_t)n;
    }
    snprintf(name, 32, "/proc/self/fd/%d", descriptor);
    return descriptor;
}

/* A network of the default family that works in microseconds: 8 bands, 32 samples a frame. */
static inline lull_model *tiny_model(void) {
    static const char json[] =
        "{\"format\":1,\"family\":\"lull\",\"name\":\"tiny\",\"mel\":{\"convention\":\"hifigan\","
        "\"sample_rate\":8000,\"n_fft\":128,\"window\":128,\"hop\":32,\"bands\":8,\"fmax\":4000},"
        "\"network\":{\"patch\":8,\"channels\":4,\"layers\":2,\"dilations\":[1,2],\"look_ahead\":["
        "1,0],"
        "\"embedding\":{\"hidden\":8,\"frequencies\":4},"
        "\"conditioner\":{\"channels\":4,\"kernel\":3,\"layers\":1,\"look_ahead\":1},"
        "\"postnet\":{\"channels\":2,\"layers\":1,\"look_ahead\":1}}}";
    lull_error error;
    lull_model *model = base_alloc(1, sizeof *model);
    expect(model);
    lull_status status = model_config_parse(json, "tiny", &model->config, &error);
    if (!status) status = model_parameters_new(&model->config, &model->parameters, &error);
    if (!status) status = denoiser_shelf_new(&model->shelf, &error);
    if (status) fprintf(stderr, "tiny model: %s\n", error.message);
    expect(!status);
    const model_config *c = &model->config;
    model_parameters_initialize(model->parameters, 3);
    /* The last projection begins as zero: give it something to do. */
    float *last = model_parameters_weight(model->parameters, MODEL_OUTPUT_PROJECTION, 0);
    size_t n = (size_t)c->patch * (size_t)c->channels;
    random_normal(7, 9, 0, last, n);
    for (size_t i = 0; i < n; i++) last[i] *= 0.2f;
    last = model_parameters_weight(model->parameters, MODEL_POSTNET_CONVOLUTION, 2);
    for (int i = 0; i < 9 * c->postnet_channels; i++) last[i] = 0.01f * (float)(i % 5 - 2);
    model->info = (lull_model_info){.name = c->name,
                                    .family = "lull",
                                    .objective = "v",
                                    .convention = c->mel.name,
                                    .licence = "",
                                    .sample_rate = c->mel.sample_rate,
                                    .bands = c->mel.bands,
                                    .hop = c->mel.hop,
                                    .n_fft = c->mel.n_fft,
                                    .default_steps = c->uses[LULL_LIVE].steps,
                                    .default_refine = c->uses[LULL_LIVE].refine,
                                    .default_refine_window = c->uses[LULL_LIVE].refine_window,
                                    .parameters = model->parameters->total};
    return model;
}

#endif
