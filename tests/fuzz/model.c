/* Fuzzing: safetensors files, and models in them. Nothing larger than the file (and a few kilobytes
 * of structures) may be allocated at once before the file is known to be a model. */
#include "fuzz.h"

#include "io/safetensors.h"

/* The linker sends base_alloc's callers here (--wrap). */
static size_t largest;
void *__real_base_alloc(size_t count, size_t size);
void *__wrap_base_alloc(size_t count, size_t size);
void *__wrap_base_alloc(size_t count, size_t size) {
    size_t product;
    if (!__builtin_mul_overflow(count, size, &product) && product > largest) largest = product;
    return __real_base_alloc(count, size);
}

static void look_at(const safetensors *file, size_t size) {
    size_t total = 0;
    for (size_t i = 0; i < safetensors_count(file); i++) {
        const safetensors_tensor *t = safetensors_at(file, i);
        expect(safetensors_find(file, t->name));
        expect(t->bytes <= size);
        total += t->bytes;
        volatile uint8_t sum = 0;
        for (size_t k = 0; k < t->bytes; k++) sum = (uint8_t)(sum + ((const uint8_t *)t->data)[k]);
        size_t elements = 1;
        for (int d = 0; d < t->dimensions; d++)
            expect(!__builtin_mul_overflow(elements, t->shape[d], &elements));
        if (elements > size) continue;
        float *values = malloc(elements * sizeof *values + 1);
        expect(values);
        lull_error error = {0};
        lull_status status = safetensors_read_f32(file, t->name, values, elements, &error);
        if (status) expect_told(status, &error);
        free(values);
    }
    expect(total <= size);
    volatile const char *text = safetensors_metadata(file, "lull");
    (void)text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    lull_error error = {0};
    safetensors *file = NULL;
    largest = 0;
    lull_status status = safetensors_parse(data, size, "it.safetensors", &file, &error);
    if (status)
        expect_told(status, &error);
    else
        look_at(file, size);
    safetensors_close(file);

    lull_model *model = NULL;
    status = lull_model_open_memory(data, size, "it.safetensors", &model, &error);
    /* Weights are padded to 16 floats a tensor, and a tensor's row has 136 bytes for the shortest
     * of descriptions in the header. */
    expect(largest <= 16 * size + 65536);
    if (status) {
        expect_told(status, &error);
        expect(!model);
        return 0;
    }
    const lull_model_info *info = lull_model_get_info(model);
    expect(info->bands > 0 && info->hop > 0 && info->sample_rate > 0 && info->default_steps > 0);
    lull_model_close(model);
    return 0;
}
