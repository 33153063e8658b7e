/* The passes of mel/stockham.c for vectors of LANES floats: included once for each width and
 * instruction set, with LANES, NAME (which puts the set's suffix on a name) and ATTRIBUTES defined.
 * A vector of the real parts and one of the imaginary parts are LANES complex numbers. */

#if LANES == 1
typedef float NAME(vec);
#else
typedef float NAME(vec) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#endif
#define vec NAME(vec)

#define HELPER ATTRIBUTES static inline __attribute__((always_inline))
#define LOAD(p) (*(const vec *)(p))
#define STORE(p, v) (*(vec *)(p) = (v))

/* x ← the transform of four points. */
HELPER void NAME(butterfly_of_4)(vec *re, vec *im) {
    const vec acr = re[0] + re[2], aci = im[0] + im[2];
    const vec a_cr = re[0] - re[2], a_ci = im[0] - im[2];
    const vec bdr = re[1] + re[3], bdi = im[1] + im[3];
    const vec b_dr = re[1] - re[3], b_di = im[1] - im[3];
    re[0] = acr + bdr, im[0] = aci + bdi;
    re[1] = a_cr + b_di, im[1] = a_ci - b_dr;
    re[2] = acr - bdr, im[2] = aci - bdi;
    re[3] = a_cr - b_di, im[3] = a_ci + b_dr;
}

/* x ← the transform of `radix` points. */
HELPER void NAME(butterfly)(const int radix, vec *re, vec *im) {
    if (radix == 2) {
        const vec ar = re[0], ai = im[0];
        re[0] = ar + re[1], im[0] = ai + im[1];
        re[1] = ar - re[1], im[1] = ai - im[1];
    } else if (radix == 3) {
        const float half = 0.5f, root = 0.866025404f;
        const vec sr = re[1] + re[2], si = im[1] + im[2];
        const vec dr = (re[1] - re[2]) * root, di = (im[1] - im[2]) * root;
        const vec mr = re[0] - sr * half, mi = im[0] - si * half;
        re[0] = re[0] + sr, im[0] = im[0] + si;
        re[1] = mr + di, im[1] = mi - dr;
        re[2] = mr - di, im[2] = mi + dr;
    } else if (radix == 4) {
        NAME(butterfly_of_4)(re, im);
    } else if (radix == 5) {
        const float c1 = 0.309016994f, c2 = -0.809016994f, s1 = 0.951056516f, s2 = 0.587785252f;
        const vec s14r = re[1] + re[4], s14i = im[1] + im[4];
        const vec d14r = re[1] - re[4], d14i = im[1] - im[4];
        const vec s23r = re[2] + re[3], s23i = im[2] + im[3];
        const vec d23r = re[2] - re[3], d23i = im[2] - im[3];
        const vec ar = re[0] + s14r * c1 + s23r * c2, ai = im[0] + s14i * c1 + s23i * c2;
        const vec br = re[0] + s14r * c2 + s23r * c1, bi = im[0] + s14i * c2 + s23i * c1;
        const vec cr = d14r * s1 + d23r * s2, ci = d14i * s1 + d23i * s2;
        const vec dr = d14r * s2 - d23r * s1, di = d14i * s2 - d23i * s1;
        re[0] = re[0] + s14r + s23r, im[0] = im[0] + s14i + s23i;
        re[1] = ar + ci, im[1] = ai - cr;
        re[4] = ar - ci, im[4] = ai + cr;
        re[2] = br + di, im[2] = bi - dr;
        re[3] = br - di, im[3] = bi + dr;
    } else if (radix == 8) {
        /* Two of four, the odd one turned by the eighth roots of one. */
        const float root = 0.707106781f;
        vec er[4] = {re[0], re[2], re[4], re[6]}, ei[4] = {im[0], im[2], im[4], im[6]};
        vec or_[4] = {re[1], re[3], re[5], re[7]}, oi[4] = {im[1], im[3], im[5], im[7]};
        NAME(butterfly_of_4)(er, ei);
        NAME(butterfly_of_4)(or_, oi);
        const vec r1 = (or_[1] + oi[1]) * root, i1 = (oi[1] - or_[1]) * root;
        const vec r3 = (oi[3] - or_[3]) * root, i3 = (or_[3] + oi[3]) * root;
        re[0] = er[0] + or_[0], im[0] = ei[0] + oi[0];
        re[4] = er[0] - or_[0], im[4] = ei[0] - oi[0];
        re[1] = er[1] + r1, im[1] = ei[1] + i1;
        re[5] = er[1] - r1, im[5] = ei[1] - i1;
        re[2] = er[2] + oi[2], im[2] = ei[2] - or_[2];
        re[6] = er[2] - oi[2], im[6] = ei[2] + or_[2];
        re[3] = er[3] + r3, im[3] = ei[3] - i3;
        re[7] = er[3] - r3, im[7] = ei[3] + i3;
    }
}

/* x ·= the twiddle factors of point group p, one for each but the first. */
HELPER void NAME(turn)(vec *re, vec *im, vec c, vec s) {
    const vec r = *re * c - *im * s, i = *re * s + *im * c;
    *re = r;
    *im = i;
}

/* a = Z[k] and b = Z[h − k] of the spectrum Z of the complex numbers that real samples are as
 * pairs, h of them: X[k] and X[h − k] of the samples' own, with w = exp(−πi·k/h): half the sums,
 * and half the differences turned by −i·w (Press et al., Numerical Recipes, §12.3). */
HELPER void NAME(split)(vec *ar, vec *ai, vec *br, vec *bi, vec c, vec s) {
    const vec er = (*ar + *br) * 0.5f, ei = (*ai - *bi) * 0.5f;
    const vec dr = (*ar - *br) * 0.5f, di = (*ai + *bi) * 0.5f;
    const vec or_ = dr * s + di * c, oi = di * s - dr * c;
    *ar = er + or_, *ai = ei + oi;
    *br = er - or_, *bi = oi - ei;
}

/* The way back, twice too large. */
HELPER void NAME(join)(vec *ar, vec *ai, vec *br, vec *bi, vec c, vec s) {
    const vec er = *ar + *br, ei = *ai - *bi;
    const vec dr = *ar - *br, di = *ai + *bi;
    const vec or_ = dr * s - di * c, oi = di * s + dr * c;
    *ar = er + or_, *ai = ei + oi;
    *br = er - or_, *bi = oi - ei;
}

#if LANES > 1
/* The middle passes: over the neighbours q of a point group, which have the same factors. */
HELPER void NAME(middle)(const int radix, const stockham_pass *pass, const float *xr,
                         const float *xi, float *yr, float *yi) {
    const int s = pass->stride, m = pass->groups;
    const vec zero = {0};
    for (int p = 0; p < m; p++) {
        const float *w = pass->factors + 2 * (radix - 1) * p;
        const size_t from = (size_t)s * (size_t)p, to = from * (size_t)radix;
        int q = 0;
        for (; q + LANES <= s; q += LANES) {
            vec re[8], im[8];
            for (int k = 0; k < radix; k++) {
                re[k] = LOAD(xr + from + (size_t)(k * m) * (size_t)s + q);
                im[k] = LOAD(xi + from + (size_t)(k * m) * (size_t)s + q);
            }
            NAME(butterfly)(radix, re, im);
            for (int j = 0; j < radix; j++) {
                if (j > 0) NAME(turn)(&re[j], &im[j], zero + w[2 * j - 2], zero + w[2 * j - 1]);
                STORE(yr + to + (size_t)(j * s) + q, re[j]);
                STORE(yi + to + (size_t)(j * s) + q, im[j]);
            }
        }
        for (; q < s; q++) stockham_point(pass, p, q, xr, xi, 1, yr, yi, 1);
    }
}

/* The last pass: one group, no factors, pairs out. */
HELPER void NAME(last)(const int radix, const bool swap, const stockham_pass *pass, const float *xr,
                       const float *xi, float *out) {
    const int s = pass->stride;
    int q = 0;
    for (; q + LANES <= s; q += LANES) {
        vec re[8], im[8];
        for (int k = 0; k < radix; k++) {
            re[k] = LOAD(xr + k * s + q);
            im[k] = LOAD(xi + k * s + q);
        }
        NAME(butterfly)(radix, re, im);
        for (int j = 0; j < radix; j++) {
            const vec a = swap ? im[j] : re[j], b = swap ? re[j] : im[j];
            STORE(out + 2 * (j * s + q), ZIP_LOW(a, b));
            STORE(out + 2 * (j * s + q) + LANES, ZIP_HIGH(a, b));
        }
    }
    for (; q < s; q++) stockham_point(pass, 0, q, xr, xi, 1, out + swap, out + !swap, 2);
}

/* A middle or the last pass of a radix without a butterfly, by the definition. */
HELPER void NAME(any)(const stockham_pass *pass, const bool is_last, bool swap, const float *xr,
                      const float *xi, float *yr, float *yi) {
    const int r = pass->radix, s = pass->stride, m = pass->groups;
    const size_t step = (size_t)m * (size_t)s;
    const vec zero = {0};
    for (int p = 0; p < m; p++) {
        int q = 0;
        for (; q + LANES <= s; q += LANES)
            for (int j = 0; j < r; j++) {
                const size_t from = (size_t)s * (size_t)p + (size_t)q;
                const size_t to = (size_t)s * (size_t)(r * p + j) + (size_t)q;
                vec re = zero, im = zero;
                for (int k = 0, turn = 0; k < r; k++) {
                    const vec c = zero + pass->roots[2 * turn],
                              w = zero + pass->roots[2 * turn + 1];
                    const vec a = LOAD(xr + from + (size_t)k * step);
                    const vec b = LOAD(xi + from + (size_t)k * step);
                    re += a * c - b * w;
                    im += a * w + b * c;
                    turn += j;
                    if (turn >= r) turn -= r;
                }
                if (is_last) {
                    const vec first = swap ? im : re, second = swap ? re : im;
                    STORE(yr + 2 * to, ZIP_LOW(first, second));
                    STORE(yr + 2 * to + LANES, ZIP_HIGH(first, second));
                    continue;
                }
                if (j > 0 && m > 1) {
                    const float *w = pass->factors + 2 * ((r - 1) * p + j - 1);
                    NAME(turn)(&re, &im, zero + w[0], zero + w[1]);
                }
                STORE(yr + to, re);
                STORE(yi + to, im);
            }
        for (; q < s; q++)
            if (is_last)
                stockham_point(pass, p, q, xr, xi, 1, yr + swap, yr + !swap, 2);
            else
                stockham_point(pass, p, q, xr, xi, 1, yr, yi, 1);
    }
}

/* Writes `radix` vectors as LANES rows of radix numbers. */
HELPER void NAME(transpose)(const int radix, const vec *x, float *out) {
    const vec a0 = ZIP_LOW(x[0], x[radix / 2]), a1 = ZIP_HIGH(x[0], x[radix / 2]);
    const vec b0 = ZIP_LOW(x[radix / 4], x[3 * radix / 4]);
    const vec b1 = ZIP_HIGH(x[radix / 4], x[3 * radix / 4]);
    if (radix == 4) {
        STORE(out, ZIP_LOW(a0, b0));
        STORE(out + LANES, ZIP_HIGH(a0, b0));
        STORE(out + 2 * LANES, ZIP_LOW(a1, b1));
        STORE(out + 3 * LANES, ZIP_HIGH(a1, b1));
    } else {
        const vec c0 = ZIP_LOW(x[1], x[5]), c1 = ZIP_HIGH(x[1], x[5]);
        const vec d0 = ZIP_LOW(x[3], x[7]), d1 = ZIP_HIGH(x[3], x[7]);
        const vec even[4] = {ZIP_LOW(a0, b0), ZIP_HIGH(a0, b0), ZIP_LOW(a1, b1), ZIP_HIGH(a1, b1)};
        const vec odd[4] = {ZIP_LOW(c0, d0), ZIP_HIGH(c0, d0), ZIP_LOW(c1, d1), ZIP_HIGH(c1, d1)};
        for (int i = 0; i < 4; i++) {
            STORE(out + 2 * i * LANES, ZIP_LOW(even[i], odd[i]));
            STORE(out + (2 * i + 1) * LANES, ZIP_HIGH(even[i], odd[i]));
        }
    }
}

/* The first pass: over the groups, pairs in; radix 4 or 8. */
HELPER void NAME(first)(const int radix, const bool swap, const stockham_pass *pass,
                        const float *in, float *yr, float *yi) {
    const int m = pass->groups;
    int p = 0;
    for (; p + LANES <= m; p += LANES) {
        vec re[8], im[8];
        for (int k = 0; k < radix; k++) {
            const vec a = LOAD(in + 2 * (k * m + p)), b = LOAD(in + 2 * (k * m + p) + LANES);
            re[k] = swap ? ODD(a, b) : EVEN(a, b);
            im[k] = swap ? EVEN(a, b) : ODD(a, b);
        }
        NAME(butterfly)(radix, re, im);
        for (int j = 1; j < radix; j++) {
            const float *w = pass->factors + 2 * (j - 1) * m + p;
            NAME(turn)(&re[j], &im[j], LOAD(w), LOAD(w + m));
        }
        NAME(transpose)(radix, re, yr + radix * p);
        NAME(transpose)(radix, im, yi + radix * p);
    }
    for (; p < m; p++) stockham_point(pass, p, 0, in + swap, in + !swap, 2, yr, yi, 1);
}

/* Splits or joins the bins 1 … h − 1; gives the first that is left to do one by one. */
HELPER int NAME(both_ends)(const bool join, const float *factors, float *z, int h) {
    int k = 1;
    for (; 2 * (k + LANES) <= h + 1; k += LANES) {
        float *low = z + 2 * k, *high = z + 2 * (h - k - LANES + 1);
        const vec p0 = LOAD(low), p1 = LOAD(low + LANES);
        const vec q0 = LOAD(high), q1 = LOAD(high + LANES);
        const vec qr = EVEN(q0, q1), qi = ODD(q0, q1);
        const vec c = LOAD(factors + k), s = LOAD(factors + h / 2 + 1 + k);
        vec ar = EVEN(p0, p1), ai = ODD(p0, p1), br = FLIP(qr), bi = FLIP(qi);
        if (join)
            NAME(join)(&ar, &ai, &br, &bi, c, s);
        else
            NAME(split)(&ar, &ai, &br, &bi, c, s);
        br = FLIP(br);
        bi = FLIP(bi);
        STORE(low, ZIP_LOW(ar, ai));
        STORE(low + LANES, ZIP_HIGH(ar, ai));
        STORE(high, ZIP_LOW(br, bi));
        STORE(high + LANES, ZIP_HIGH(br, bi));
    }
    return k;
}

ATTRIBUTES static int NAME(run_both_ends)(bool join, const float *factors, float *z, int h) {
    return join ? NAME(both_ends)(true, factors, z, h) : NAME(both_ends)(false, factors, z, h);
}

ATTRIBUTES static void NAME(run_middle)(const stockham_pass *pass, const float *xr, const float *xi,
                                        float *yr, float *yi) {
    switch (pass->radix) {
    case 2:
        NAME(middle)(2, pass, xr, xi, yr, yi);
        break;
    case 3:
        NAME(middle)(3, pass, xr, xi, yr, yi);
        break;
    case 4:
        NAME(middle)(4, pass, xr, xi, yr, yi);
        break;
    case 5:
        NAME(middle)(5, pass, xr, xi, yr, yi);
        break;
    case 8:
        NAME(middle)(8, pass, xr, xi, yr, yi);
        break;
    default:
        NAME(any)(pass, false, false, xr, xi, yr, yi);
        break;
    }
}

ATTRIBUTES static void NAME(run_last)(const stockham_pass *pass, bool swap, const float *xr,
                                      const float *xi, float *out) {
    switch (2 * pass->radix + swap) {
    case 4:
        NAME(last)(2, false, pass, xr, xi, out);
        break;
    case 5:
        NAME(last)(2, true, pass, xr, xi, out);
        break;
    case 6:
        NAME(last)(3, false, pass, xr, xi, out);
        break;
    case 7:
        NAME(last)(3, true, pass, xr, xi, out);
        break;
    case 8:
        NAME(last)(4, false, pass, xr, xi, out);
        break;
    case 9:
        NAME(last)(4, true, pass, xr, xi, out);
        break;
    case 10:
        NAME(last)(5, false, pass, xr, xi, out);
        break;
    case 11:
        NAME(last)(5, true, pass, xr, xi, out);
        break;
    case 16:
        NAME(last)(8, false, pass, xr, xi, out);
        break;
    case 17:
        NAME(last)(8, true, pass, xr, xi, out);
        break;
    default:
        NAME(any)(pass, true, swap, xr, xi, out, NULL);
        break;
    }
}

ATTRIBUTES static void NAME(run_first)(const stockham_pass *pass, bool swap, const float *in,
                                       float *yr, float *yi) {
    switch (2 * pass->radix + swap) {
    case 8:
        NAME(first)(4, false, pass, in, yr, yi);
        break;
    case 9:
        NAME(first)(4, true, pass, in, yr, yi);
        break;
    case 16:
        NAME(first)(8, false, pass, in, yr, yi);
        break;
    default:
        NAME(first)(8, true, pass, in, yr, yi);
        break;
    }
}
#endif
