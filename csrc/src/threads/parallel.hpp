// The only place that names OpenMP.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "lmlp/runtime.hpp"

namespace lmlp {

// Threads that n_threads = 0 means. A forked process is mostly one of many workers: one thread.
inline int max_threads() {
#ifdef _OPENMP
    return is_forked() ? 1 : omp_get_max_threads();
#else
    return 1;
#endif
}

// Whether this thread works for run_on_threads() in a forked process.
inline bool& in_forked_region() {
    static thread_local bool inside = false;
    return inside;
}

// Threads for n items of work: never more than items, one inside another parallel region.
inline int thread_count(int requested, std::int64_t n) {
#ifdef _OPENMP
    if (omp_in_parallel() || in_forked_region()) return 1;
    // the runtime ends the process where it cannot create the threads that were asked for
    const int most = 8 * omp_get_num_procs();
    const std::int64_t limit = requested > most ? most : (requested > 0 ? requested : max_threads());
    return static_cast<int>(n < limit ? (n > 0 ? n : 1) : limit);
#else
    (void)requested;
    (void)n;
    return 1;
#endif
}

// Threads of this call alone: those of OpenMP's pool are gone in a forked process, and the runtime would wait
// for them for ever. Where the system gives fewer, the work is done by fewer.
template <class Work>
void run_on_own_threads(int threads, const Work& work) {
    const auto marked = [&work] {
        in_forked_region() = true;
        work();
        in_forked_region() = false;
    };
    std::vector<std::thread> others;
    others.reserve(static_cast<std::size_t>(threads));
    try {
        for (int t = 1; t < threads; ++t) others.emplace_back(marked);
    } catch (const std::system_error&) {
    }
    marked();
    for (std::thread& other : others) other.join();
}

// Calls work() on so many threads, which share what there is to do; it must not throw.
template <class Work>
void run_on_threads(int threads, const Work& work) {
    if (threads <= 1) return work();
    if (is_forked()) return run_on_own_threads(threads, work);
#ifdef _OPENMP
#pragma omp parallel num_threads(threads)
    work();
#endif
}

// Calls work(state, i) for i in [0, n), where every thread makes its own state by make_state(). `work`
// returns false to report that item i failed: then the smallest failing i is returned, whatever the number of
// threads (items after it may be skipped), else -1. Exceptions are carried out of the parallel region.
template <class MakeState, class Work>
std::int64_t parallel_for(std::int64_t n, int n_threads, MakeState make_state, Work work) {
    std::atomic<std::int64_t> next{0}, failed{n};
    std::exception_ptr exception;
    std::mutex mutex;
    const int threads = thread_count(n_threads, n);
    const std::int64_t chunk = n / threads > 64 ? 16 : 1;
    run_on_threads(threads, [&] {
        std::optional<decltype(make_state())> state;  // a thread that comes late has nothing to do
        for (std::int64_t begin = next.fetch_add(chunk); begin < n; begin = next.fetch_add(chunk))
            for (std::int64_t i = begin; i < std::min(begin + chunk, n); ++i) {
                if (i >= failed.load(std::memory_order_relaxed)) continue;
                bool good = false;
                try {
                    if (!state) state.emplace(make_state());
                    good = work(*state, i);
                } catch (...) {
                    const std::lock_guard<std::mutex> lock(mutex);
                    if (!exception) exception = std::current_exception();
                }
                std::int64_t seen = failed.load();
                while (!good && i < seen && !failed.compare_exchange_weak(seen, i)) {
                }
            }
    });
    if (exception) std::rethrow_exception(exception);
    return failed.load() < n ? failed.load() : -1;
}

}  // namespace lmlp
