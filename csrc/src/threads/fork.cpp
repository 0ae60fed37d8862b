// Forked processes: only the forking thread lives on in them. Threads that wait for work and threads that
// hold locks are gone, though memory says that they exist.
#include <atomic>

#include "lmlp/runtime.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif
#if defined(__linux__)
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#endif

namespace lmlp {

namespace {

std::atomic<int> generation{0};

#if defined(__unix__) || defined(__APPLE__)
[[maybe_unused]] const int registered = pthread_atfork(nullptr, nullptr, [] { ++generation; });
#endif

// The library may have been loaded in the forked process only. Linux knows: the ninth field of
// /proc/self/stat are the flags of the process, 0x40 is PF_FORKNOEXEC.
bool find_forked_before() {
#if defined(__linux__)
    std::ifstream file("/proc/self/stat");
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    std::size_t at = text.rfind(')');  // the second field is a name that may hold anything
    for (int field = 3; at != std::string::npos && field <= 9; ++field) at = text.find(' ', at + 1);
    return at != std::string::npos && (std::strtoul(text.c_str() + at, nullptr, 10) & 0x40) != 0;
#else
    return false;
#endif
}

const bool forked_before = find_forked_before();

}  // namespace

int fork_generation() {
    return generation.load(std::memory_order_relaxed);
}

bool is_forked() {
    return forked_before || fork_generation() > 0;
}

}  // namespace lmlp
