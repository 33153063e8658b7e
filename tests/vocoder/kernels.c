/* Each instruction set's loops of the pitch source and the crossover against the plain ones, to the last bit, on odd
 * sizes and unaligned ends; the plain ones against the mathematics. */
#include "vocoder/kernels.h"

#include "../pitch/signals.h"

enum { LONGEST = 560, TAPS = 129 };

typedef struct arrays {
    float a[LONGEST + TAPS + VOCODER_KERNELS_PAD], b[LONGEST + VOCODER_KERNELS_PAD],
        c[LONGEST + VOCODER_KERNELS_PAD], d[LONGEST + VOCODER_KERNELS_PAD];
    float ramp[LONGEST + VOCODER_KERNELS_PAD], out[LONGEST + VOCODER_KERNELS_PAD],
        more[LONGEST + VOCODER_KERNELS_PAD];
    uint32_t turns[LONGEST + VOCODER_KERNELS_PAD];
} arrays;

static void fill(arrays *x, uint64_t seed) {
    memset(x, 0, sizeof *x);
    random_normal(seed, 0, 0, x->a, LONGEST + TAPS + VOCODER_KERNELS_PAD);
    random_normal(seed, 1, 0, x->b, LONGEST + VOCODER_KERNELS_PAD);
    random_normal(seed, 2, 0, x->c, LONGEST + VOCODER_KERNELS_PAD);
    random_normal(seed, 3, 0, x->d, LONGEST + VOCODER_KERNELS_PAD);
    for (int i = 0; i < LONGEST + VOCODER_KERNELS_PAD; i++) {
        const uint32_t counter[4] = {(uint32_t)i}, key[2] = {(uint32_t)seed};
        uint32_t words[4];
        random_philox(counter, key, words);
        x->turns[i] = words[0];
        x->ramp[i] = (float)i;
    }
}

static const int sizes[] = {1, 2, 7, 31, 32, 33, 64, 65, 128, 200, 256, 301, 553};

/* Runs kernel number `which` of a table: what it promises to write is then in out and more. */
static void run(const vocoder_kernels *k, int which, int n, arrays *x) {
    switch (which) {
    case 0:
        k->circle(x->turns + 1, x->out + 3, x->more + 1, n);
        break;
    case 1:
        k->fading_filter(x->a + 1, x->b, x->c, TAPS, x->ramp, 1.0f / 256, x->out + 3, n);
        break;
    case 2:
        k->amplitudes(x->a, x->b, 0.25f, 100, 8000, 100, x->out + 1, n);
        break;
    case 3:
        k->circle(x->turns, x->a, x->b, n);
        k->harmonics(x->c, x->d, n % 150, x->a + 1, x->b + 1, x->ramp, x->out + 3, n);
        /* Behind it there may be anything. */
        memset(x->out + 3 + n, 0, (size_t)(LONGEST + VOCODER_KERNELS_PAD - 3 - n) * sizeof(float));
        break;
    case 4:
        memcpy(x->out, x->d, sizeof x->out);
        k->filter(x->a + 1, x->b, n % 100, x->out + 3, n);
        break;
    }
}

static void twins_agree(void **state) {
    (void)state;
    int tables = 0;
    for (int t = 1; t < 3; t++) {
        const vocoder_kernels *kernels = vocoder_kernels_at(t);
        if (!kernels) continue;
        tables++;
        for (int which = 0; which < 5; which++)
            for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
                arrays plain, fast;
                fill(&plain, s);
                fast = plain;
                run(vocoder_kernels_at(0), which, sizes[s], &plain);
                run(kernels, which, sizes[s], &fast);
                if (memcmp(plain.out, fast.out, sizeof plain.out) != 0 ||
                    memcmp(plain.more, fast.more, sizeof plain.more) != 0)
                    fail_msg("%s, kernel %d, %d elements", kernels->name, which, sizes[s]);
            }
    }
    print_message("    %d table(s) compared with the plain one\n", tables);
}

static void circle_is_round(void **state) {
    (void)state;
    double worst = 0;
    for (uint32_t turn = 0, i = 0; i < 4096; i++, turn += 0x100000u + 77) {
        /* Around the borders of the quarters, too. */
        const uint32_t turns[3] = {turn, (i << 29) - 1, i << 29};
        float cosine[3], sine[3];
        vocoder_kernels_get()->circle(turns, cosine, sine, 3);
        for (int j = 0; j < 3; j++) {
            const double angle = 2 * M_PI * turns[j] * 0x1p-32;
            worst = fmax(worst, fmax(fabs(cosine[j] - cos(angle)), fabs(sine[j] - sin(angle))));
        }
    }
    assert_true(worst < 2e-7);
}

static void filters_fade(void **state) {
    (void)state;
    arrays x;
    fill(&x, 1);
    vocoder_kernels_get()->fading_filter(x.a, x.b, x.c, TAPS, x.ramp, 1.0f / 301, x.out, 301);
    for (int i = 0; i < 301; i++) {
        double first = 0, second = 0;
        for (int k = 0; k < TAPS; k++) {
            first += (double)x.b[k] * x.a[i + k];
            second += (double)x.c[k] * x.a[i + k];
        }
        assert_near(x.out[i], first + (second - first) * i / 301, 1e-4);
    }
}

static void filter_adds(void **state) {
    (void)state;
    arrays x;
    fill(&x, 3);
    memcpy(x.out, x.c, sizeof x.out);
    vocoder_kernels_get()->filter(x.a, x.b, 75, x.out, 301);
    for (int i = 0; i < 400; i++) {
        double sum = x.c[i];
        for (int k = 0; k < 75 && i < 301; k++) sum += (double)x.b[k] * x.a[i + k];
        assert_near(x.out[i], sum, 1e-4);
    }
}

static void amplitudes_fill_up(void **state) {
    (void)state;
    enum { N = 90 };
    float first[N], second[N], out[N];
    for (int i = 0; i < N; i++) {
        first[i] = (float)i / 100;
        second[i] = 1.2f - (float)i / 100;
    }
    vocoder_kernels_get()->amplitudes(first, second, 0.25f, 100, 8050, 100, out, N);
    for (int i = 0; i < N; i++) {
        const double noise = 0.75 * first[i] + 0.25 * second[i], room = (8050.0 - (i + 1) * 100);
        const double wanted = sqrt(fmax(0, 1 - noise * noise)) * fmin(1, fmax(0, room / 100));
        assert_near(out[i], wanted, 1e-5);
    }
    assert_true(out[10] > 0 && out[79] > 0 && out[79] < 0.6f && out[80] == 0);
    first[3] = second[3] = 1.5f;
    vocoder_kernels_get()->amplitudes(first, second, 0.25f, 100, 8050, 100, out, 4);
    assert_true(out[3] == 0);
}

/* A hundred harmonics, whose phases must stay those of the first. */
static void harmonics_add_up(void **state) {
    (void)state;
    enum { N = 253, COUNT = 100 };
    arrays x;
    fill(&x, 2);
    vocoder_kernels_get()->circle(x.turns, x.a, x.b, N);
    vocoder_kernels_get()->harmonics(x.c, x.d, COUNT, x.a, x.b, x.ramp, x.out, N);
    for (int i = 0; i < N; i++) {
        double sum = 0, size = 0;
        for (int h = 0; h < COUNT; h++) {
            const double amplitude = x.c[h] + (double)x.d[h] * i;
            sum += amplitude * cos(2 * M_PI * (h + 1) * (double)x.turns[i] * 0x1p-32);
            size += fabs(amplitude);
        }
        assert_near(x.out[i], sum, 2e-5 * size);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twins_agree),        cmocka_unit_test(circle_is_round),
        cmocka_unit_test(filters_fade),       cmocka_unit_test(filter_adds),
        cmocka_unit_test(amplitudes_fill_up), cmocka_unit_test(harmonics_add_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
