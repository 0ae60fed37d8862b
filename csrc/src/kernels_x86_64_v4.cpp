// Kernels for x86-64-v4.
#define LMLP_KERNEL x86_64_v4
#define LMLP_WIDTH 8
#include "kernels/center.hpp"
#include "kernels/jacobian.hpp"
#include "kernels/network.hpp"

namespace lmlp {

extern const Kernels kernels_x86_64_v4;
const Kernels kernels_x86_64_v4 = {"x86-64-v4",
                                   LMLP_WIDTH,
                                   LMLP_KERNEL::features,
                                   LMLP_KERNEL::backward,
                                   LMLP_KERNEL::tangent,
                                   LMLP_KERNEL::network,
                                   LMLP_KERNEL::network_single,
                                   LMLP_KERNEL::jacobian,
                                   LMLP_KERNEL::jacobian_single};

}  // namespace lmlp
