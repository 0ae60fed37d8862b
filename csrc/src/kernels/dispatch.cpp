#include "kernels/dispatch.hpp"

#include <cstdlib>

#include "lmlp/error.hpp"
#include "lmlp/runtime.hpp"
#include "names.hpp"

namespace lmlp {

extern const Kernels kernels_generic;
extern const Kernels kernels_x86_64_v2;
extern const Kernels kernels_x86_64_v3;
extern const Kernels kernels_x86_64_v4;

namespace {

std::vector<const Kernels*> available() {
    std::vector<const Kernels*> list;
#if defined(__x86_64__)
    __builtin_cpu_init();
    [[maybe_unused]] const bool v2 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
    [[maybe_unused]] const bool v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                                     __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    [[maybe_unused]] const bool v4 = v3 && __builtin_cpu_supports("avx512f") &&
                                     __builtin_cpu_supports("avx512bw") &&
                                     __builtin_cpu_supports("avx512cd") &&
                                     __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
#ifdef LMLP_X86_64_V4
    if (v4) list.push_back(&kernels_x86_64_v4);
#endif
#ifdef LMLP_X86_64_V3
    if (v3) list.push_back(&kernels_x86_64_v3);
#endif
#ifdef LMLP_X86_64_V2
    if (v2) list.push_back(&kernels_x86_64_v2);
#endif
    list.push_back(&kernels_generic);
    return list;
}

const Kernels& choose_kernels() {
    const std::vector<const Kernels*> list = available();
    const char* forced = std::getenv("LMLP_ISA");
    if (forced == nullptr || *forced == '\0') return *list.front();
    for (const Kernels* entry : list)
        if (std::string(entry->name) == forced) return *entry;
    throw Error(ErrorCode::invalid_argument,
                "LMLP_ISA is '" + std::string(forced) + "'; this build and processor offer " +
                    join(list, [](const Kernels* entry) { return entry->name; }));
}

}  // namespace

const Kernels& kernels() {
    static const Kernels& chosen = choose_kernels();
    return chosen;
}

std::string instruction_set() {
    return kernels().name;
}

std::vector<std::string> instruction_sets() {
    std::vector<std::string> names;
    for (const Kernels* entry : available()) names.push_back(entry->name);
    return names;
}

}  // namespace lmlp
