// Kernels for x86-64-v2.
#define LMLP_KERNEL x86_64_v2
#define LMLP_WIDTH 2
#include "kernels/all.hpp"

namespace lmlp {

extern const Kernels kernels_x86_64_v2;
const Kernels kernels_x86_64_v2 = LMLP_KERNEL::make_kernels("x86-64-v2");

}  // namespace lmlp
