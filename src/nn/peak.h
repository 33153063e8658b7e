/* What a core could do at most: multiply-adds in registers, measured. What kernels reach is told as
 * a part of it. */
#ifndef NN_PEAK_H
#define NN_PEAK_H

/* GFLOP/s of one core, the best of runs that last `seconds` in all (by the thread's own clock).
 * With the widest vectors that this CPU has and lull's kernels know; 0 when there is no such
 * instruction. */
double nn_peak_f32(double seconds);
double nn_peak_bf16(double seconds);

/* Seconds that this thread has computed: other programs disturb it less than they disturb a wall
 * clock. */
double nn_thread_seconds(void);

#endif
