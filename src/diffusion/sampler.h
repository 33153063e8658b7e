/* Samplers. All of them are linear in what they combine, so a sampler is a plan: a list of stages,
 * one network evaluation each, with the coefficients of the step. The engine (src/vocoder) runs
 * plans; this folder makes them. Stage k, with u = network(x, t):
 *
 *     x'     = x_x·x + x_u·u + x_carry·carry + x_noise·ε_k    (then clamped to ±clamp when clamp > 0)
 *     carry' = carry_x·x + carry_u·u                            (Heun only)
 */
#ifndef DIFFUSION_SAMPLER_H
#define DIFFUSION_SAMPLER_H

#include "diffusion/schedule.h"

enum { DIFFUSION_MAX_STEPS = 1000 };

typedef struct diffusion_stage {
    double t; /* network time: DDPM step index (may be fractional) or [0, 1) */
    float x_x, x_u, x_carry, x_noise;
    float carry_x, carry_u;
    float clamp;   /* 0 = none */
    int noise_row; /* row of the noise array that this stage draws; row 0 is the start; -1 = draws
                      none */
} diffusion_stage;

typedef struct diffusion_plan {
    diffusion_stage *stages;
    int count;
    int noise_rows; /* start included */
    bool carry;     /* whether any stage uses it */
} diffusion_plan;

/* sampler must not be LULL_SAMPLER_DEFAULT. steps ≥ 1; eta in [0, 1]. Refuses what makes no sense
 * with the objective (FAST on a model without betas, EULER/HEUN on anything but flow and v, …) with
 * the reason.
 *
 *   DDPM   ancestral: on betas every training step whatever `steps` says; on continuous schedules
 *          `steps` steps.
 *   FAST   DiffWave's six steps (`steps` must be 6), clamped to ±1 after each.
 *   DDIM   eta 0 keeps the noise that the network sees, deterministic. On betas σ is eta times the
 *          ancestral one (Song et al. 2021, eq. 16); on continuous schedules σ = eta·s': eta 1
 *          forgets all of the old noise.
 *   HEUN   2·steps − 1 stages: the last step is Euler's.
 */
lull_status diffusion_plan_new(lull_sampler sampler, diffusion_objective objective,
                               const diffusion_schedule *schedule, int steps, double eta,
                               diffusion_plan **plan, lull_error *error);
void diffusion_plan_free(diffusion_plan *plan);

/* Runs one stage on n values (in place on x; carry may be NULL when the plan has none; noise when
 * the stage draws none). */
void diffusion_stage_apply(const diffusion_stage *stage, float *x, const float *u, float *carry,
                           const float *noise, size_t n);

/* In the order of lull_sampler, NULL-terminated; "unknown" for any other value. */
extern const char *const diffusion_sampler_names[];
const char *diffusion_sampler_name(lull_sampler sampler);

#endif
