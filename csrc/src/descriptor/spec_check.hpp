// Checks of a descriptor spec that do not depend on its functions; the parser runs them before it reads rows.
#pragma once

#include "lmlp/symmetry_functions.hpp"

namespace lmlp {

void check_header(const DescriptorSpec& spec);

}  // namespace lmlp
