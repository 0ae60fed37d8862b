// Sizes of tables that kernels read in whole vectors.
#pragma once

#include <cstddef>

namespace lmlp {

inline constexpr std::size_t max_width = 8;  // doubles in the widest vector of any instruction set

inline std::size_t padded(std::size_t n) {
    return (n + max_width - 1) / max_width * max_width;
}

}  // namespace lmlp
