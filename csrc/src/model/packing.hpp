// Matrices as the kernels of the networks read them, see kernels/network/network_api.hpp.
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/network/network_api.hpp"

namespace lmlp {

inline int padded_rows(int n) {
    return (n + panel_rows - 1) / panel_rows * panel_rows;
}

inline std::ptrdiff_t panel_size(int n_in) {
    return static_cast<std::ptrdiff_t>(panel_rows) * padded_rows(n_in);
}

// For each group of panel_rows rows of weight [n_out, n_in], for each column, its rows; missing rows and
// columns are zero.
template <class Real>
std::vector<Real> pack_panels(const double* weight, int n_out, int n_in) {
    const int columns = padded_rows(n_in);
    std::vector<Real> packed(static_cast<std::size_t>(padded_rows(n_out)) * columns);
    for (int r = 0; r < n_out; ++r)
        for (int c = 0; c < n_in; ++c)
            packed[static_cast<std::size_t>(r / panel_rows * columns + c) * panel_rows + r % panel_rows] =
                static_cast<Real>(weight[static_cast<std::size_t>(r) * n_in + c]);
    return packed;
}

}  // namespace lmlp
