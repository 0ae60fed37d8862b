// Kernels for x86-64-v4.
#define LMLP_KERNEL x86_64_v4
#define LMLP_WIDTH 8
#include "kernels/all.hpp"

namespace lmlp {

extern const Kernels kernels_x86_64_v4;
const Kernels kernels_x86_64_v4 = LMLP_KERNEL::make_kernels("x86-64-v4");

}  // namespace lmlp
