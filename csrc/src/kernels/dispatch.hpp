// Choice of the instruction set at run time.
#pragma once

#include "kernels/kernel_api.hpp"

namespace lmlp {

// Kernels in use: the widest that this processor runs, or the one named by the environment variable LMLP_ISA.
// Throws Error(invalid_argument) where LMLP_ISA names something this processor or build does not have.
const Kernels& kernels();

}  // namespace lmlp
