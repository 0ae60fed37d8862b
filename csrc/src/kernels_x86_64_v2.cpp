// Kernels for x86-64-v2.
#define LMLP_KERNEL x86_64_v2
#define LMLP_WIDTH 2
#include "kernels/center.hpp"
#include "kernels/jacobian.hpp"
#include "kernels/network.hpp"

namespace lmlp {

extern const Kernels kernels_x86_64_v2;
const Kernels kernels_x86_64_v2 = {"x86-64-v2",
                                   LMLP_WIDTH,
                                   LMLP_KERNEL::features,
                                   LMLP_KERNEL::backward,
                                   LMLP_KERNEL::tangent,
                                   LMLP_KERNEL::network,
                                   LMLP_KERNEL::network_single,
                                   LMLP_KERNEL::jacobian,
                                   LMLP_KERNEL::jacobian_single};

}  // namespace lmlp
