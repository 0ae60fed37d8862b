// Kernels for any processor, with the flags of the rest of the core: on arm64 they include its vectors.
#define LMLP_KERNEL generic
#define LMLP_WIDTH 2
#include "kernels/all.hpp"

namespace lmlp {

#if defined(__aarch64__)
constexpr const char* name = "arm64-neon";
#else
constexpr const char* name = "generic";
#endif

extern const Kernels kernels_generic;
const Kernels kernels_generic = LMLP_KERNEL::make_kernels(name);

}  // namespace lmlp
