/* What the kernels of mel and nn share: shuffles of the compilers' own vectors, in one spelling for
 * clang and for gcc before and after 12, and a power of two. */
#ifndef BASE_VECTORS_H
#define BASE_VECTORS_H

/* 2^f for |f| ≤ ½: 1 + f·q(f) with q the interpolation of (2^f − 1) / f in the six Chebyshev points
 * of that interval: exact at 0, relative error below 1e-8 before rounding. set(c): the constant as a
 * value; fma(a, b, c) = a·b + c. */
#define BASE_POWER_OF_2(f, set, fma)                                                               \
    fma(fma(fma(fma(fma(fma(set(0.000154531634f), f, set(0.00133908633f)), f,                      \
                        set(0.00961808302f)),                                                      \
                    f, set(0.0555035695f)),                                                        \
                f, set(0.240226507f)),                                                             \
            f, set(0.693147182f)),                                                                 \
        f, set(1.0f))

/* NAME_4, NAME_8 and NAME_16 are for vectors of so many floats or integers of 32 bits. */
#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE_4(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#define SHUFFLE_8(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#define SHUFFLE_16(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef int shuffle_4 __attribute__((vector_size(16)));
typedef int shuffle_8 __attribute__((vector_size(32)));
typedef int shuffle_16 __attribute__((vector_size(64)));
#define SHUFFLE_4(a, b, ...) __builtin_shuffle(a, b, (shuffle_4){__VA_ARGS__})
#define SHUFFLE_8(a, b, ...) __builtin_shuffle(a, b, (shuffle_8){__VA_ARGS__})
#define SHUFFLE_16(a, b, ...) __builtin_shuffle(a, b, (shuffle_16){__VA_ARGS__})
#endif

/* Elements 0, 2, … of (a, b). */
#define EVEN_4(a, b) SHUFFLE_4(a, b, 0, 2, 4, 6)
#define EVEN_8(a, b) SHUFFLE_8(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#define EVEN_16(a, b) SHUFFLE_16(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
/* Elements 1, 3, … of (a, b). */
#define ODD_4(a, b) SHUFFLE_4(a, b, 1, 3, 5, 7)
#define ODD_8(a, b) SHUFFLE_8(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
#define ODD_16(a, b) SHUFFLE_16(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
/* a0, b0, a1, b1, … of the lower halves. */
#define ZIP_LOW_4(a, b) SHUFFLE_4(a, b, 0, 4, 1, 5)
#define ZIP_LOW_8(a, b) SHUFFLE_8(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define ZIP_LOW_16(a, b) SHUFFLE_16(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
/* The same of the upper halves. */
#define ZIP_HIGH_4(a, b) SHUFFLE_4(a, b, 2, 6, 3, 7)
#define ZIP_HIGH_8(a, b) SHUFFLE_8(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define ZIP_HIGH_16(a, b)                                                                          \
    SHUFFLE_16(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
/* Elements in reverse order. */
#define FLIP_4(a) SHUFFLE_4(a, a, 3, 2, 1, 0)
#define FLIP_8(a) SHUFFLE_8(a, a, 7, 6, 5, 4, 3, 2, 1, 0)
#define FLIP_16(a) SHUFFLE_16(a, a, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
/* Pairs in reverse order. */
#define REVERSED_4(a) SHUFFLE_4(a, a, 2, 3, 0, 1)
#define REVERSED_8(a) SHUFFLE_8(a, a, 6, 7, 4, 5, 2, 3, 0, 1)
#define REVERSED_16(a) SHUFFLE_16(a, a, 14, 15, 12, 13, 10, 11, 8, 9, 6, 7, 4, 5, 2, 3, 0, 1)

#endif
