/* Cosine and sine of an angle of 32 bits, for loops over vectors. */
#ifndef BASE_CIRCLE_H
#define BASE_CIRCLE_H

#include <stdint.h>
#include <string.h>

static inline uint32_t base_bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float base_float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Of turn/2³² of the circle: the nearest quarter turn, and what is left of the angle: |a| ≤ π/4,
 * where Taylor's series to x⁹ and x¹⁰ are exact to the last bits of a float. Without branches, and
 * with no function of libm, so that a loop of it becomes vectors and gives the same bits on every
 * machine. */
static inline void base_circle(uint32_t turn, float *cosine, float *sine) {
    const uint32_t quarter = (turn + 0x20000000u) >> 30;
    const float a =
        (float)(int32_t)(turn - (quarter << 30)) * (float)(3.14159265358979323846 * 0x1p-31);
    const float q = a * a;
    float s = 1.0f / 362880.0f;
    s = s * q - 1.0f / 5040.0f;
    s = s * q + 1.0f / 120.0f;
    s = s * q - 1.0f / 6.0f;
    s = s * q * a + a;
    float c = -1.0f / 3628800.0f;
    c = c * q + 1.0f / 40320.0f;
    c = c * q - 1.0f / 720.0f;
    c = c * q + 1.0f / 24.0f;
    c = c * q - 0.5f;
    c = c * q + 1.0f;
    /* Odd quarters swap the two; the sign of the cosine is that of quarters 1 and 2, the sign of the
     * sine that of quarters 2 and 3. */
    const uint32_t swap = 0u - (quarter & 1u), x = base_bits_of(c), y = base_bits_of(s);
    *cosine = base_float_of(((x & ~swap) | (y & swap)) ^ (((quarter + 1u) & 2u) << 30));
    *sine = base_float_of(((y & ~swap) | (x & swap)) ^ ((quarter & 2u) << 30));
}

#endif
