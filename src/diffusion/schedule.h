/* Noise schedules. A schedule either has training steps with betas (DDPM) or is continuous: angle
 * (φ = t·π/2) or linear (flow). */
#ifndef DIFFUSION_SCHEDULE_H
#define DIFFUSION_SCHEDULE_H

#include "diffusion/objective.h"

enum { DIFFUSION_MAX_TRAINING_STEPS = 4096 };

typedef enum { DIFFUSION_BETAS, DIFFUSION_ANGLE, DIFFUSION_LINEAR } diffusion_schedule_kind;

typedef struct diffusion_schedule {
    diffusion_schedule_kind kind;
    int training_steps; /* DIFFUSION_BETAS: T */
    double beta_first,
        beta_last; /* DIFFUSION_BETAS: linear from first to last (DiffWave: 1e-4, 0.05, T = 50) */
} diffusion_schedule;

/* Levels at time t (see diffusion_levels); a fractional DDPM step interpolates √ᾱ linearly between
 * its neighbours, as DiffWave's alignment does. */
diffusion_levels diffusion_schedule_levels(const diffusion_schedule *schedule, double t);

/* DIFFUSION_BETAS: √ᾱ of training step 0…T−1. */
double diffusion_schedule_root_alpha(const diffusion_schedule *schedule, int step);

/* In range, and fit for the objective (noise needs betas, flow needs linear, v anything but
 * linear). */
lull_status diffusion_schedule_check(const diffusion_schedule *schedule,
                                     diffusion_objective objective, lull_error *error);

/* In the order of diffusion_schedule_kind, NULL-terminated; "unknown" for any other value. */
extern const char *const diffusion_schedule_names[];
const char *diffusion_schedule_name(diffusion_schedule_kind kind);

#endif
