/* Whether the tile kernels may be used here: the CPU has them, the system saves the tiles' state
 * and gives this process leave, and they compute what their twins do. */
#include "nn/tables.h"

#include "base/os_thread.h"
#include "nn/self_check.h"

#include <cpuid.h>
#include <pthread.h>

/* All but what the tiles compute is the AVX-512 table's; filled in when the CPU is right. */
nn_kernels nn_amx = {.name = "amx"};

/* Compilers' __builtin_cpu_supports does not know AMX yet. CPUID leaf 7: AMX-BF16 and AMX-TILE;
 * XCR0: the system saves the tiles' shapes and contents (Intel SDM volume 1, 13.2 and 18.2). */
static bool cpu_has_tiles(void) {
    unsigned a, b, c, d;
    const unsigned tiles = 1u << 22 | 1u << 24, saved = 1u << 17 | 1u << 18, osxsave = 1u << 27;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & osxsave)) return false;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & tiles) != tiles) return false;
    __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return (a & saved) == saved;
}

static bool ready;

static void look(void) {
    if (!cpu_has_tiles() || !os_thread_allow_tiles()) return;
    nn_amx = nn_avx512bf16;
    nn_amx.name = "amx";
    nn_amx.product_bf16 = nn_amx_product_bf16;
    nn_amx.outer_bf16 = nn_amx_outer_bf16;
    ready = nn_self_check(&nn_amx);
}

bool nn_amx_ready(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, look);
    return ready;
}
