/* lull bench: figures measured on this machine. One file a subject: bench_NAME.c. */
#include "cli/commands.h"

#include <string.h>

#include "cli/bench.h"
#include "cli/options.h"

int command_bench(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "train") == 0) return bench_train(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "pulls") == 0) return bench_pulls(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "fft") == 0) return bench_fft(argc - 1, argv + 1);
    return bench_synth(argc, argv);
}
