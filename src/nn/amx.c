/* Tile products for CPUs with AMX-TILE and AMX-BF16: the instructions under nn/amx_tiles.h. They
 * are written out, because gcc's intrinsics do not tell the compiler which memory is read. */
#include "nn/tables.h"

#define tiles_configure(shapes) __asm__ volatile("ldtilecfg (%0)" : : "r"(shapes) : "memory")
#define tiles_release() __asm__ volatile("tilerelease" : : : "memory")
#define tile_load(t, address, stride)                                                              \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t                                               \
                     :                                                                             \
                     : "r"(address), "r"((size_t)(stride))                                         \
                     : "memory")
#define tile_store(t, address, stride)                                                             \
    __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)"                                           \
                     :                                                                             \
                     : "r"(address), "r"((size_t)(stride))                                         \
                     : "memory")
/* AT&T syntax has the operands in reverse. */
#define tile_dot(c, a, b) __asm__ volatile("tdpbf16ps %tmm" #b ", %tmm" #a ", %tmm" #c)

#include "nn/amx_tiles.h"

void nn_amx_product_bf16(int rows, int n, int k, int taps, const bf16 *const *a, size_t lda,
                         const bf16 *packed, const float *bias, bool accumulate, float *c,
                         size_t ldc) {
    tiles_product_bf16(rows, n, k, taps, a, lda, packed, bias, accumulate, c, ldc);
}

void nn_amx_outer_bf16(int rows, int m, int n, const bf16 *a, size_t lda, const bf16 *b, size_t ldb,
                       float *c, size_t ldc, void *scratch) {
    tiles_outer_bf16(rows, m, n, a, lda, b, ldb, c, ldc, scratch);
}

void nn_amx_chains(int count) {
    static const char zeros[TILE_SIDE * 4 * TILE_SIDE];
    shape_tiles(TILE_SIDE, TILE_SIDE, TILE_SIDE);
    tile_load(0, zeros, 4 * TILE_SIDE);
    tile_load(1, zeros, 4 * TILE_SIDE);
    tile_load(2, zeros, 4 * TILE_SIDE);
    tile_load(3, zeros, 4 * TILE_SIDE);
    tile_load(4, zeros, 4 * TILE_SIDE);
    tile_load(5, zeros, 4 * TILE_SIDE);
    tile_load(6, zeros, 4 * TILE_SIDE);
    tile_load(7, zeros, 4 * TILE_SIDE);
    for (int i = 0; i < count; i += 4) {
        tile_dot(0, 4, 6);
        tile_dot(1, 4, 7);
        tile_dot(2, 5, 6);
        tile_dot(3, 5, 7);
    }
    tiles_release();
}
