/* Samples as bytes: against the definition in double precision, the ends of the scale, ties. */
#include "recording/pcm.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int32_t decoded(const unsigned char *at, size_t size) {
    uint32_t bits = 0;
    for (size_t i = 0; i < size; i++) bits |= (uint32_t)at[i] << (8 * (4 - size + i));
    return (int32_t)bits >> (8 * (4 - size));
}

static void steps(void **state) {
    (void)state;
    static const float ends[] = {0, -0.0f, 1, -1, 2, -2, 1e30f, -1e30f, 0.99999994f, 1e-9f};
    for (int f = 0; f < 2; f++) {
        const recording_format format = f == 0 ? RECORDING_PCM16 : RECORDING_PCM24;
        const double top = f == 0 ? 32768 : 8388608;
        const size_t size = recording_pcm_bytes(format);
        float sample[1000 + 10];
        unsigned char bytes[4 * (1000 + 10)];
        uint32_t random = 1;
        for (int i = 0; i < 1000; i++) { /* halves of steps among them: ties go to even */
            random = random * 1664525u + 1013904223u;
            sample[i] = (float)((double)(int32_t)random / 2147483648.0);
            if (i % 2) sample[i] = (float)(rint(sample[i] * 32767) + 0.5) / 32768.0f;
        }
        memcpy(sample + 1000, ends, sizeof ends);
        recording_pcm_encode(format, sample, 1010, bytes);
        for (int i = 0; i < 1010; i++)
            assert_int_equal(decoded(bytes + (size_t)i * size, size),
                             (int32_t)fmax(-top, fmin(top - 1, nearbyint(sample[i] * top))));
    }
}

static void floats(void **state) {
    (void)state;
    static const float samples[] = {0.5f, -2.0f, 1e-40f};
    static const unsigned char wanted[] = {0, 0, 0, 0x3f, 0, 0, 0, 0xc0, 0xc2, 0x16, 1, 0};
    unsigned char bytes[12];
    recording_pcm_encode(RECORDING_FLOAT, samples, 3, bytes);
    assert_int_equal(recording_pcm_bytes(RECORDING_FLOAT), 4);
    assert_memory_equal(bytes, wanted, sizeof wanted);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(steps), cmocka_unit_test(floats)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
