/* Samplers: from noise to speech in a plan of linear stages.
 *
 * Every sampler answers one question: given x at levels (a, s) and what the network says about it,
 * what is x at the next, cleaner levels (a', s')? The network's u gives estimates x̂0 and ε̂
 * (objective.c), and then
 *
 *     x' = a'·x̂0 + √(s'² − σ²)·ε̂ + σ·ε,   ε fresh                     (Song et al. 2021, eq. 12)
 *
 * has the right levels for every σ in 0 … s': σ only says how much of the old noise is forgotten. σ
 * = 0 is deterministic; σ of the forward process' posterior is ancestral sampling (Ho et al. 2020,
 * algorithm 2); σ = s' keeps nothing of x but its estimate of speech. Euler and Heun instead follow
 * the velocity dx/dt that flow and v networks predict. */
#include "diffusion/sampler.h"

#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <string.h>

/* DiffWave's inference schedule (Kong et al. 2021, appendix B). */
static const double fast_betas[] = {1e-4, 1e-3, 1e-2, 0.05, 0.2, 0.5};
enum { FAST_STEPS = sizeof fast_betas / sizeof *fast_betas };

/* σ² of q(x' | x, x0). From x' to x the signal shrinks by r = a/a', and noise of variance s² −
 * r²s'² comes in; the posterior variance is s'²·(that)/s². For DDPM's levels it is β̃ (Ho et al.
 * 2020, eq. 7). */
static double ancestral_sigma(diffusion_levels from, diffusion_levels to) {
    double r = from.a / to.a * to.s / from.s;
    return to.s * sqrt(fmax(0, 1 - r * r));
}

/* Eq. 12 above, as coefficients of x, u and the fresh noise. */
static diffusion_stage denoising_stage(diffusion_objective objective, double t,
                                       diffusion_levels from, diffusion_levels to, double sigma) {
    double x0_x, x0_u, eps_x, eps_u;
    diffusion_recover(objective, from, &x0_x, &x0_u, &eps_x, &eps_u);
    double kept = sqrt(fmax(0, to.s * to.s - sigma * sigma));
    return (diffusion_stage){.t = t,
                             .x_x = (float)(to.a * x0_x + kept * eps_x),
                             .x_u = (float)(to.a * x0_u + kept * eps_u),
                             .x_noise = (float)sigma};
}

/* The times at which a plan of `steps` evaluations asks the network, noisiest first. Continuous
 * schedules go evenly from 0. Training schedules go evenly down from T−1, on whole steps where
 * there are enough. */
static double time_of_step(const diffusion_schedule *schedule, int steps, int k) {
    if (schedule->kind != DIFFUSION_BETAS) return (double)k / steps;
    int last = schedule->training_steps - 1;
    if (steps > schedule->training_steps) return last * (1 - (double)k / (steps - 1));
    return last - round((double)k * schedule->training_steps / steps);
}

static void plan_denoising(diffusion_plan *plan, lull_sampler sampler,
                           diffusion_objective objective, const diffusion_schedule *schedule,
                           int steps, double eta) {
    for (int k = 0; k < steps; k++) {
        double t = time_of_step(schedule, steps, k);
        diffusion_levels from = diffusion_schedule_levels(schedule, t), to = {1, 0};
        if (k + 1 < steps)
            to = diffusion_schedule_levels(schedule, time_of_step(schedule, steps, k + 1));
        double sigma;
        if (sampler == LULL_SAMPLER_DDPM)
            sigma = ancestral_sigma(from, to);
        else if (schedule->kind == DIFFUSION_BETAS)
            sigma = eta * ancestral_sigma(from, to);
        else
            sigma = eta * to.s;
        plan->stages[k] = denoising_stage(objective, t, from, to, sigma);
    }
}

/* The fractional training step whose √ᾱ is `root`, between two neighbours by linear interpolation
 * (DiffWave's alignment, appendix B). */
static bool align(const diffusion_schedule *schedule, double root, double *t) {
    const double slack = 1e-9;
    double low = diffusion_schedule_root_alpha(schedule, 0);
    if (root > low + slack) return false;
    for (int i = 0; i + 1 < schedule->training_steps; i++) {
        double high = diffusion_schedule_root_alpha(schedule, i + 1);
        if (root >= high - slack) {
            *t = i + fmin(1, fmax(0, (low - root) / (low - high)));
            return true;
        }
        low = high;
    }
    return false;
}

/* Ancestral sampling over the six betas of appendix B; each is shown to the network as the
 * fractional training step of the same noise level. The signal is held in [−1, 1] after every step.
 */
static lull_status plan_fast(diffusion_plan *plan, diffusion_objective objective,
                             const diffusion_schedule *schedule, lull_error *error) {
    double root[FAST_STEPS], product = 1;
    for (int i = 0; i < FAST_STEPS; i++) root[i] = sqrt(product *= 1 - fast_betas[i]);
    for (int k = 0; k < FAST_STEPS; k++) {
        int n = FAST_STEPS - 1 - k;
        double t;
        if (!align(schedule, root[n], &t))
            return base_fail(
                error, LULL_INVALID,
                "the fast schedule needs a signal level of %.4f, which this model's training "
                "schedule does not have; use the sampler ddim or ddpm",
                root[n]);
        diffusion_levels from = {root[n], sqrt(1 - root[n] * root[n])}, to = {1, 0};
        if (n > 0) to = (diffusion_levels){root[n - 1], sqrt(1 - root[n - 1] * root[n - 1])};
        plan->stages[k] = denoising_stage(objective, t, from, to, ancestral_sigma(from, to));
        plan->stages[k].clamp = 1;
    }
    return LULL_OK;
}

/* dx/dt = u·scale: for flow, t goes from 0 to 1 (scale 1); for v, dx/dφ = u and φ goes to π/2.
 * Heun's rule (Karras et al. 2022, algorithm 1) averages the slopes at both ends of a step; its
 * last step is Euler's, because at t = 1 there is no noise left that the network could have learned
 * to see. */
static void plan_velocity(diffusion_plan *plan, lull_sampler sampler, diffusion_objective objective,
                          int steps) {
    double h = (objective == DIFFUSION_V ? M_PI_2 : 1.0) / steps;
    int at = 0;
    for (int k = 0; k < steps; k++) {
        diffusion_stage *stage = &plan->stages[at++];
        *stage = (diffusion_stage){.t = (double)k / steps, .x_x = 1, .x_u = (float)h};
        if (sampler == LULL_SAMPLER_EULER || k + 1 == steps) continue;
        stage->carry_x = 1;
        stage->carry_u = (float)(h / 2);
        plan->stages[at++] =
            (diffusion_stage){.t = (double)(k + 1) / steps, .x_u = (float)(h / 2), .x_carry = 1};
        plan->carry = true;
    }
}

static lull_status check(lull_sampler sampler, diffusion_objective objective,
                         const diffusion_schedule *schedule, int steps, double eta,
                         lull_error *error) {
    if (steps < 1 || steps > DIFFUSION_MAX_STEPS)
        return base_fail(error, LULL_INVALID, "%d steps asked for; 1 to %d are possible", steps,
                         DIFFUSION_MAX_STEPS);
    if (!(eta >= 0 && eta <= 1))
        return base_fail(error, LULL_INVALID, "eta is %g; it goes from 0 to 1", eta);
    lull_status status = diffusion_schedule_check(schedule, objective, error);
    if (status) return status;
    switch (sampler) {
    case LULL_SAMPLER_DDPM:
    case LULL_SAMPLER_DDIM:
        return LULL_OK;
    case LULL_SAMPLER_FAST:
        if (schedule->kind != DIFFUSION_BETAS)
            return base_fail(
                error, LULL_INVALID,
                "the sampler fast is for models with a training schedule of betas (DiffWave's); "
                "this model's schedule is %s; use the sampler ddim",
                diffusion_schedule_name(schedule->kind));
        if (steps != FAST_STEPS)
            return base_fail(
                error, LULL_INVALID,
                "%d steps asked for, but the sampler fast always has %d; use the sampler ddim "
                "for another number",
                steps, FAST_STEPS);
        return LULL_OK;
    case LULL_SAMPLER_EULER:
    case LULL_SAMPLER_HEUN:
        if (objective != DIFFUSION_FLOW &&
            (objective != DIFFUSION_V || schedule->kind != DIFFUSION_ANGLE))
            return base_fail(
                error, LULL_INVALID,
                "the sampler %s follows a velocity, which this model (objective %s, schedule "
                "%s) does not predict; use the sampler ddim",
                diffusion_sampler_name(sampler), diffusion_objective_name(objective),
                diffusion_schedule_name(schedule->kind));
        return LULL_OK;
    case LULL_SAMPLER_DEFAULT:
        break;
    }
    return base_fail(error, LULL_INVALID, "no sampler with number %d", (int)sampler);
}

static int stage_count(lull_sampler sampler, const diffusion_schedule *schedule, int steps) {
    if (sampler == LULL_SAMPLER_HEUN) return 2 * steps - 1;
    if (sampler == LULL_SAMPLER_DDPM && schedule->kind == DIFFUSION_BETAS)
        return schedule->training_steps;
    return steps;
}

lull_status diffusion_plan_new(lull_sampler sampler, diffusion_objective objective,
                               const diffusion_schedule *schedule, int steps, double eta,
                               diffusion_plan **result, lull_error *error) {
    *result = NULL;
    lull_status status = check(sampler, objective, schedule, steps, eta, error);
    if (status) return status;
    diffusion_plan *plan = base_alloc(1, sizeof *plan);
    if (!plan) return base_no_memory(error);
    plan->count = stage_count(sampler, schedule, steps);
    plan->stages = base_alloc((size_t)plan->count, sizeof *plan->stages);
    if (!plan->stages) {
        status = base_no_memory(error);
        goto fail;
    }
    if (sampler == LULL_SAMPLER_FAST)
        status = plan_fast(plan, objective, schedule, error);
    else if (sampler == LULL_SAMPLER_EULER || sampler == LULL_SAMPLER_HEUN)
        plan_velocity(plan, sampler, objective, steps);
    else
        plan_denoising(plan, sampler, objective, schedule, plan->count, eta);
    if (status) goto fail;

    plan->noise_rows = 1; /* row 0: the start */
    for (int k = 0; k < plan->count; k++)
        plan->stages[k].noise_row = plan->stages[k].x_noise != 0 ? plan->noise_rows++ : -1;
    *result = plan;
    return LULL_OK;
fail:
    diffusion_plan_free(plan);
    return status;
}

void diffusion_plan_free(diffusion_plan *plan) {
    if (!plan) return;
    base_free(plan->stages);
    base_free(plan);
}

void diffusion_stage_apply(const diffusion_stage *stage, float *x, const float *u, float *carry,
                           const float *noise, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float now = x[i], next = stage->x_x * now + stage->x_u * u[i];
        if (stage->x_carry != 0) next += stage->x_carry * carry[i];
        if (stage->noise_row >= 0) next += stage->x_noise * noise[i];
        if (stage->carry_x != 0 || stage->carry_u != 0)
            carry[i] = stage->carry_x * now + stage->carry_u * u[i];
        if (stage->clamp > 0) next = fminf(stage->clamp, fmaxf(-stage->clamp, next));
        x[i] = next;
    }
}

const char *const diffusion_sampler_names[] = {
    [LULL_SAMPLER_DEFAULT] = "default", [LULL_SAMPLER_DDPM] = "ddpm",
    [LULL_SAMPLER_FAST] = "fast",       [LULL_SAMPLER_DDIM] = "ddim",
    [LULL_SAMPLER_EULER] = "euler",     [LULL_SAMPLER_HEUN] = "heun",
    [LULL_SAMPLER_HEUN + 1] = NULL,
};

const char *diffusion_sampler_name(lull_sampler sampler) {
    return (unsigned)sampler <= LULL_SAMPLER_HEUN ? diffusion_sampler_names[sampler] : "unknown";
}
