// Kernels for x86-64-v3.
#define LMLP_KERNEL x86_64_v3
#define LMLP_WIDTH 4
#include "kernels/all.hpp"

namespace lmlp {

extern const Kernels kernels_x86_64_v3;
const Kernels kernels_x86_64_v3 = LMLP_KERNEL::make_kernels("x86-64-v3");

}  // namespace lmlp
