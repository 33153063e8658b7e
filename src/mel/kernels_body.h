/* The loops of mel/kernels.h for vectors of WIDTH floats: included by kernels.c once for each
 * instruction set, with WIDTH, NAME (which puts the set's suffix on a name) and ATTRIBUTES defined.
 * Plain loops are left to the compiler; what it does not see by itself is written with vectors and
 * shuffles. Products and sums are never contracted, and their order does not depend on WIDTH: every
 * set gives the same bits. */

typedef float NAME(lanes) __attribute__((vector_size(4 * WIDTH), aligned(4), may_alias));
#define lanes NAME(lanes)
typedef float NAME(tile) __attribute__((vector_size(32), aligned(4), may_alias));
#define tile NAME(tile)

/* Vectors at any address. */
#define LOAD(p) (*(const lanes *)(p))
#define STORE(p, v) (*(lanes *)(p) = (v))

#define HELPER ATTRIBUTES static inline __attribute__((always_inline))
#define FUNCTION ATTRIBUTES static

#if WIDTH == 16
#define EVEN EVEN_16
#define ODD ODD_16
#define ZIP_LOW ZIP_LOW_16
#define ZIP_HIGH ZIP_HIGH_16
#define REVERSED REVERSED_16
#define CONJUGATE                                                                                  \
    { 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1 }
#elif WIDTH == 8
#define EVEN EVEN_8
#define ODD ODD_8
#define ZIP_LOW ZIP_LOW_8
#define ZIP_HIGH ZIP_HIGH_8
#define REVERSED REVERSED_8
#define CONJUGATE                                                                                  \
    { 1, -1, 1, -1, 1, -1, 1, -1 }
#else
#define EVEN EVEN_4
#define ODD ODD_4
#define ZIP_LOW ZIP_LOW_4
#define ZIP_HIGH ZIP_HIGH_4
#define REVERSED REVERSED_4
#define CONJUGATE                                                                                  \
    { 1, -1, 1, -1 }
#endif

#define SET(c) (c)
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))

/* 2^x for |x| ≤ 127: x = n + r, |r| ≤ 1/2, 2^r by its polynomial, then n added to the exponent in the
 * float's bits. */
HELPER float NAME(fast_power_of_2)(float x) {
    /* Adding 1.5·2²³ rounds to the nearest integer, and leaves it in the lowest bits. */
    const float shifter = 12582912.0f, shifted = x + shifter;
    const float r = x - (shifted - shifter);
    const float p = BASE_POWER_OF_2(r, SET, MULTIPLY_ADD);
    uint32_t whole, bits;
    memcpy(&whole, &shifted, sizeof whole);
    memcpy(&bits, &p, sizeof bits);
    bits += whole << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return power;
}
#undef SET
#undef MULTIPLY_ADD

/* ln x for positive normal x: x = 2^n·m, √½ ≤ m < √2; ln m = 2·artanh s, s = (m−1)/(m+1), to s⁹. */
HELPER float NAME(fast_log)(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    /* 0x3f3504f3 is √½: what is above it carries into the exponent. */
    const int32_t n = (int32_t)(bits - 0x3f3504f3u) >> 23;
    bits -= (uint32_t)n << 23;
    float m;
    memcpy(&m, &bits, sizeof m);
    const float s = (m - 1.0f) / (m + 1.0f);
    const float q = s * s;
    float p = 2.0f / 9;
    p = p * q + 2.0f / 7;
    p = p * q + 2.0f / 5;
    p = p * q + 2.0f / 3;
    p = p * q;
    return (float)n * 0.693147181f + (s * 2.0f + s * p);
}

FUNCTION void NAME(product)(const float *restrict a, const float *restrict b, float *restrict out,
                            int n) {
    for (int i = 0; i < n; i++) out[i] = a[i] * b[i];
}

FUNCTION void NAME(add)(const float *restrict a, float *restrict out, int n) {
    for (int i = 0; i < n; i++) out[i] += a[i];
}

FUNCTION void NAME(scale)(const float *restrict a, float *restrict out, int n) {
    for (int i = 0; i < n; i++) out[i] *= a[i];
}

FUNCTION void NAME(magnitude)(const float *restrict spectrum, float epsilon,
                              float *restrict magnitude, int bins) {
    for (int k = 0; k < bins; k++) {
        const float re = spectrum[2 * k], im = spectrum[2 * k + 1];
        magnitude[k] = sqrtf(re * re + im * im + epsilon);
    }
}

FUNCTION void NAME(pull)(const float *restrict target, const float *restrict weight,
                         const float *restrict floor, float *restrict magnitude,
                         float *restrict pull, int bins) {
    for (int k = 0; k < bins; k++) {
        const float m = magnitude[k];
        float q = weight[k] * (target[k] - 0.5f * NAME(fast_log)(m * m + floor[k]));
        q = q < -MEL_PULL_LIMIT ? -MEL_PULL_LIMIT : q;
        q = q > MEL_PULL_LIMIT ? MEL_PULL_LIMIT : q;
        pull[k] = NAME(fast_power_of_2)(q * 1.44269504f);
        magnitude[k] = m * pull[k];
    }
}

/* Eight columns at a time whatever the width, row after row. */
FUNCTION void NAME(tiles)(const mel_tiles *tiles, const float *x, float *y, int columns) {
    for (int t = 0; 8 * t < columns; t++) {
        const float *weights = tiles->weights + 8 * tiles->first[t], *row = x + tiles->from[t];
        tile sum = {0};
        for (int i = 0; i < tiles->rows[t]; i++) sum += *(const tile *)(weights + 8 * i) * row[i];
        if (columns - 8 * t >= 8)
            *(tile *)(y + 8 * t) = sum;
        else
            memcpy(y + 8 * t, &sum, (size_t)(columns - 8 * t) * sizeof(float));
    }
}

FUNCTION void NAME(log_ratio)(const float *restrict wanted, const float *restrict mel, float lowest,
                              float highest, float *restrict out, int n) {
    for (int i = 0; i < n; i++) {
        float m = mel[i];
        m = m < lowest ? lowest : m;
        m = m > highest ? highest : m;
        out[i] = wanted[i] - NAME(fast_log)(m);
    }
}

/* Logarithms to base 2, and limited, at the nodes, of which there are fewer than bins. */
FUNCTION void NAME(interpolated_gain)(const mel_filterbank *f, const float *restrict values,
                                      const float *restrict scale, float *restrict gain, int bins) {
    float node[MEL_MAX_BANDS];
    for (int j = 0; j < f->nodes; j++) {
        float x = values[j] * 1.44269504f;
        x = x < -125.0f ? -125.0f : x;
        node[j] = x > 127.0f ? 127.0f : x;
    }
    NAME(tiles)(&f->interpolation, node, gain, bins);
    for (int k = 0; k < bins; k++) gain[k] = scale[k] * NAME(fast_power_of_2)(gain[k]);
}

FUNCTION void NAME(apply_gain)(float *restrict spectrum, const float *restrict gain, int bins) {
    for (int k = 0; k < bins; k++) {
        spectrum[2 * k] *= gain[k];
        spectrum[2 * k + 1] *= gain[k];
    }
}

FUNCTION void NAME(pair_window)(const float *restrict window, const float *a, const float *b,
                                float *restrict frames, int size) {
    int i = 0;
    for (; i + WIDTH <= size; i += WIDTH) {
        const lanes w = LOAD(window + i), x = LOAD(a + i) * w, y = LOAD(b + i) * w;
        STORE(frames + 2 * i, ZIP_LOW(x, y));
        STORE(frames + 2 * i + WIDTH, ZIP_HIGH(x, y));
    }
    for (; i < size; i++) {
        frames[2 * i] = a[i] * window[i];
        frames[2 * i + 1] = b[i] * window[i];
    }
}

HELPER lanes NAME(root)(lanes x) {
    float each[WIDTH];
    memcpy(each, &x, sizeof x);
    for (int i = 0; i < WIDTH; i++) each[i] = sqrtf(each[i]);
    memcpy(&x, each, sizeof x);
    return x;
}

/* With Z the spectrum of a + ib, that of a is (Z[k] + Z*[n−k])/2, that of b (Z[k] − Z*[n−k])/2i. */
FUNCTION void NAME(pair_magnitude)(float *restrict z, float epsilon, float *restrict a,
                                   float *restrict b, int size, int bins) {
    /* So that bin 0 is no exception. */
    z[2 * size] = z[0];
    z[2 * size + 1] = z[1];
    const lanes conjugate = CONJUGATE;
    int k = 0;
    for (; k + WIDTH <= bins; k += WIDTH) {
        const lanes p0 = LOAD(z + 2 * k), p1 = LOAD(z + 2 * k + WIDTH);
        const lanes r0 = LOAD(z + 2 * (size - k) + 2 - WIDTH),
                    r1 = LOAD(z + 2 * (size - k) + 2 - 2 * WIDTH);
        const lanes q0 = REVERSED(r0) * conjugate, q1 = REVERSED(r1) * conjugate;
        const lanes a0 = p0 + q0, a1 = p1 + q1, b0 = p0 - q0, b1 = p1 - q1;
        const lanes aa0 = a0 * a0, aa1 = a1 * a1, bb0 = b0 * b0, bb1 = b1 * b1;
        STORE(a + k, NAME(root)((EVEN(aa0, aa1) + ODD(aa0, aa1)) * 0.25f + epsilon));
        STORE(b + k, NAME(root)((EVEN(bb0, bb1) + ODD(bb0, bb1)) * 0.25f + epsilon));
    }
    for (; k < bins; k++) {
        const float *p = z + 2 * k, *q = z + 2 * (size - k);
        const float ar = p[0] + q[0], ai = p[1] - q[1], br = p[0] - q[0], bi = p[1] + q[1];
        a[k] = sqrtf(0.25f * (ar * ar + ai * ai) + epsilon);
        b[k] = sqrtf(0.25f * (br * br + bi * bi) + epsilon);
    }
}

/* Z'[k] = s·Z[k] + d·Z*[n−k] and Z'[n−k] = s·Z[n−k] + d·Z*[k], s and d half the gains' sum and
 * difference. */
FUNCTION void NAME(pair_gain)(float *restrict z, const float *restrict a, const float *restrict b,
                              int size, int bins) {
    const int half = size / 2, end = bins < half ? bins : half;
    z[2 * size] = z[0];
    z[2 * size + 1] = z[1];
    const lanes conjugate = CONJUGATE;
    int k = 0;
    for (; k + WIDTH <= end; k += WIDTH) {
        const lanes ga = LOAD(a + k) * 0.5f, gb = LOAD(b + k) * 0.5f;
        const lanes sum = ga + gb, difference = ga - gb;
        const lanes s0 = ZIP_LOW(sum, sum), s1 = ZIP_HIGH(sum, sum);
        const lanes d0 = ZIP_LOW(difference, difference) * conjugate;
        const lanes d1 = ZIP_HIGH(difference, difference) * conjugate;
        float *low = z + 2 * k, *high = z + 2 * (size - k) + 2 - 2 * WIDTH;
        const lanes p0 = LOAD(low), p1 = LOAD(low + WIDTH);
        const lanes r1 = LOAD(high), r0 = LOAD(high + WIDTH);
        const lanes q0 = REVERSED(r0), q1 = REVERSED(r1);
        STORE(low, s0 * p0 + d0 * q0);
        STORE(low + WIDTH, s1 * p1 + d1 * q1);
        const lanes h0 = s0 * q0 + d0 * p0, h1 = s1 * q1 + d1 * p1;
        STORE(high, REVERSED(h1));
        STORE(high + WIDTH, REVERSED(h0));
    }
    for (; k < bins; k++) {
        float *p = z + 2 * k, *q = z + 2 * (size - k);
        const float s = 0.5f * a[k] + 0.5f * b[k], d = 0.5f * a[k] - 0.5f * b[k];
        const float pr = p[0], pi = p[1], qr = q[0], qi = q[1];
        p[0] = s * pr + d * qr;
        p[1] = s * pi - d * qi;
        q[0] = s * qr + d * pr;
        q[1] = s * qi - d * pi;
        if (k == half) { /* p and q are the same number: (ga·Re, gb·Im) */
            p[0] = a[k] * pr;
            p[1] = b[k] * pi;
        }
    }
    if (bins <= half) memset(z + 2 * bins, 0, 2 * (size_t)(size - 2 * bins + 1) * sizeof(float));
}

FUNCTION void NAME(pair_momentum)(const float *restrict window, const float *restrict x,
                                  float momentum, float *restrict previous, float *restrict frame,
                                  int size) {
    for (int i = 0; i < size; i++) {
        const float r = window[i] * x[2 * i];
        frame[i] = r + momentum * (r - previous[i]);
        previous[i] = r;
    }
}

static const mel_kernels NAME(kernels) = {
    .name = NAME_STRING,
    .product = NAME(product),
    .add = NAME(add),
    .scale = NAME(scale),
    .pull = NAME(pull),
    .magnitude = NAME(magnitude),
    .tiles = NAME(tiles),
    .log_ratio = NAME(log_ratio),
    .interpolated_gain = NAME(interpolated_gain),
    .apply_gain = NAME(apply_gain),
    .pair_window = NAME(pair_window),
    .pair_magnitude = NAME(pair_magnitude),
    .pair_gain = NAME(pair_gain),
    .pair_momentum = NAME(pair_momentum),
};

#undef lanes
#undef tile
#undef LOAD
#undef STORE
#undef HELPER
#undef FUNCTION
#undef EVEN
#undef ODD
#undef ZIP_LOW
#undef ZIP_HIGH
#undef REVERSED
#undef CONJUGATE
