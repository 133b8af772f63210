#define _GNU_SOURCE
#include "chost.h"
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>

static uint64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/// A reading of both clocks; of several the one that was interrupted least.
static void reading(uint64_t *ticks, uint64_t *time) {
    uint64_t best = ~0ull;
    for (int i = 0; i < 16; i++) {
        uint64_t before = __rdtsc(), now = nanoseconds(), after = __rdtsc();
        if (after - before >= best) continue;
        best = after - before;
        *ticks = before + best / 2;
        *time = now;
    }
}

uint64_t chost_tsc_kilohertz(void) {
    uint64_t ticks[2] = {0}, time[2] = {0};
    reading(&ticks[0], &time[0]);
    struct timespec rest = {0, 30000000};
    nanosleep(&rest, NULL);
    reading(&ticks[1], &time[1]);
    if (time[1] <= time[0] || ticks[1] <= ticks[0]) return 0;
    return (ticks[1] - ticks[0]) * 1000000 / (time[1] - time[0]);
}
#else
uint64_t chost_tsc_kilohertz(void) { return 0; }
#endif
