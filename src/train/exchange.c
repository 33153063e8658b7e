/* Buckets of the gradient: see exchange.h. */
#include "train/exchange.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/clock.h"
#include "gradient/engine.h"

/* A bucket is closed when it holds this many floats (256 KB): large enough to use the network's
 * rate, small enough that the first is on its way when the second layer is still computed. */
enum { BUCKET_FLOATS = 65536, MOST_BUCKETS = 128 };

typedef struct part {
    size_t offset, count; /* in the flat vector */
    size_t place;         /* in the bucket's memory */
    int bucket;
    atomic_bool given;
} part;

typedef struct bucket {
    float *data;
    size_t count;
    atomic_size_t missing; /* floats that are not there yet */
} bucket;

struct train_exchange {
    ranks *ranks;
    size_t size; /* of the flat vector */
    part *parts; /* in the order of their offsets */
    size_t part_count;
    bucket *buckets;
    int bucket_count;
    float *memory;
    const float *gradient, *before;
    double busy_before;
    atomic_size_t early;           /* floats in buckets that were complete before finish */
    _Atomic double first_complete; /* when; 0 = none yet */
    double last_end;               /* of a step; 0 = none yet */
    train_exchange_times times;
};

/* Layer of a tensor whose gradient is final with its layer's backward pass, or -1. */
static int early_layer(const model_tensor *tensor) {
    return gradient_engine_is_early(tensor) ? tensor->index : -1;
}

static void add_part(train_exchange *e, size_t i, size_t limit) {
    part *p = &e->parts[i];
    bucket *b = e->bucket_count > 0 ? &e->buckets[e->bucket_count - 1] : NULL;
    if (b == NULL || (b->count >= limit && e->bucket_count < MOST_BUCKETS))
        b = &e->buckets[e->bucket_count++];
    p->bucket = (int)(b - e->buckets);
    p->place = b->count;
    b->count += p->count;
}

static void close_bucket(train_exchange *e) {
    if (e->bucket_count > 0 && e->bucket_count < MOST_BUCKETS &&
        e->buckets[e->bucket_count - 1].count > 0)
        e->bucket_count++;
}

/* The backward pass goes from the last layer to the first; everything else comes at its end. */
static void fill_buckets(train_exchange *e, const model_parameters *shape) {
    int layers = 0;
    for (size_t i = 0; i < e->part_count; i++)
        if (early_layer(&shape->tensors[i]) >= layers) layers = early_layer(&shape->tensors[i]) + 1;
    /* Of more weights than fit so: larger buckets. */
    size_t limit = shape->total / (MOST_BUCKETS / 2);
    if (limit < BUCKET_FLOATS) limit = BUCKET_FLOATS;
    for (int layer = layers - 1; layer >= 0; layer--)
        for (size_t i = 0; i < e->part_count; i++)
            if (early_layer(&shape->tensors[i]) == layer) add_part(e, i, limit);
    close_bucket(e);
    for (size_t i = 0; i < e->part_count; i++)
        if (early_layer(&shape->tensors[i]) < 0) add_part(e, i, limit);
    if (e->buckets[e->bucket_count - 1].count == 0) e->bucket_count--;
}

lull_status train_exchange_new(ranks *ranks, const model_parameters *shape, train_exchange **result,
                               lull_error *error) {
    *result = NULL;
    train_exchange *e = base_alloc(1, sizeof *e);
    if (e == NULL) return base_no_memory(error);
    e->ranks = ranks;
    e->size = shape->size;
    e->part_count = shape->tensor_count;
    e->parts = base_alloc(e->part_count, sizeof *e->parts);
    e->buckets = base_alloc(MOST_BUCKETS + 1, sizeof *e->buckets);
    e->memory = base_alloc(shape->total, sizeof *e->memory);
    if (!e->parts || !e->buckets || !e->memory) {
        train_exchange_free(e);
        return base_no_memory(error);
    }
    for (size_t i = 0; i < e->part_count; i++) {
        e->parts[i].offset = shape->tensors[i].offset;
        e->parts[i].count = shape->tensors[i].count;
    }
    fill_buckets(e, shape);
    float *at = e->memory;
    for (int i = 0; i < e->bucket_count; i++) {
        e->buckets[i].data = at;
        at += e->buckets[i].count;
    }
    *result = e;
    return LULL_OK;
}

void train_exchange_free(train_exchange *e) {
    if (e == NULL) return;
    base_free(e->parts);
    base_free(e->buckets);
    base_free(e->memory);
    base_free(e);
}

void train_exchange_begin(train_exchange *e, const float *gradient, const float *before) {
    e->gradient = gradient;
    e->before = before;
    e->busy_before = ranks_busy(e->ranks);
    atomic_store(&e->early, 0);
    atomic_store(&e->first_complete, 0.0);
    for (size_t i = 0; i < e->part_count; i++) atomic_store(&e->parts[i].given, false);
    for (int i = 0; i < e->bucket_count; i++) {
        bucket *b = &e->buckets[i];
        atomic_store(&b->missing, b->count);
        ranks_begin_sum(e->ranks, b->data, b->count, &b->missing);
        e->times.bytes += (double)b->count * sizeof(float);
    }
}

static void give(train_exchange *e, part *p, bool zeros) {
    bucket *b = &e->buckets[p->bucket];
    float *to = b->data + p->place;
    const float *from = e->gradient + p->offset;
    if (atomic_exchange(&p->given, true)) return;
    if (zeros)
        memset(to, 0, p->count * sizeof *to);
    else if (e->before == NULL)
        memcpy(to, from, p->count * sizeof *to);
    else
        for (size_t i = 0; i < p->count; i++) to[i] = e->before[p->offset + i] + from[i];
    if (atomic_fetch_sub(&b->missing, p->count) != p->count) return;
    double none = 0.0;
    atomic_compare_exchange_strong(&e->first_complete, &none, base_now());
    atomic_fetch_add(&e->early, b->count);
    ranks_wake(e->ranks);
}

void train_exchange_ready(void *context, size_t offset, size_t count) {
    train_exchange *e = context;
    size_t low = 0, high = e->part_count;
    while (low + 1 < high) {
        size_t middle = (low + high) / 2;
        if (e->parts[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    /* Whole tensors only; anything else waits for the end. */
    if (e->parts[low].offset == offset && e->parts[low].count == count)
        give(e, &e->parts[low], false);
}

/* A step whose sum is at hand now. */
static void account(train_exchange_times *times, double last_end, double computed, double lead) {
    double now = base_now(), spent = now - last_end;
    times->steps++;
    times->exposed += now - computed;
    if (last_end == 0.0) return; /* the first one: when it began is not known */
    times->seconds += spent;
    if (times->quickest > 0.0 && spent >= times->quickest) return;
    times->quickest = spent;
    times->quickest_exposed = now - computed;
    times->quickest_lead = lead;
}

lull_status train_exchange_finish(train_exchange *e, bool zeros, float *sum, double *values,
                                  size_t count, lull_error *error) {
    double computed = base_now(), first = atomic_load(&e->first_complete);
    double lead = first > 0.0 ? computed - first : 0.0;
    e->times.early += (double)atomic_load(&e->early) * sizeof(float);
    e->times.lead += lead;
    for (size_t i = 0; i < e->part_count; i++) give(e, &e->parts[i], zeros);
    lull_status status = ranks_sum(e->ranks, values, count, error);
    if (status) return status;
    for (size_t i = 0; i < e->part_count; i++) {
        const part *p = &e->parts[i];
        memcpy(sum + p->offset, e->buckets[p->bucket].data + p->place, p->count * sizeof *sum);
    }
    account(&e->times, e->last_end, computed, lead);
    e->last_end = base_now();
    e->times.busy += ranks_busy(e->ranks) - e->busy_before;
    return LULL_OK;
}

train_exchange_times train_exchange_get_times(const train_exchange *e) {
    return e->times;
}
