// Kernels for x86-64-v3.
#define LMLP_KERNEL x86_64_v3
#define LMLP_WIDTH 4
#include "kernels/center.hpp"
#include "kernels/jacobian.hpp"
#include "kernels/network.hpp"

namespace lmlp {

extern const Kernels kernels_x86_64_v3;
const Kernels kernels_x86_64_v3 = {"x86-64-v3",
                                   LMLP_WIDTH,
                                   LMLP_KERNEL::features,
                                   LMLP_KERNEL::backward,
                                   LMLP_KERNEL::tangent,
                                   LMLP_KERNEL::network,
                                   LMLP_KERNEL::network_single,
                                   LMLP_KERNEL::jacobian,
                                   LMLP_KERNEL::jacobian_single};

}  // namespace lmlp
