#include "lmlp/jacobian.hpp"

#include <vector>

#include "kernels/dispatch.hpp"
#include "threads/parallel.hpp"

namespace lmlp {

namespace {

template <class Real>
const JacobianKernels<Real>& kernels_of();
template <>
const JacobianKernels<float>& kernels_of<float>() {
    return kernels().jacobian_single;
}
template <>
const JacobianKernels<double>& kernels_of<double>() {
    return kernels().jacobian;
}

// First center and first target of each structure of a batch.
struct Starts {
    std::int64_t center, target;
};

template <class Real>
std::vector<Starts> starts_of(const JacobianBatch<Real>& batch) {
    std::vector<Starts> starts;
    Starts next{0, 0};
    for (std::int64_t s = 0; s < batch.n_structures; ++s) {
        starts.push_back(next);
        next.center += batch.structures[s]->n_centers;
        next.target += batch.structures[s]->n_targets;
    }
    return starts;
}

// Calls work(structure, its slots, its first target) for all structures.
template <class Real, class Work>
void for_structures(const JacobianBatch<Real>& batch, int n_threads, Work work) {
    const std::vector<Starts> starts = starts_of(batch);
    parallel_for(
        batch.n_structures, n_threads, [] { return 0; },
        [&](int, std::int64_t s) {
            work(*batch.structures[s], batch.slots + starts[s].center, starts[s].target);
            return true;
        });
}

}  // namespace

template <class Real>
void contract(const JacobianBatch<Real>& batch, const Real* gradients, Real* out, int n_threads) {
    const auto kernel = kernels_of<Real>().contract;
    for_structures(batch, n_threads, [&](const Jacobian<Real>& j, const std::int64_t* slots, std::int64_t t) {
        kernel(j, batch.n_inputs, slots, gradients, out + 3 * t);
    });
}

template <class Real>
void expand(const JacobianBatch<Real>& batch, const Real* values, Real* out, int n_threads) {
    const auto kernel = kernels_of<Real>().expand;
    for_structures(batch, n_threads, [&](const Jacobian<Real>& j, const std::int64_t* slots, std::int64_t t) {
        kernel(j, batch.n_inputs, slots, values + 3 * t, out);
    });
}

template void contract(const JacobianBatch<float>&, const float*, float*, int);
template void contract(const JacobianBatch<double>&, const double*, double*, int);
template void expand(const JacobianBatch<float>&, const float*, float*, int);
template void expand(const JacobianBatch<double>&, const double*, double*, int);

}  // namespace lmlp
