/* Noise schedules: how much signal (a) and how much noise (s) x holds at network time t. */
#include "diffusion/schedule.h"

#include "base/error.h"

#include <math.h>

static double beta(const diffusion_schedule *schedule, int step) {
    int last = schedule->training_steps - 1;
    if (last == 0) return schedule->beta_first;
    return schedule->beta_first + (schedule->beta_last - schedule->beta_first) * step / last;
}

/* √ᾱ_t = Π √(1 − β), t from 0 (Ho et al. 2020, below eq. 4; their t starts at 1). */
double diffusion_schedule_root_alpha(const diffusion_schedule *schedule, int step) {
    double product = 1;
    for (int i = 0; i <= step; i++) product *= 1 - beta(schedule, i);
    return sqrt(product);
}

diffusion_levels diffusion_schedule_levels(const diffusion_schedule *schedule, double t) {
    diffusion_levels levels = {0, 1};
    switch (schedule->kind) {
    case DIFFUSION_ANGLE: /* x_φ = cos φ·ε + sin φ·x0 */
        levels.a = sin(t * M_PI_2);
        levels.s = cos(t * M_PI_2);
        break;
    case DIFFUSION_LINEAR: /* the straight path of flow matching */
        levels.a = t;
        levels.s = 1 - t;
        break;
    case DIFFUSION_BETAS: {
        int last = schedule->training_steps - 1;
        if (t < 0) t = 0;
        int low = (int)t < last ? (int)t : last;
        levels.a = diffusion_schedule_root_alpha(schedule, low);
        if (t > low && low < last) {
            double high = diffusion_schedule_root_alpha(schedule, low + 1);
            levels.a += (t - low) * (high - levels.a);
        }
        levels.s = sqrt(1 - levels.a * levels.a);
        break;
    }
    }
    return levels;
}

lull_status diffusion_schedule_check(const diffusion_schedule *schedule,
                                     diffusion_objective objective, lull_error *error) {
    if (schedule->kind == DIFFUSION_BETAS) {
        if (schedule->training_steps < 1 || schedule->training_steps > DIFFUSION_MAX_TRAINING_STEPS)
            return base_fail(error, LULL_INVALID,
                             "the schedule has %d training steps; 1 to %d are possible",
                             schedule->training_steps, DIFFUSION_MAX_TRAINING_STEPS);
        if (!(schedule->beta_first > 0 && schedule->beta_first < 1 && schedule->beta_last > 0 &&
              schedule->beta_last < 1))
            return base_fail(
                error, LULL_INVALID,
                "the schedule's betas go from %g to %g; both must be above 0 and below 1",
                schedule->beta_first, schedule->beta_last);
        double root = diffusion_schedule_root_alpha(schedule, schedule->training_steps - 1);
        if (!(root > 1e-6))
            return base_fail(
                error, LULL_INVALID,
                "the schedule leaves no signal at its last step (level %g); lower its betas", root);
    }
    const char *wanted = NULL;
    switch (objective) {
    case DIFFUSION_NOISE: /* needs a > 0 at every step */
        if (schedule->kind != DIFFUSION_BETAS) wanted = "betas";
        break;
    case DIFFUSION_V: /* needs a² + s² = 1 */
        if (schedule->kind == DIFFUSION_LINEAR) wanted = "angle or betas";
        break;
    case DIFFUSION_FLOW:
        if (schedule->kind != DIFFUSION_LINEAR) wanted = "linear";
        break;
    case DIFFUSION_DATA:
        break;
    }
    if (wanted)
        return base_fail(
            error, LULL_INVALID, "the objective %s does not go with the schedule %s; use %s",
            diffusion_objective_name(objective), diffusion_schedule_name(schedule->kind), wanted);
    return LULL_OK;
}

const char *const diffusion_schedule_names[] = {
    [DIFFUSION_BETAS] = "betas",
    [DIFFUSION_ANGLE] = "angle",
    [DIFFUSION_LINEAR] = "linear",
    [DIFFUSION_LINEAR + 1] = NULL,
};

const char *diffusion_schedule_name(diffusion_schedule_kind kind) {
    return (unsigned)kind <= DIFFUSION_LINEAR ? diffusion_schedule_names[kind] : "unknown";
}
