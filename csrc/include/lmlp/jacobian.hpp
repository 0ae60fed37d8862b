// Stored derivatives of network inputs by positions, contracted with many vectors during training.
#pragma once

#include <cstdint>

namespace lmlp {

// Derivatives of the inputs of one structure: of center i by target a, three rows of n_inputs numbers.
// Targets are atoms, and whatever else the caller counts on behind them.
template <class Real>
struct Jacobian {
    std::int64_t n_centers;
    std::int64_t n_targets;
    const std::int64_t* offsets;  // [n_centers + 1] into targets
    const std::int32_t* targets;  // [n_blocks]
    const Real* rows;             // [n_blocks, 3, n_inputs]
};

// Structures of a batch: pointers to n_structures of them; their centers, one structure after the other,
// stand in rows `slots` [sum of n_centers] of a matrix [any, n_inputs], where no row is named twice.
template <class Real>
struct JacobianBatch {
    std::int64_t n_structures;
    int n_inputs;
    const Jacobian<Real>* const* structures;
    const std::int64_t* slots;
};

// out [sum of n_targets, 3] = sum over centers i and inputs k of J[i k, target] gradients[slot of i, k].
// One structure is summed by one thread: the same bits for any number of threads; 0: OpenMP's default.
template <class Real>
void contract(const JacobianBatch<Real>& batch, const Real* gradients, Real* out, int n_threads);

// out[slot of i, k] = sum over targets of J[i k, target] values[target], values [sum of n_targets, 3]; other
// rows of `out` are left as they are.
template <class Real>
void expand(const JacobianBatch<Real>& batch, const Real* values, Real* out, int n_threads);

extern template void contract(const JacobianBatch<float>&, const float*, float*, int);
extern template void contract(const JacobianBatch<double>&, const double*, double*, int);
extern template void expand(const JacobianBatch<float>&, const float*, float*, int);
extern template void expand(const JacobianBatch<double>&, const double*, double*, int);

}  // namespace lmlp
