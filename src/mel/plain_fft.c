/* A real transform whose bits are the same on every machine. */
#include "mel/plain_fft.h"

#include "base/error.h"
#include "base/memory.h"

#include <math.h>

/* Decimation in time (Cooley & Tukey 1965) by four, by two once at the top where the size is no
 * power of four. A part of size n is the spectrum of n real samples: its bins 0 … n/2 as pairs, the
 * others are conjugates. */
struct plain_fft {
    int size;
    float *cosine, *sine; /* [size] of −2πj/size */
    float *parts;         /* scratch, 2·(size + 8) floats a level of recursion */
};

typedef struct pair {
    float re, im;
} pair;

bool plain_fft_can(int size) {
    return size >= 4 && (size & (size - 1)) == 0;
}

lull_status plain_fft_new(int size, plain_fft **transform, lull_error *error) {
    *transform = NULL;
    if (!plain_fft_can(size))
        return base_fail(error, LULL_INVALID,
                         "plain transform of %d samples: expected a power of two", size);
    plain_fft *t = base_alloc(1, sizeof *t);
    if (!t) return base_no_memory(error);
    const size_t n = (size_t)size;
    t->size = size;
    t->cosine = base_alloc(n, sizeof(float));
    t->sine = base_alloc(n, sizeof(float));
    t->parts = base_alloc(4 * (n + 32), sizeof(float));
    if (!t->cosine || !t->sine || !t->parts) {
        plain_fft_free(t);
        return base_no_memory(error);
    }
    for (int j = 0; j < size; j++) {
        t->cosine[j] = (float)cos(-2 * M_PI * j / size);
        t->sine[j] = (float)sin(-2 * M_PI * j / size);
    }
    *transform = t;
    return LULL_OK;
}

void plain_fft_free(plain_fft *transform) {
    if (!transform) return;
    base_free(transform->cosine);
    base_free(transform->sine);
    base_free(transform->parts);
    base_free(transform);
}

static pair turned(const plain_fft *t, pair x, int j) {
    const float c = t->cosine[j], s = t->sine[j];
    return (pair){c * x.re - s * x.im, c * x.im + s * x.re};
}

/* k = m/2: the parts' bins are real there, and their factors 1, √½(1 − i), −i and −√½(1 + i). */
static void middle_of_four(const pair *parts, int row, int m, pair *out) {
    const float a = parts[0].re, b = parts[row].re, c = parts[2 * row].re, d = parts[3 * row].re;
    const float root = 0.707106781f, difference = root * (b - d), sum = root * (b + d);
    out[m] = (pair){a - difference, c - sum};
    out[0] = (pair){a + difference, -(c + sum)};
}

/* X[k] = (a + c) + (b + d), X[k + m] = (a − c) − i(b − d), X[k + 2m] = (a + c) − (b + d), X[k + 3m]
 * = (a − c) + i(b − d), of the four parts' bins k turned by the twiddle factors. The upper two are
 * kept as the conjugates that they are of bins 2m − k and m − k. */
static void combine_four(const plain_fft *t, int n, const pair *parts, pair *out) {
    const int m = n / 4, row = m / 2 + 1, step = t->size / n;
    const int half = m % 2 == 0 ? m / 2 : m;
    for (int k = 0; k <= m / 2; k++) {
        if (k == half) {
            middle_of_four(parts + k, row, m, out + k);
            break;
        }
        const pair a = parts[k], b = turned(t, parts[row + k], k * step);
        const pair c = turned(t, parts[2 * row + k], 2 * k * step),
                   d = turned(t, parts[3 * row + k], 3 * k * step);
        const pair ac = {a.re + c.re, a.im + c.im}, bd = {b.re + d.re, b.im + d.im};
        const pair a_c = {a.re - c.re, a.im - c.im}, b_d = {b.re - d.re, b.im - d.im};
        out[m - k] = (pair){a_c.re - b_d.im, -(a_c.im + b_d.re)};
        out[2 * m - k] = (pair){ac.re - bd.re, -(ac.im - bd.im)};
        out[m + k] = (pair){a_c.re + b_d.im, a_c.im - b_d.re};
        out[k] = (pair){ac.re + bd.re, ac.im + bd.im};
    }
}

static void combine_two(const plain_fft *t, int n, const pair *parts, pair *out) {
    const int m = n / 2, row = m / 2 + 1, step = t->size / n;
    for (int k = 0; k <= m / 2; k++) {
        const pair a = parts[k], b = turned(t, parts[row + k], k * step);
        out[m - k] = (pair){a.re - b.re, -(a.im - b.im)};
        out[k] = (pair){a.re + b.re, a.im + b.im};
    }
}

/* Every stride-th of n·stride samples. */
static void transform(const plain_fft *t, int n, int stride, const float *x, pair *out,
                      pair *scratch) {
    if (n == 1) {
        out[0] = (pair){x[0], 0};
        return;
    }
    const bool four = __builtin_ctz((unsigned)n) % 2 == 0;
    const int radix = four ? 4 : 2, m = n / radix, row = m / 2 + 1;
    for (int p = 0; p < radix; p++)
        transform(t, m, stride * radix, x + p * stride, scratch + p * row, scratch + radix * row);
    if (four)
        combine_four(t, n, scratch, out);
    else
        combine_two(t, n, scratch, out);
}

void plain_fft_forward(plain_fft *transform_, const float *real, float *spectrum) {
    transform(transform_, transform_->size, 1, real, (pair *)spectrum, (pair *)transform_->parts);
}
