/* Speed of the kernels at the shapes that the networks have, against the FMA peak measured just
 * before. Not a test: bench_nn [TABLE…] prints one line a shape; figures are of one core. */
#include "nn/kernels.h"
#include "nn/peak.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *room(size_t bytes) {
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
    if (!p) exit(1);
    for (size_t i = 0; i < bytes / 2; i++) ((uint16_t *)p)[i] = (uint16_t)(0x3c00 + i % 512);
    return p;
}

/* Best of several runs, each long enough for the clock. */
#define TIME(best, work)                                                                           \
    do {                                                                                           \
        (best) = 1e9;                                                                              \
        for (int trial_ = 0, repeat_ = 1; trial_ < 12; trial_++) {                                 \
            double start_ = nn_thread_seconds();                                                   \
            for (int i_ = 0; i_ < repeat_; i_++) {                                                 \
                work;                                                                              \
            }                                                                                      \
            double each_ = (nn_thread_seconds() - start_) / repeat_;                               \
            if (each_ < (best)) (best) = each_;                                                    \
            if (each_ * repeat_ < 4e-3) repeat_ = (int)(4e-3 / each_) + 1;                         \
        }                                                                                          \
    } while (0)

typedef struct shape {
    int rows, k, taps, n;
} shape;

static void bench_products(const nn_kernels *table, double f32, double bf16_peak) {
    static const shape shapes[] = {
        {32, 96, 3, 192},  {128, 96, 3, 192},  {512, 96, 3, 192},  {128, 96, 1, 192},
        {128, 192, 1, 96}, {128, 96, 1, 96},   {128, 64, 3, 128},  {128, 64, 1, 128},
        {512, 64, 3, 128}, {128, 128, 3, 256}, {512, 128, 3, 256}, {128, 80, 1, 192},
        {16, 96, 3, 192},
    };
    printf("%-11s %5s %4s x%4s %4s %9s %5s %9s %5s\n", table->name, "rows", "k", "taps", "n",
           "f32 GF/s", "%", "bf16 GF/s", "%");
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        shape s = shapes[i];
        size_t rows = (size_t)s.rows + 64;
        float *a = room(rows * s.k * 4), *c = room(rows * s.n * 4), *bias = room((size_t)s.n * 4);
        bf16 *h = room(rows * s.k * 2);
        float *w = room((size_t)s.k * s.taps * s.n * 4);
        float *packed = room(table->packed_f32(s.k * s.taps, s.n) * 4);
        bf16 *packed16 = room(table->packed_bf16(s.k * s.taps, s.n) * 2);
        table->pack_f32(s.k * s.taps, s.n, w, s.n, 1, packed);
        table->pack_bf16(s.k * s.taps, s.n, w, s.n, 1, packed16);
        const float *taps[3] = {a, a + 8 * s.k, a + 16 * s.k};
        const bf16 *taps16[3] = {h, h + 8 * s.k, h + 16 * s.k};
        double seconds, seconds16, flops = 2.0 * s.rows * s.k * s.taps * s.n * 1e-9;
        TIME(seconds,
             table->product_f32(s.rows, s.n, s.k, s.taps, taps, s.k, packed, bias, false, c, s.n));
        TIME(seconds16, table->product_bf16(s.rows, s.n, s.k, s.taps, taps16, s.k, packed16, bias,
                                            false, c, s.n));
        printf("product     %5d %4d x%4d %4d %9.1f %4.0f%% %9.1f %4.0f%%\n", s.rows, s.k, s.taps,
               s.n, flops / seconds, 100 * flops / seconds / f32, flops / seconds16,
               bf16_peak > 0 ? 100 * flops / seconds16 / bf16_peak : 0);
        free(a), free(c), free(bias), free(h), free(w), free(packed), free(packed16);
    }
}

static void bench_outers(const nn_kernels *table, double f32, double bf16_peak) {
    static const shape outers[] = {/* rows, m, unused, n */
                                   {512, 96, 1, 192},  {128, 96, 1, 192}, {512, 192, 1, 96},
                                   {512, 96, 1, 96},   {512, 64, 1, 128}, {2048, 96, 1, 192},
                                   {512, 128, 1, 256}, {512, 80, 1, 192}};
    for (size_t i = 0; i < sizeof outers / sizeof outers[0]; i++) {
        shape s = outers[i];
        float *a = room((size_t)s.rows * s.k * 4), *b = room((size_t)s.rows * s.n * 4);
        float *c = room((size_t)s.k * s.n * 4);
        bf16 *a16 = room((size_t)s.rows * s.k * 2), *b16 = room((size_t)s.rows * s.n * 2);
        void *scratch = room(table->outer_scratch(s.k, s.n, s.rows));
        double seconds, seconds16, flops = 2.0 * s.rows * s.k * s.n * 1e-9;
        TIME(seconds, table->outer_f32(s.rows, s.k, s.n, a, s.k, b, s.n, c, s.n, scratch));
        TIME(seconds16, table->outer_bf16(s.rows, s.k, s.n, a16, s.k, b16, s.n, c, s.n, scratch));
        printf("outer       %5d %4d  %4s %4d %9.1f %4.0f%% %9.1f %4.0f%%\n", s.rows, s.k, "", s.n,
               flops / seconds, 100 * flops / seconds / f32, flops / seconds16,
               bf16_peak > 0 ? 100 * flops / seconds16 / bf16_peak : 0);
        free(a), free(b), free(c), free(a16), free(b16), free(scratch);
    }
}

static void bench_gates(const nn_kernels *table) {
    enum { C = 96, ROWS = 128 };
    float *h = room(ROWS * 2 * C * 4), *z = room(ROWS * C * 4), *saved = room(ROWS * 2 * C * 4);
    float *c0 = room(2 * C * 4);
    bf16 *z16 = room(ROWS * C * 2), *saved16 = room(ROWS * 2 * C * 2);
    double plain, half, save, back, conversion, swish;
#define ROWS_OF(call)                                                                              \
    for (int r = 0; r < ROWS; r++) call
    TIME(plain,
         ROWS_OF(table->gate(C, h + r * 2 * C, c0, .5f, c0, .5f, z + r * C, NULL, NULL, NULL)));
    TIME(half,
         ROWS_OF(table->gate(C, h + r * 2 * C, c0, .5f, c0, .5f, NULL, z16 + r * C, NULL, NULL)));
    TIME(save, ROWS_OF(table->gate(C, h + r * 2 * C, c0, .5f, c0, .5f, NULL, z16 + r * C, NULL,
                                   saved16 + r * 2 * C)));
    TIME(back, ROWS_OF(table->gate_backward(C, z + r * C, NULL, saved16 + r * 2 * C, NULL,
                                            saved16 + r * 2 * C, c0, .5f, c0, .5f)));
    TIME(conversion, table->to_bf16(saved, saved16, ROWS * 2 * C));
    TIME(swish, table->silu(saved, saved, ROWS * 2 * C));
    printf("ns a row of %d channels: gate %.1f, to bf16 %.1f, saving %.1f, backward %.1f; ns an "
           "element: "
           "to_bf16 %.3f, silu %.3f\n\n",
           C, 1e9 * plain / ROWS, 1e9 * half / ROWS, 1e9 * save / ROWS, 1e9 * back / ROWS,
           1e9 * conversion / (ROWS * 2 * C), 1e9 * swish / (ROWS * 2 * C));
    free(h), free(z), free(saved), free(c0), free(z16), free(saved16);
}

static void bench_table(const nn_kernels *table, double f32, double bf16_peak) {
    bench_products(table, f32, bf16_peak);
    bench_outers(table, f32, bf16_peak);
    bench_gates(table);
}

int main(int argc, char **argv) {
    double f32 = nn_peak_f32(0.2), half = nn_peak_bf16(0.2);
    printf("peak of one core: float32 %.0f GFLOP/s, bfloat16 %.0f GFLOP/s\n", f32, half);
    if (argc < 2) bench_table(nn_kernels_get(), f32, half);
    for (int i = 1; i < argc; i++) {
        const nn_kernels *table = nn_kernels_named(argv[i]);
        if (table)
            bench_table(table, f32, half);
        else
            fprintf(stderr, "%s: not known or not on this CPU\n", argv[i]);
    }
    return 0;
}
