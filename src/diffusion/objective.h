/* What the network predicts, and how that gives back speech and noise. The forward process is
 * x = a·x0 + s·ε: a = √ᾱ, s = √(1−ᾱ) for DDPM (Ho et al. 2020, eq. 4); a = sin φ, s = cos φ for v
 * (Salimans & Ho 2022, appendix D); a = t, s = 1−t for flow matching (Lipman et al. 2023). */
#ifndef DIFFUSION_OBJECTIVE_H
#define DIFFUSION_OBJECTIVE_H

#include "lull.h"

typedef enum {
    DIFFUSION_NOISE, /* u = ε */
    DIFFUSION_V,     /* u = s·x0 − a·ε */
    DIFFUSION_FLOW,  /* u = x0 − ε */
    DIFFUSION_DATA   /* u = x0 */
} diffusion_objective;

/* In the order of diffusion_objective, NULL-terminated; "unknown" for any other value. */
extern const char *const diffusion_objective_names[];
const char *diffusion_objective_name(diffusion_objective objective);

/* Signal and noise levels (a, s) at network time t. For a DDPM schedule t is the (fractional) step
 * index 0…T−1; otherwise t in [0, 1], 0 = noise, 1 = speech. */
typedef struct diffusion_levels {
    double a, s;
} diffusion_levels;

/* u = target_x0·x0 + target_eps·ε */
void diffusion_target(diffusion_objective objective, diffusion_levels levels, double *target_x0,
                      double *target_eps);
/* x̂0 = x0_x·x + x0_u·u and ε̂ = eps_x·x + eps_u·u */
void diffusion_recover(diffusion_objective objective, diffusion_levels levels, double *x0_x,
                       double *x0_u, double *eps_x, double *eps_u);

#endif
