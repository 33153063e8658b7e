/* What the network predicts: four names for the same knowledge. Given x = a·x0 + s·ε and any one of
 * x0, ε, v or the velocity, the others follow by solving two linear equations in two unknowns. */
#include "diffusion/objective.h"

#include <math.h>
#include <string.h>

const char *const diffusion_objective_names[] = {
    [DIFFUSION_NOISE] = "noise", [DIFFUSION_V] = "v",         [DIFFUSION_FLOW] = "flow",
    [DIFFUSION_DATA] = "data",   [DIFFUSION_DATA + 1] = NULL,
};

const char *diffusion_objective_name(diffusion_objective objective) {
    return (unsigned)objective <= DIFFUSION_DATA ? diffusion_objective_names[objective] : "unknown";
}

/* The second row of the system
 *
 *     x = a·x0 + s·ε
 *     u = p·x0 + q·ε
 *
 * whose first row is the forward process. For v, p = s and q = −a make the two rows orthonormal:
 * with a = sin φ and s = cos φ, (x, u) is (x0, ε) turned by an angle (Salimans & Ho 2022, appendix
 * D), and nothing is ever divided by a small number. */
void diffusion_target(diffusion_objective objective, diffusion_levels levels, double *target_x0,
                      double *target_eps) {
    double p = 0, q = 0;
    switch (objective) {
    case DIFFUSION_NOISE:
        q = 1;
        break; /* Ho et al. 2020, eq. 14 */
    case DIFFUSION_V:
        p = levels.s, q = -levels.a;
        break;
    case DIFFUSION_FLOW:
        p = 1, q = -1;
        break; /* d/dt of t·x0 + (1−t)·ε */
    case DIFFUSION_DATA:
        p = 1;
        break;
    }
    *target_x0 = p;
    *target_eps = q;
}

/* Cramer's rule: with D = a·q − s·p,
 *
 *     x0 = (q·x − s·u) / D,   ε = (a·u − p·x) / D.
 *
 * D is a for the noise objective (from pure noise, a = 0, a noise prediction says nothing about x0:
 * schedules of that objective must keep a > 0), −s for data, −(a² + s²) for v, −(a + s) for flow.
 */
void diffusion_recover(diffusion_objective objective, diffusion_levels levels, double *x0_x,
                       double *x0_u, double *eps_x, double *eps_u) {
    double p, q;
    diffusion_target(objective, levels, &p, &q);
    double d = levels.a * q - levels.s * p;
    *x0_x = q / d;
    *x0_u = -levels.s / d;
    *eps_x = -p / d;
    *eps_u = levels.a / d;
    if (objective == DIFFUSION_DATA) *x0_x = 0, *x0_u = 1; /* also where s = 0 */
}
