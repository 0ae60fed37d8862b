// Kernels for any processor, with the flags of the rest of the core: on arm64 they include its vectors.
#define LMLP_KERNEL generic
#define LMLP_WIDTH 2
#include "kernels/center.hpp"
#include "kernels/jacobian.hpp"
#include "kernels/network.hpp"

namespace lmlp {

#if defined(__aarch64__)
constexpr const char* name = "arm64-neon";
#else
constexpr const char* name = "generic";
#endif

extern const Kernels kernels_generic;
const Kernels kernels_generic = {name,
                                 LMLP_WIDTH,
                                 LMLP_KERNEL::features,
                                 LMLP_KERNEL::backward,
                                 LMLP_KERNEL::tangent,
                                 LMLP_KERNEL::network,
                                 LMLP_KERNEL::network_single,
                                 LMLP_KERNEL::jacobian,
                                 LMLP_KERNEL::jacobian_single};

}  // namespace lmlp
