/* A wall clock that can be stepped, for a program that is started with LD_PRELOAD.
 *
 * The file that STEPPED_CLOCK names holds how far it is stepped, as a native 64-bit number of seconds. As in the kernel, a wait
 * until some wall-clock time that is under way when the clock is stepped lasts so much longer or shorter; libfaketime
 * computes its end only once, which hides the very waits that a step back would prolong. The monotonic clock goes on. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static const int64_t none = 0;
static const volatile int64_t *stepped_s = &none;

__attribute__((constructor)) static void begin(void) {
    const char *name = getenv("STEPPED_CLOCK");
    int file = name ? open(name, O_RDONLY) : -1;
    void *page = file < 0 ? MAP_FAILED : mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, file, 0);
    if (page == MAP_FAILED) abort();
    stepped_s = page;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && clock == CLOCK_REALTIME) now->tv_sec += *stepped_s;
    return failed;
}

/* librdkafka computes the ends of its waits by this one. */
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec precise;
    if (clock_gettime(CLOCK_REALTIME, &precise)) return -1;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

int timespec_get(struct timespec *now, int base) {
    return clock_gettime(CLOCK_REALTIME, now) ? 0 : base;
}

/* Waits in slices of 5 ms by the monotonic clock, and asks the stepped one in between. */
int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *end) {
    for (;;) {
        struct timespec now, slice;
        clock_gettime(CLOCK_REALTIME, &now);
        int64_t left_ns = (end->tv_sec - now.tv_sec) * 1000000000LL + end->tv_nsec - now.tv_nsec;
        if (left_ns <= 0) return ETIMEDOUT;
        clock_gettime(CLOCK_MONOTONIC, &slice);
        slice.tv_nsec += left_ns < 5000000 ? left_ns : 5000000;
        if (slice.tv_nsec >= 1000000000) slice.tv_sec++, slice.tv_nsec -= 1000000000;
        int result = pthread_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, &slice);
        if (result != ETIMEDOUT) return result;
    }
}

/* glibc's C11 threads are its POSIX threads, layout and all. */
int cnd_timedwait(cnd_t *cond, mtx_t *mutex, const struct timespec *end) {
    int result = pthread_cond_timedwait((pthread_cond_t *)cond, (pthread_mutex_t *)mutex, end);
    return result == 0 ? thrd_success : result == ETIMEDOUT ? thrd_timedout : thrd_error;
}
