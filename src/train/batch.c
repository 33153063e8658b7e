/* Batches of crops: see batch.h. */
#include "train/batch.h"

#include "base/error.h"
#include "base/memory.h"

lull_status train_batch_new(train_batch_sizes sizes, int crops, train_batch **result,
                            lull_error *error) {
    size_t n = (size_t)crops;
    train_batch *batch = base_alloc(1, sizeof *batch);
    *result = NULL;
    if (batch == NULL) return base_no_memory(error);
    batch->crops = crops;
    batch->sizes = sizes;
    batch->t = base_alloc(n, sizeof(double));
    batch->x = base_alloc(n * sizes.x, sizeof(float));
    batch->target = base_alloc(n * sizes.target, sizeof(float));
    batch->mel = base_alloc(n * sizes.mel, sizeof(float));
    batch->source = base_alloc(n * sizes.source, sizeof(float));
    if (!batch->t || !batch->x || !batch->target || !batch->mel || !batch->source) {
        train_batch_free(batch);
        return base_no_memory(error);
    }
    *result = batch;
    return LULL_OK;
}

void train_batch_free(train_batch *batch) {
    if (batch == NULL) return;
    base_free(batch->t);
    base_free(batch->x);
    base_free(batch->target);
    base_free(batch->mel);
    base_free(batch->source);
    base_free(batch);
}

size_t train_batch_bytes(train_batch_sizes sizes, int crops) {
    return (size_t)crops * (sizes.x + sizes.target + sizes.mel + sizes.source) * sizeof(float);
}

train_batch train_batch_slice(const train_batch *batch, int first, int count) {
    train_batch slice = *batch;
    int left = batch->crops - first;
    slice.crops = left < count ? left : count;
    slice.t = batch->t + first;
    slice.x = batch->x + (size_t)first * batch->sizes.x;
    slice.target = batch->target + (size_t)first * batch->sizes.target;
    slice.mel = batch->mel + (size_t)first * batch->sizes.mel;
    slice.source = batch->source + (size_t)first * batch->sizes.source;
    return slice;
}
