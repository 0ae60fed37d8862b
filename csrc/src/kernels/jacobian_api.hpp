// Kernels of the products with stored derivatives, of one structure; see lmlp/jacobian.hpp.
#pragma once

#include <cstdint>

#include "lmlp/jacobian.hpp"

namespace lmlp {

template <class Real>
struct JacobianKernels {
    // out [n_targets, 3]
    void (*contract)(const Jacobian<Real>&, int n_inputs, const std::int64_t* slots, const Real* gradients,
                     Real* out);
    // values [n_targets, 3]
    void (*expand)(const Jacobian<Real>&, int n_inputs, const std::int64_t* slots, const Real* values,
                   Real* out);
};

}  // namespace lmlp
