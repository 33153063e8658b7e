/* The monotonic clock. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

/* Seconds since some moment; never goes back. */
double base_now(void);

#endif
