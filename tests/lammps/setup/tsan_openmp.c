/* Tells the thread sanitizer what GCC's libgomp, which is not instrumented, cannot: a parallel region happens
 * after what its caller did before, and before what its caller does next. Preloaded by
 * test_lammps_sanitizers.py; without it every parallel region is reported, and suppressions by name would
 * hide real races with the false ones. */
#define _GNU_SOURCE
#include <dlfcn.h>

void __tsan_acquire(void* address);
void __tsan_release(void* address);

typedef void (*Region)(void*);

struct Call {
    Region region;
    void* data;
    char start, end; /* two: the end of one thread's work does not happen before the start of another's */
};

/* Not instrumented: the sanitizer would take this reading of `call` for a race with its writing below. */
__attribute__((no_sanitize("thread"))) static void run_region(void* argument) {
    struct Call* call = argument;
    __tsan_acquire(&call->start);
    call->region(call->data);
    __tsan_release(&call->end);
}

__attribute__((no_sanitize("thread"))) void GOMP_parallel(Region region, void* data, unsigned n_threads,
                                                          unsigned flags) {
    static void (*original)(Region, void*, unsigned, unsigned);
    if (!original) *(void**)&original = dlsym(RTLD_NEXT, "GOMP_parallel");
    struct Call call = {region, data, 0, 0};
    __tsan_release(&call.start);
    original(run_region, &call, n_threads, flags);
    __tsan_acquire(&call.end);
}
