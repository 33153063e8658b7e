/* Samplers against closed forms. Data N(m, d²) has an exact denoiser, affine in x, for every
 * objective. Every plan is linear then, so that the distribution of what it makes is a Gaussian
 * whose mean and variance follow exactly from the plan's coefficients; drawing samples shows that
 * diffusion_stage_apply does what they say. */
#include "base/random.h"
#include "diffusion/sampler.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

typedef struct gaussian {
    double mean, deviation;
} gaussian;

static const gaussian speech = {0.7, 0.4};

static const diffusion_schedule diffwave = {DIFFUSION_BETAS, 50, 1e-4, 0.05};
static const diffusion_schedule long_betas = {DIFFUSION_BETAS, 1000, 1e-4,
                                              0.02}; /* Ho et al. 2020, §4 */
static const diffusion_schedule angle = {.kind = DIFFUSION_ANGLE};
static const diffusion_schedule linear = {.kind = DIFFUSION_LINEAR};

/* u = slope·x + offset: the exact denoiser at time t. E[x0 | x] = m + g·(x − a·m), g = a·d²/(a²d² +
 * s²), and E[ε | x] = (x − a·E[x0 | x])/s, written without dividing by s. */
static void denoiser(diffusion_objective objective, const diffusion_schedule *schedule, double t,
                     double *slope, double *offset) {
    diffusion_levels l = diffusion_schedule_levels(schedule, t);
    double m = speech.mean, d2 = speech.deviation * speech.deviation,
           total = l.a * l.a * d2 + l.s * l.s;
    double x0_slope = l.a * d2 / total, x0_offset = m - x0_slope * l.a * m;
    double eps_slope = l.s / total, eps_offset = -eps_slope * l.a * m, p, q;
    diffusion_target(objective, l, &p, &q);
    *slope = p * x0_slope + q * eps_slope;
    *offset = p * x0_offset + q * eps_offset;
}

/* Mean, and the covariance of (x, carry), through the plan. */
static gaussian propagate(const diffusion_plan *plan, diffusion_objective objective,
                          const diffusion_schedule *schedule) {
    double mx = 0, mc = 0, vxx = 1, vxc = 0, vcc = 0;
    for (int k = 0; k < plan->count; k++) {
        const diffusion_stage *s = &plan->stages[k];
        double slope, offset;
        denoiser(objective, schedule, s->t, &slope, &offset);
        double xx = s->x_x + s->x_u * slope, xc = s->x_carry;
        double cx = s->carry_x + s->carry_u * slope;
        bool keeps = s->carry_x == 0 && s->carry_u == 0;
        double nx = xx * mx + xc * mc + s->x_u * offset,
               nc = keeps ? mc : cx * mx + s->carry_u * offset;
        double nxx =
            xx * xx * vxx + 2 * xx * xc * vxc + xc * xc * vcc + (double)s->x_noise * s->x_noise;
        double nxc = keeps ? xx * vxc + xc * vcc : cx * (xx * vxx + xc * vxc);
        vcc = keeps ? vcc : cx * cx * vxx;
        mx = nx, mc = nc, vxx = nxx, vxc = nxc;
    }
    return (gaussian){mx, sqrt(vxx)};
}

static gaussian result(lull_sampler sampler, diffusion_objective objective,
                       const diffusion_schedule *schedule, int steps, double eta) {
    diffusion_plan *plan;
    lull_error error;
    if (diffusion_plan_new(sampler, objective, schedule, steps, eta, &plan, &error))
        fail_msg("%s", error.message);
    gaussian g = propagate(plan, objective, schedule);
    diffusion_plan_free(plan);
    return g;
}

static void expect(const char *what, gaussian is, double mean, double deviation, double tolerance) {
    print_message("  %-34s mean %.5f deviation %.5f\n", what, is.mean, is.deviation);
    assert_true(fabs(is.mean - mean) <= tolerance);
    assert_true(fabs(is.deviation - deviation) <= tolerance);
}

/* ---- what is recovered from a prediction ---- */

static void recovers(void **state) {
    (void)state;
    const struct {
        diffusion_objective objective;
        const diffusion_schedule *schedule;
        double t;
    } cases[] = {{DIFFUSION_NOISE, &diffwave, 0},  {DIFFUSION_NOISE, &diffwave, 31.4},
                 {DIFFUSION_NOISE, &diffwave, 49}, {DIFFUSION_V, &angle, 0},
                 {DIFFUSION_V, &angle, 0.37},      {DIFFUSION_V, &diffwave, 20},
                 {DIFFUSION_FLOW, &linear, 0},     {DIFFUSION_FLOW, &linear, 0.8},
                 {DIFFUSION_DATA, &angle, 0.1},    {DIFFUSION_DATA, &linear, 0.9}};
    const double x0 = -0.3, eps = 1.7;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        diffusion_levels l = diffusion_schedule_levels(cases[i].schedule, cases[i].t);
        double p, q, x0_x, x0_u, eps_x, eps_u;
        diffusion_target(cases[i].objective, l, &p, &q);
        diffusion_recover(cases[i].objective, l, &x0_x, &x0_u, &eps_x, &eps_u);
        double x = l.a * x0 + l.s * eps, u = p * x0 + q * eps;
        assert_true(fabs(x0_x * x + x0_u * u - x0) < 1e-9);
        assert_true(fabs(eps_x * x + eps_u * u - eps) < 1e-9);
    }
}

static void levels(void **state) {
    (void)state;
    /* √ᾱ after three of DiffWave's steps, by hand: β = 1e-4, 1e-4 + 0.0499/49, 1e-4 + 2·0.0499/49.
     */
    double b = 0.0499 / 49, root = sqrt((1 - 1e-4) * (1 - 1e-4 - b) * (1 - 1e-4 - 2 * b));
    diffusion_levels l = diffusion_schedule_levels(&diffwave, 2);
    assert_true(fabs(l.a - root) < 1e-12 && fabs(l.a * l.a + l.s * l.s - 1) < 1e-12);
    double low = diffusion_schedule_levels(&diffwave, 7).a,
           high = diffusion_schedule_levels(&diffwave, 8).a;
    assert_true(fabs(diffusion_schedule_levels(&diffwave, 7.3).a - (0.7 * low + 0.3 * high)) <
                1e-12);
    l = diffusion_schedule_levels(&angle, 1.0 / 3);
    assert_true(fabs(l.a - 0.5) < 1e-12 && fabs(l.s - sqrt(0.75)) < 1e-12);
    l = diffusion_schedule_levels(&linear, 0.25);
    assert_true(l.a == 0.25 && l.s == 0.75);
}

/* ---- with many steps every sampler draws from the data's distribution ---- */

static void many_steps(void **state) {
    (void)state;
    const double m = speech.mean, d = speech.deviation;
    /* On betas some signal is left at the start (√ᾱ = 0.0064 at T = 1000): below 0.5 % of the mean.
     */
    expect("ddpm, noise, 1000 steps", result(LULL_SAMPLER_DDPM, DIFFUSION_NOISE, &long_betas, 6, 0),
           m, d, 5e-3);
    for (int i = 0; i <= 2; i++) {
        char what[64];
        snprintf(what, sizeof what, "ddim, noise, eta %.1f, 1000 steps", i / 2.0);
        expect(what, result(LULL_SAMPLER_DDIM, DIFFUSION_NOISE, &long_betas, 1000, i / 2.0), m, d,
               5e-3);
    }
    expect("ddpm, v, 1000 steps", result(LULL_SAMPLER_DDPM, DIFFUSION_V, &angle, 1000, 0), m, d,
           5e-3);
    expect("ddpm, flow, 1000 steps", result(LULL_SAMPLER_DDPM, DIFFUSION_FLOW, &linear, 1000, 0), m,
           d, 5e-3);
    expect("ddpm, data, 1000 steps", result(LULL_SAMPLER_DDPM, DIFFUSION_DATA, &angle, 1000, 0), m,
           d, 5e-3);
    expect("ddim, v, eta 0, 1000 steps", result(LULL_SAMPLER_DDIM, DIFFUSION_V, &angle, 1000, 0), m,
           d, 5e-3);
    expect("ddim, flow, eta 0, 1000 steps",
           result(LULL_SAMPLER_DDIM, DIFFUSION_FLOW, &linear, 1000, 0), m, d, 5e-3);
    expect("ddim, data, eta 0, 1000 steps",
           result(LULL_SAMPLER_DDIM, DIFFUSION_DATA, &angle, 1000, 0), m, d, 5e-3);
    expect("euler, flow, 1000 steps", result(LULL_SAMPLER_EULER, DIFFUSION_FLOW, &linear, 1000, 0),
           m, d, 5e-3);
    expect("euler, v, 1000 steps", result(LULL_SAMPLER_EULER, DIFFUSION_V, &angle, 1000, 0), m, d,
           5e-3);
    expect("heun, flow, 100 steps", result(LULL_SAMPLER_HEUN, DIFFUSION_FLOW, &linear, 100, 0), m,
           d, 5e-3);
    /* The ancestral variance is a limit of small steps: three times the steps, a third of what is
     * missing. */
    double few = d - result(LULL_SAMPLER_DDPM, DIFFUSION_V, &angle, 300, 0).deviation;
    double many = d - result(LULL_SAMPLER_DDPM, DIFFUSION_V, &angle, 900, 0).deviation;
    assert_true(few > 0 && few / many > 2.7 && few / many < 3.3);
    expect("heun, v, 100 steps", result(LULL_SAMPLER_HEUN, DIFFUSION_V, &angle, 100, 0), m, d,
           5e-3);
}

/* Heun is of second order, Euler of first: ten times the steps, a hundredth and a tenth of the
 * error. */
static void orders(void **state) {
    (void)state;
    const double d = speech.deviation;
    double euler = result(LULL_SAMPLER_EULER, DIFFUSION_FLOW, &linear, 20, 0).deviation - d;
    double euler_fine = result(LULL_SAMPLER_EULER, DIFFUSION_FLOW, &linear, 200, 0).deviation - d;
    double heun = result(LULL_SAMPLER_HEUN, DIFFUSION_FLOW, &linear, 20, 0).deviation - d;
    double heun_fine = result(LULL_SAMPLER_HEUN, DIFFUSION_FLOW, &linear, 200, 0).deviation - d;
    print_message("  euler %.2g %.2g, heun %.2g %.2g\n", euler, euler_fine, heun, heun_fine);
    assert_true(euler / euler_fine > 7 && euler / euler_fine < 13);
    assert_true(heun / heun_fine > 60 && heun / heun_fine < 140);
    assert_true(fabs(heun) < fabs(euler) / 5);
}

/* On continuous schedules eta = 1 keeps nothing of x but its estimate of speech. Its exact law: x'
 * = a'·E[x0 | x] + s'·ε, so with data N(0, 1) and the angle schedule the variance goes v' =
 * (a'·a)²·v + s'²; the last step takes the estimate alone. The spread comes out too small (towards
 * √½ for many steps): what is gained is that errors of the network are forgotten. This pins what
 * the sampler does and that a reader is told so. */
static void forgetting(void **state) {
    (void)state;
    const double half_pi = 1.57079632679489661923, m = speech.mean,
                 d2 = speech.deviation * speech.deviation;
    enum { STEPS = 6 };
    double mean = 0, v = 1;
    for (int k = 0; k < STEPS; k++) {
        double a = sin(k * half_pi / STEPS), s = cos(k * half_pi / STEPS);
        double to_a = sin((k + 1) * half_pi / STEPS),
               to_s = k + 1 < STEPS ? cos((k + 1) * half_pi / STEPS) : 0;
        double g = a * d2 / (a * a * d2 + s * s);
        mean = to_a * (m + g * (mean - a * m));
        v = to_a * to_a * g * g * v + to_s * to_s;
    }
    expect("ddim, v, eta 1, 6 steps", result(LULL_SAMPLER_DDIM, DIFFUSION_V, &angle, STEPS, 1),
           mean, sqrt(v), 1e-6);
    assert_true(sqrt(v) < speech.deviation);
    /* Between the two, eta keeps the level of noise: the mean is exact for every eta when the
     * denoiser is. */
    for (int i = 0; i <= 4; i++)
        assert_true(fabs(result(LULL_SAMPLER_DDIM, DIFFUSION_V, &angle, 500, i / 4.0).mean - m) <
                    3e-3);
}

/* ---- one step, and few ---- */

static void one_step(void **state) {
    (void)state;
    const struct {
        lull_sampler sampler;
        diffusion_objective objective;
        const diffusion_schedule *schedule;
    } cases[] = {
        {LULL_SAMPLER_DDIM, DIFFUSION_V, &angle},     {LULL_SAMPLER_DDPM, DIFFUSION_V, &angle},
        {LULL_SAMPLER_DDIM, DIFFUSION_FLOW, &linear}, {LULL_SAMPLER_EULER, DIFFUSION_FLOW, &linear},
        {LULL_SAMPLER_HEUN, DIFFUSION_FLOW, &linear}, {LULL_SAMPLER_DDIM, DIFFUSION_DATA, &angle}};
    /* From pure noise the best guess is the mean, with no spread. */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int eta = 0; eta <= 1; eta++)
            expect("one step",
                   result(cases[i].sampler, cases[i].objective, cases[i].schedule, 1, eta),
                   speech.mean, 0, 1e-6);
    gaussian g = result(LULL_SAMPLER_DDIM, DIFFUSION_NOISE, &long_betas, 1, 0);
    assert_true(fabs(g.mean - speech.mean) < 0.01 && g.deviation < 0.01);
    /* Euler's one step in φ goes further than 1: a quarter of a circle is longer than its radius.
     */
    expect("one step of euler, v", result(LULL_SAMPLER_EULER, DIFFUSION_V, &angle, 1, 0),
           1.57079632679489661923 * speech.mean, 1, 1e-6);
}

static void any_number_of_steps(void **state) {
    (void)state;
    for (int steps = 1; steps <= 120; steps++) {
        diffusion_plan *plan;
        assert_int_equal(diffusion_plan_new(LULL_SAMPLER_DDIM, DIFFUSION_NOISE, &diffwave, steps,
                                            0.5, &plan, NULL),
                         LULL_OK);
        assert_int_equal(plan->count, steps);
        for (int k = 0; k < steps; k++) {
            const diffusion_stage *stage = &plan->stages[k];
            assert_true(stage->t >= 0 && stage->t <= 49 && isfinite(stage->x_x) &&
                        isfinite(stage->x_u));
            assert_true(k == 0 ? stage->t == 49 : stage->t < plan->stages[k - 1].t);
        }
        assert_int_equal(plan->noise_rows,
                         steps); /* every step but the last draws, and the start */
        assert_int_equal(plan->stages[steps - 1].noise_row, -1);
        diffusion_plan_free(plan);
    }
}

/* ---- relations between samplers ---- */

static void same_plan(const diffusion_plan *a, const diffusion_plan *b, double tolerance) {
    assert_int_equal(a->count, b->count);
    for (int k = 0; k < a->count; k++) {
        const diffusion_stage *p = &a->stages[k], *q = &b->stages[k];
        assert_true(fabs(p->t - q->t) < 1e-9 && fabs(p->x_x - q->x_x) <= tolerance &&
                    fabs(p->x_u - q->x_u) <= tolerance &&
                    fabs(p->x_noise - q->x_noise) <= tolerance);
        assert_int_equal(p->noise_row, q->noise_row);
    }
}

/* DDIM with η = 1 on the whole schedule is DDPM with the variance β̃ (Song et al. 2021, §4.1). */
static void ddim_is_ddpm(void **state) {
    (void)state;
    diffusion_plan *ddim, *ddpm;
    diffusion_plan_new(LULL_SAMPLER_DDIM, DIFFUSION_NOISE, &diffwave, 50, 1, &ddim, NULL);
    diffusion_plan_new(LULL_SAMPLER_DDPM, DIFFUSION_NOISE, &diffwave, 6, 0, &ddpm, NULL);
    same_plan(ddim, ddpm, 0);
    diffusion_plan_free(ddim);
    diffusion_plan_free(ddpm);
}

/* The coefficients of Ho et al. 2020, algorithm 2, as printed there. */
static void algorithm_2(void **state) {
    (void)state;
    diffusion_plan *plan;
    diffusion_plan_new(LULL_SAMPLER_DDPM, DIFFUSION_NOISE, &diffwave, 6, 0, &plan, NULL);
    assert_int_equal(plan->count, 50);
    double bar[50], product = 1;
    for (int t = 0; t < 50; t++) bar[t] = product *= 1 - (1e-4 + (0.05 - 1e-4) * t / 49);
    for (int k = 0; k < 50; k++) {
        int t = 49 - k;
        double b = 1e-4 + (0.05 - 1e-4) * t / 49, before = t ? bar[t - 1] : 1;
        const diffusion_stage *stage = &plan->stages[k];
        assert_true(stage->t == t);
        assert_true(fabs(stage->x_x - 1 / sqrt(1 - b)) < 1e-6);
        assert_true(fabs(stage->x_u + b / sqrt(1 - bar[t]) / sqrt(1 - b)) < 1e-6);
        assert_true(fabs(stage->x_noise - sqrt((1 - before) / (1 - bar[t]) * b)) < 1e-6);
    }
    diffusion_plan_free(plan);
}

/* DDIM on v without noise is a rotation by the angle between two steps (Salimans & Ho 2022, eq.
 * 34). */
static void ddim_rotates(void **state) {
    (void)state;
    diffusion_plan *plan;
    diffusion_plan_new(LULL_SAMPLER_DDIM, DIFFUSION_V, &angle, 7, 0, &plan, NULL);
    double delta = 1.57079632679489661923 / 7;
    assert_int_equal(plan->noise_rows, 1);
    for (int k = 0; k < 7; k++) {
        assert_true(fabs(plan->stages[k].x_x - cos(delta)) < 1e-6);
        assert_true(fabs(plan->stages[k].x_u - sin(delta)) < 1e-6);
        assert_int_equal(plan->stages[k].noise_row, -1);
    }
    diffusion_plan_free(plan);
    /* On the straight path it is Euler's step. */
    diffusion_plan *euler;
    diffusion_plan_new(LULL_SAMPLER_DDIM, DIFFUSION_FLOW, &linear, 5, 0, &plan, NULL);
    diffusion_plan_new(LULL_SAMPLER_EULER, DIFFUSION_FLOW, &linear, 5, 0, &euler, NULL);
    same_plan(plan, euler, 1e-6);
    diffusion_plan_free(plan);
    diffusion_plan_free(euler);
}

/* The published steps of DiffWave's fast schedule for T = 50 (its inference code gives these). */
static void fast_schedule(void **state) {
    (void)state;
    diffusion_plan *plan;
    diffusion_plan_new(LULL_SAMPLER_FAST, DIFFUSION_NOISE, &diffwave, 6, 0, &plan, NULL);
    assert_int_equal(plan->count, 6);
    assert_int_equal(plan->noise_rows, 6);
    assert_true(plan->stages[5].t == 0);
    double product = 1;
    const double betas[] = {1e-4, 1e-3, 1e-2, 0.05, 0.2, 0.5};
    for (int n = 0; n < 6; n++) { /* aligned: the training level at t is the fast level */
        product *= 1 - betas[n];
        double t = plan->stages[5 - n].t;
        assert_true(fabs(diffusion_schedule_levels(&diffwave, t).a - sqrt(product)) < 1e-9);
        assert_true(plan->stages[5 - n].clamp == 1);
    }
    diffusion_plan_free(plan);
}

/* ---- samples, through diffusion_stage_apply ---- */

enum { SAMPLES = 200000 };

static gaussian draw(lull_sampler sampler, diffusion_objective objective,
                     const diffusion_schedule *schedule, int steps, double eta, uint64_t seed,
                     float *x) {
    static float u[SAMPLES], noise[SAMPLES], carry[SAMPLES];
    diffusion_plan *plan;
    assert_int_equal(diffusion_plan_new(sampler, objective, schedule, steps, eta, &plan, NULL),
                     LULL_OK);
    random_normal(seed, 0, 0, x, SAMPLES);
    for (int k = 0; k < plan->count; k++) {
        const diffusion_stage *stage = &plan->stages[k];
        double slope, offset;
        denoiser(objective, schedule, stage->t, &slope, &offset);
        for (int i = 0; i < SAMPLES; i++) u[i] = (float)(slope * x[i] + offset);
        if (stage->noise_row >= 0)
            random_normal(seed, (uint32_t)stage->noise_row, 0, noise, SAMPLES);
        diffusion_stage_apply(stage, x, u, plan->carry ? carry : NULL,
                              stage->noise_row >= 0 ? noise : NULL, SAMPLES);
    }
    gaussian expected = propagate(plan, objective, schedule);
    diffusion_plan_free(plan);
    double sum = 0, squares = 0;
    for (int i = 0; i < SAMPLES; i++) sum += x[i];
    for (int i = 0; i < SAMPLES; i++) squares += (x[i] - sum / SAMPLES) * (x[i] - sum / SAMPLES);
    gaussian is = {sum / SAMPLES, sqrt(squares / SAMPLES)};
    /* Five standard errors: d/√N of the mean, d/√(2N) of the deviation. */
    double mean_error = 5 * expected.deviation / sqrt(SAMPLES) + 1e-6;
    expect(diffusion_sampler_name(sampler), is, expected.mean, expected.deviation, mean_error);
    return is;
}

static void drawn(void **state) {
    (void)state;
    static float x[SAMPLES], again[SAMPLES];
    draw(LULL_SAMPLER_DDPM, DIFFUSION_NOISE, &diffwave, 6, 0, 1, x);
    draw(LULL_SAMPLER_DDPM, DIFFUSION_V, &angle, 100, 0, 2, x);
    gaussian g = draw(LULL_SAMPLER_DDPM, DIFFUSION_V, &angle, 700, 0, 2, x);
    expect("… against the data's", g, speech.mean, speech.deviation, 0.006);
    draw(LULL_SAMPLER_DDIM, DIFFUSION_V, &angle, 6, 1, 3, x);
    draw(LULL_SAMPLER_DDIM, DIFFUSION_FLOW, &linear, 8, 0.5, 4, x);
    g = draw(LULL_SAMPLER_HEUN, DIFFUSION_FLOW, &linear, 30, 0, 5, x);
    expect("… against the data's", g, speech.mean, speech.deviation, 0.006);
    draw(LULL_SAMPLER_HEUN, DIFFUSION_V, &angle, 6, 0, 6, x);
    draw(LULL_SAMPLER_DDIM, DIFFUSION_V, &angle, 6, 0, 7, x);
    draw(LULL_SAMPLER_DDIM, DIFFUSION_V, &angle, 6, 0, 7, again);
    assert_memory_equal(x, again, sizeof x);
}

static void clamps(void **state) {
    (void)state;
    const diffusion_stage stage = {.x_x = 1, .clamp = 1, .noise_row = -1};
    float x[] = {-3, -0.5f, 0.5f, 3}, u[4] = {0};
    diffusion_stage_apply(&stage, x, u, NULL, NULL, 4);
    assert_true(x[0] == -1 && x[1] == -0.5f && x[2] == 0.5f && x[3] == 1);
}

/* ---- refusals ---- */

static void refuses(void **state) {
    (void)state;
    const diffusion_schedule no_steps = {DIFFUSION_BETAS, 0, 1e-4, 0.05};
    const diffusion_schedule wild = {DIFFUSION_BETAS, 50, 1e-4, 1.5};
    const diffusion_schedule nothing_left = {DIFFUSION_BETAS, 4096, 0.9, 0.9};
    const diffusion_schedule too_clean = {DIFFUSION_BETAS, 10, 1e-4, 1e-3};
    const struct {
        lull_sampler sampler;
        diffusion_objective objective;
        const diffusion_schedule *schedule;
        int steps;
        double eta;
        const char *says;
    } cases[] = {
        {LULL_SAMPLER_DEFAULT, DIFFUSION_V, &angle, 6, 0, "no sampler"},
        {LULL_SAMPLER_DDIM, DIFFUSION_V, &angle, 0, 0, "1 to 1000"},
        {LULL_SAMPLER_DDIM, DIFFUSION_V, &angle, 1001, 0, "1 to 1000"},
        {LULL_SAMPLER_DDIM, DIFFUSION_V, &angle, 6, -0.1, "eta"},
        {LULL_SAMPLER_DDIM, DIFFUSION_V, &angle, 6, NAN, "eta"},
        {LULL_SAMPLER_FAST, DIFFUSION_V, &angle, 6, 0, "training schedule"},
        {LULL_SAMPLER_FAST, DIFFUSION_NOISE, &diffwave, 12, 0, "always has 6"},
        {LULL_SAMPLER_FAST, DIFFUSION_NOISE, &too_clean, 6, 0, "signal level"},
        {LULL_SAMPLER_EULER, DIFFUSION_NOISE, &diffwave, 6, 0, "velocity"},
        {LULL_SAMPLER_HEUN, DIFFUSION_DATA, &angle, 6, 0, "velocity"},
        {LULL_SAMPLER_EULER, DIFFUSION_V, &diffwave, 6, 0, "velocity"},
        {LULL_SAMPLER_DDIM, DIFFUSION_NOISE, &angle, 6, 0, "use betas"},
        {LULL_SAMPLER_DDIM, DIFFUSION_FLOW, &angle, 6, 0, "use linear"},
        {LULL_SAMPLER_DDIM, DIFFUSION_V, &linear, 6, 0, "use angle"},
        {LULL_SAMPLER_DDIM, DIFFUSION_NOISE, &no_steps, 6, 0, "training steps"},
        {LULL_SAMPLER_DDIM, DIFFUSION_NOISE, &wild, 6, 0, "betas"},
        {LULL_SAMPLER_DDIM, DIFFUSION_NOISE, &nothing_left, 6, 0, "no signal"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        diffusion_plan *plan = NULL;
        lull_error error = {0};
        assert_int_equal(diffusion_plan_new(cases[i].sampler, cases[i].objective, cases[i].schedule,
                                            cases[i].steps, cases[i].eta, &plan, &error),
                         LULL_INVALID);
        assert_null(plan);
        if (!strstr(error.message, cases[i].says))
            fail_msg("'%s' lacks '%s'", error.message, cases[i].says);
    }
}

static void names(void **state) {
    (void)state;
    assert_string_equal(diffusion_sampler_name(LULL_SAMPLER_DEFAULT), "default");
    assert_string_equal(diffusion_sampler_name(LULL_SAMPLER_HEUN), "heun");
    assert_string_equal(diffusion_sampler_name((lull_sampler)17), "unknown");
    assert_null(diffusion_sampler_names[LULL_SAMPLER_HEUN + 1]);
    assert_string_equal(diffusion_objective_name(DIFFUSION_DATA), "data");
    assert_null(diffusion_objective_names[DIFFUSION_DATA + 1]);
    assert_string_equal(diffusion_schedule_name(DIFFUSION_LINEAR), "linear");
    assert_null(diffusion_schedule_names[DIFFUSION_LINEAR + 1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recovers),
        cmocka_unit_test(levels),
        cmocka_unit_test(many_steps),
        cmocka_unit_test(orders),
        cmocka_unit_test(forgetting),
        cmocka_unit_test(one_step),
        cmocka_unit_test(any_number_of_steps),
        cmocka_unit_test(ddim_is_ddpm),
        cmocka_unit_test(algorithm_2),
        cmocka_unit_test(ddim_rotates),
        cmocka_unit_test(fast_schedule),
        cmocka_unit_test(drawn),
        cmocka_unit_test(clamps),
        cmocka_unit_test(refuses),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
