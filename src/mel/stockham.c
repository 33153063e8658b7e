/* Fourier transforms of any size: see stockham.h. */
#include "mel/stockham.h"

#include "base/cpu.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/vectors.h"

#include <math.h>
#include <string.h>

/* A pass of radix r takes the points x[q + s·(p + m·k)], k < r, to y[q + s·(r·p + j)], j < r, q <
 * s, p < m: their transform, turned by exp(−2πi·jp/(r·m)) (Van Loan, Computational Frameworks for
 * the Fast Fourier Transform, 1992, §1.7; decimation in frequency). s grows from 1 to size/r, m
 * shrinks to 1. Between the passes real and imaginary parts lie apart. The inverse transform is the
 * forward one with the two exchanged, going in and coming out. */
typedef struct stockham_pass {
    int radix, stride, groups; /* r, s, m */
    /* The first pass: r − 1 rows of m cosines and m sines; others: m rows of r − 1 pairs. */
    const float *factors;
    const float *roots; /* radix pairs exp(−2πi·j/r), where there is no butterfly; else NULL */
    float *scratch;     /* for those: 2·radix */
} stockham_pass;

enum { MOST_PASSES = 32, MOST_POINTS = 1 << 24 };

typedef struct stockham_set {
    void (*first)(const stockham_pass *pass, bool swap, const float *in, float *yr, float *yi);
    void (*middle)(const stockham_pass *pass, const float *xr, const float *xi, float *yr,
                   float *yi);
    void (*last)(const stockham_pass *pass, bool swap, const float *xr, const float *xi,
                 float *out);
    int (*both_ends)(bool join, const float *factors, float *z, int h);
} stockham_set;

struct mel_stockham {
    int size, count; /* complex points, passes */
    stockham_pass passes[MOST_PASSES];
    const stockham_set *sets[MOST_PASSES];
    const stockham_set *ends; /* of real transforms */
    float *factors, *roots, *scratch;
    float *ends_factors; /* [2·(size/2 + 1)] cos, then sin of −πk/size */
    float *work[2];      /* [2·size] real parts, imaginary parts */
};

/* ---- one point ------------------------------------------------------------------------------- */

#define LANES 1
#define NAME(name) name##_1
#define ATTRIBUTES
#include "mel/stockham_passes.h"
#include "mel/stockham_undefine.h"

/* re, im ← the transform of r points by its definition. */
static void by_definition(const stockham_pass *pass, const float *xr, const float *xi, int from,
                          int step, int j, float *re, float *im) {
    float sr = 0, si = 0;
    for (int k = 0, turn = 0; k < pass->radix; k++) {
        const float c = pass->roots[2 * turn], s = pass->roots[2 * turn + 1];
        const float a = xr[from + k * step], b = xi[from + k * step];
        sr += a * c - b * s;
        si += a * s + b * c;
        turn += j;
        if (turn >= pass->radix) turn -= pass->radix;
    }
    *re = sr;
    *im = si;
}

/* Neighbour q of group p alone, as the vectors compute it; in_step and out_step: floats from one
 * point's real part to the next one's. */
static void stockham_point(const stockham_pass *pass, int p, int q, const float *xr,
                           const float *xi, int in_step, float *yr, float *yi, int out_step) {
    const int r = pass->radix, s = pass->stride, m = pass->groups;
    const int from = (q + s * p) * in_step, to = (q + s * r * p) * out_step;
    float some[16], *re = some, *im = some + 8;
    if (pass->roots) {
        re = pass->scratch;
        im = re + r;
        for (int j = 0; j < r; j++)
            by_definition(pass, xr, xi, from, s * m * in_step, j, &re[j], &im[j]);
    } else {
        for (int k = 0; k < r; k++) {
            re[k] = xr[from + k * s * m * in_step];
            im[k] = xi[from + k * s * m * in_step];
        }
        butterfly_1(r, re, im);
    }
    for (int j = 0; j < r; j++) {
        if (j > 0 && m > 1) {
            const float *w = s == 1 ? pass->factors + 2 * (j - 1) * m + p
                                    : pass->factors + 2 * ((r - 1) * p + j - 1);
            turn_1(&re[j], &im[j], w[0], s == 1 ? w[m] : w[1]);
        }
        yr[to + j * s * out_step] = re[j];
        yi[to + j * s * out_step] = im[j];
    }
}

static void first_plain(const stockham_pass *pass, bool swap, const float *in, float *yr,
                        float *yi) {
    for (int p = 0; p < pass->groups; p++)
        stockham_point(pass, p, 0, in + swap, in + !swap, 2, yr, yi, 1);
}

static void middle_plain(const stockham_pass *pass, const float *xr, const float *xi, float *yr,
                         float *yi) {
    for (int p = 0; p < pass->groups; p++)
        for (int q = 0; q < pass->stride; q++) stockham_point(pass, p, q, xr, xi, 1, yr, yi, 1);
}

static void last_plain(const stockham_pass *pass, bool swap, const float *xr, const float *xi,
                       float *out) {
    for (int q = 0; q < pass->stride; q++)
        stockham_point(pass, 0, q, xr, xi, 1, out + swap, out + !swap, 2);
}

static int both_ends_plain(bool join, const float *factors, float *z, int h) {
    (void)join;
    (void)factors;
    (void)z;
    (void)h;
    return 1;
}

static const stockham_set plain_set = {first_plain, middle_plain, last_plain, both_ends_plain};

/* ---- vectors --------------------------------------------------------------------------------- */

#define LANES 4
#define NAME(name) name##_4
#define ATTRIBUTES
#define ZIP_LOW ZIP_LOW_4
#define ZIP_HIGH ZIP_HIGH_4
#define EVEN EVEN_4
#define ODD ODD_4
#define FLIP FLIP_4
#include "mel/stockham_passes.h"
#include "mel/stockham_undefine.h"

#if defined(__x86_64__)
#define LANES 4
#define NAME(name) name##_avx2_4
#define ATTRIBUTES __attribute__((target("avx2,fma")))
#define ZIP_LOW ZIP_LOW_4
#define ZIP_HIGH ZIP_HIGH_4
#define EVEN EVEN_4
#define ODD ODD_4
#define FLIP FLIP_4
#include "mel/stockham_passes.h"
#include "mel/stockham_undefine.h"

#define LANES 8
#define NAME(name) name##_avx2_8
#define ATTRIBUTES __attribute__((target("avx2,fma")))
#define ZIP_LOW ZIP_LOW_8
#define ZIP_HIGH ZIP_HIGH_8
#define EVEN EVEN_8
#define ODD ODD_8
#define FLIP FLIP_8
#include "mel/stockham_passes.h"
#include "mel/stockham_undefine.h"

#if defined(__clang__)
#define AVX512 "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma"
#else
#define AVX512 "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,prefer-vector-width=512"
#endif
#define LANES 16
#define NAME(name) name##_avx512_16
#define ATTRIBUTES __attribute__((target(AVX512)))
#define ZIP_LOW ZIP_LOW_16
#define ZIP_HIGH ZIP_HIGH_16
#define EVEN EVEN_16
#define ODD ODD_16
#define FLIP FLIP_16
#include "mel/stockham_passes.h"
#include "mel/stockham_undefine.h"
#endif

/* ---- plans ----------------------------------------------------------------------------------- */

#define SET(suffix)                                                                                \
    { run_first##suffix, run_middle##suffix, run_last##suffix, run_both_ends##suffix }

static const stockham_set set_4 = SET(_4);
#if defined(__x86_64__)
static const stockham_set set_4_avx2 = SET(_avx2_4), set_8_avx2 = SET(_avx2_8),
                          set_16_avx512 = SET(_avx512_16);
#endif

/* The set for loops of `along` neighbours. */
static const stockham_set *set_for(int along, int most_lanes) {
#if defined(__x86_64__)
    if (most_lanes >= 16 && along % 16 == 0) return &set_16_avx512;
    if (most_lanes >= 8 && along % 8 == 0) return &set_8_avx2;
    if (most_lanes >= 8 && along >= 4) return &set_4_avx2;
#endif
    return most_lanes >= 4 && along >= 4 ? &set_4 : &plain_set;
}

static const stockham_set *set_of_pass(const stockham_pass *pass, int most_lanes) {
    if (pass->stride > 1) return set_for(pass->stride, most_lanes);
    return pass->radix == 4 || pass->radix == 8 ? set_for(pass->groups, most_lanes) : &plain_set;
}

/* Floats of the widest vectors that the processor has and may use. */
static int lanes_of_cpu(void) {
    const base_cpu allowed = base_cpu_allowed();
    return allowed >= BASE_CPU_AVX512 ? 16 : allowed >= BASE_CPU_AVX2 ? 8 : 4;
}

/* Eights and fours first, so that whole vectors of neighbours follow, and one eight (or what is
 * left of the twos) last, where there are no factors to turn by. */
static int factorise(int size, int radix[MOST_PASSES]) {
    int count = 0, twos = 0, last = 0;
    for (; size % 2 == 0; size /= 2) twos++;
    const int eights = twos == 1 ? 0 : twos % 2 == 1 ? 1 : twos >= 6 ? 2 : 0;
    if (eights > 0) radix[count++] = 8;
    if (eights > 1) last = 8;
    for (twos -= 3 * eights; twos >= 2; twos -= 2) radix[count++] = 4;
    if (twos == 1) last = 2;
    for (int p = 3; p * p <= size; p += 2)
        for (; size % p == 0; size /= p) radix[count++] = p;
    if (size > 1) radix[count++] = size;
    if (last) radix[count++] = last;
    return count;
}

static bool has_butterfly(int radix) {
    return (radix >= 2 && radix <= 5) || radix == 8;
}

static void fill_factors(const stockham_pass *pass, float *factors) {
    const int r = pass->radix, m = pass->groups;
    for (int p = 0; p < m; p++)
        for (int j = 1; j < r; j++) {
            const double angle = -2 * M_PI * ((double)j * p / ((double)r * m));
            float *w = pass->stride == 1 ? factors + 2 * (j - 1) * m + p
                                         : factors + 2 * ((r - 1) * p + j - 1);
            w[0] = (float)cos(angle);
            w[pass->stride == 1 ? m : 1] = (float)sin(angle);
        }
}

/* Passes, and how much memory they need. */
static void plan(mel_stockham *t, size_t *factors, size_t *roots, int *largest) {
    int radix[MOST_PASSES];
    t->count = factorise(t->size, radix);
    *factors = *roots = 0;
    *largest = 1;
    for (int i = 0, s = 1; i < t->count; s *= radix[i++]) {
        stockham_pass *pass = &t->passes[i];
        *pass = (stockham_pass){.radix = radix[i], .stride = s, .groups = t->size / s / radix[i]};
        *factors += 2 * (size_t)(radix[i] - 1) * (size_t)pass->groups;
        if (has_butterfly(radix[i])) continue;
        *roots += 2 * (size_t)radix[i];
        if (radix[i] > *largest) *largest = radix[i];
    }
}

static void fill(mel_stockham *t, int most_lanes) {
    float *factors = t->factors, *roots = t->roots;
    for (int i = 0; i < t->count; i++) {
        stockham_pass *pass = &t->passes[i];
        pass->factors = factors;
        pass->scratch = t->scratch;
        fill_factors(pass, factors);
        factors += 2 * (pass->radix - 1) * pass->groups;
        if (!has_butterfly(pass->radix)) {
            pass->roots = roots;
            for (int j = 0; j < pass->radix; j++, roots += 2) {
                roots[0] = (float)cos(-2 * M_PI * j / pass->radix);
                roots[1] = (float)sin(-2 * M_PI * j / pass->radix);
            }
        }
        t->sets[i] = set_of_pass(pass, most_lanes);
    }
}

lull_status mel_stockham_new(int size, bool real, int most_lanes, mel_stockham **transform,
                             lull_error *error) {
    *transform = NULL;
    if (size < 1 || size > MOST_POINTS || (real && size % 2 != 0))
        return base_fail(error, LULL_INVALID,
                         "transform of %d samples: expected 1 to %d, an even number where they are "
                         "real",
                         size, MOST_POINTS);
    mel_stockham *t = base_alloc(1, sizeof *t);
    if (!t) return base_no_memory(error);
    size_t factors, roots;
    int largest;
    t->size = real ? size / 2 : size;
    plan(t, &factors, &roots, &largest);
    const int half = t->size / 2 + 1;
    t->factors = base_alloc(factors, sizeof(float));
    t->roots = base_alloc(roots, sizeof(float));
    t->scratch = base_alloc(2 * (size_t)largest, sizeof(float));
    if (real) t->ends_factors = base_alloc(2 * (size_t)half, sizeof(float));
    for (int i = 0; i < 2; i++) t->work[i] = base_alloc(2 * (size_t)t->size, sizeof(float));
    if (!t->factors || !t->roots || !t->scratch || !t->work[0] || !t->work[1] ||
        (real && !t->ends_factors)) {
        mel_stockham_free(t);
        return base_no_memory(error);
    }
    const int cpu = lanes_of_cpu();
    if (most_lanes == 0 || most_lanes > cpu) most_lanes = cpu;
    fill(t, most_lanes);
    for (int k = 0; k < half && real; k++) {
        t->ends_factors[k] = (float)cos(-M_PI * k / t->size);
        t->ends_factors[half + k] = (float)sin(-M_PI * k / t->size);
    }
    t->ends = set_for(16, most_lanes);
    *transform = t;
    return LULL_OK;
}

void mel_stockham_free(mel_stockham *transform) {
    if (!transform) return;
    base_free(transform->factors);
    base_free(transform->roots);
    base_free(transform->scratch);
    base_free(transform->ends_factors);
    for (int i = 0; i < 2; i++) base_free(transform->work[i]);
    base_free(transform);
}

void mel_stockham_run(mel_stockham *transform, bool forward, const float *in, float *out) {
    const mel_stockham *t = transform;
    const int n = t->size, last = t->count - 1;
    const bool swap = !forward;
    if (t->count == 0) {
        memmove(out, in, 2 * sizeof *out);
        return;
    }
    if (t->count == 1) {
        stockham_point(&t->passes[0], 0, 0, in + swap, in + !swap, 2, out + swap, out + !swap, 2);
        return;
    }
    const float *from = t->work[0];
    t->sets[0]->first(&t->passes[0], swap, in, t->work[0], t->work[0] + n);
    for (int i = 1; i < last; i++) {
        float *to = t->work[i & 1];
        t->sets[i]->middle(&t->passes[i], from, from + n, to, to + n);
        from = to;
    }
    t->sets[last]->last(&t->passes[last], swap, from, from + n, out);
}

/* The bins of real samples out of those of the pairs that they were transformed as, or back. */
static void both_ends(const mel_stockham *t, bool join, float *z) {
    const int h = t->size;
    const float *c = t->ends_factors, *s = c + h / 2 + 1;
    const float sum = z[0] + (join ? z[2 * h] : z[1]), difference = z[0] - (join ? z[2 * h] : z[1]);
    z[0] = sum;
    z[1] = join ? difference : 0;
    z[2 * h] = join ? 0 : difference;
    z[2 * h + 1] = 0;
    for (int k = t->ends->both_ends(join, c, z, h); k <= h / 2; k++) {
        float a[2] = {z[2 * k], z[2 * k + 1]}, b[2] = {z[2 * (h - k)], z[2 * (h - k) + 1]};
        if (join)
            join_1(&a[0], &a[1], &b[0], &b[1], c[k], s[k]);
        else
            split_1(&a[0], &a[1], &b[0], &b[1], c[k], s[k]);
        memcpy(z + 2 * (h - k), b, sizeof b);
        memcpy(z + 2 * k, a, sizeof a);
    }
}

void mel_stockham_forward(mel_stockham *transform, const float *real, float *spectrum) {
    mel_stockham_run(transform, true, real, spectrum);
    both_ends(transform, false, spectrum);
}

void mel_stockham_inverse(mel_stockham *transform, float *spectrum, float *real) {
    both_ends(transform, true, spectrum);
    mel_stockham_run(transform, false, spectrum, real);
}
