/* The parts of `lull bench`: one function a subject. */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

/* lull bench train: a training step's speed. argv[0] is "train". */
int bench_train(int argc, char **argv);

/* lull bench pulls: the time of single pulls. argv[0] is "pulls". */
int bench_pulls(int argc, char **argv);

/* lull bench fft: the Fourier transforms. argv[0] is "fft". */
int bench_fft(int argc, char **argv);

/* lull bench: synthesis. argv[0] is "bench". */
int bench_synth(int argc, char **argv);

#endif
