// Products with stored derivatives: every number of them is read once, in order, so that the memory is the
// limit. Included once by each kernels/<isa>.cpp.
#pragma once

#include "kernels/jacobian_api.hpp"
#include "kernels/reals.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

template <class Real>
inline Real sum_lanes(typename Of<Real>::V v) {
    Real t[Of<Real>::lanes];
    store(t, v);
    for (int h = Of<Real>::lanes / 2; h > 0; h /= 2)
        for (int i = 0; i < h; ++i) t[i] += t[i + h];
    return t[0];
}

// out[c] += row c · g for three rows of n numbers.
template <class Real>
inline void dot_three(const Real* rows, int n, const Real* g, Real* out) {
    using V = typename Of<Real>::V;
    constexpr int L = Of<Real>::lanes;
    const Real *x = rows, *y = rows + n, *z = y + n;
    V a{}, b{}, c{}, a2{}, b2{}, c2{};
    int k = 0;
    for (; k + 2 * L <= n; k += 2 * L) {
        const V v = load(g + k), w = load(g + k + L);
        a += load(x + k) * v;
        b += load(y + k) * v;
        c += load(z + k) * v;
        a2 += load(x + k + L) * w;
        b2 += load(y + k + L) * w;
        c2 += load(z + k + L) * w;
    }
    if (k + L <= n) {
        const V v = load(g + k);
        a += load(x + k) * v;
        b += load(y + k) * v;
        c += load(z + k) * v;
        k += L;
    }
    Real s = sum_lanes<Real>(a + a2), t = sum_lanes<Real>(b + b2), u = sum_lanes<Real>(c + c2);
    for (; k < n; ++k) {
        s += x[k] * g[k];
        t += y[k] * g[k];
        u += z[k] * g[k];
    }
    out[0] += s;
    out[1] += t;
    out[2] += u;
}

// out[k] += sum over three rows of n numbers of v[c] row c.
template <class Real>
inline void add_three(const Real* rows, int n, const Real* v, Real* out) {
    using V = typename Of<Real>::V;
    constexpr int L = Of<Real>::lanes;
    const Real *x = rows, *y = rows + n, *z = y + n;
    const V a = fill_as(v[0]), b = fill_as(v[1]), c = fill_as(v[2]);
    int k = 0;
    for (; k + L <= n; k += L)
        store(out + k, load(out + k) + (a * load(x + k) + (b * load(y + k) + c * load(z + k))));
    for (; k < n; ++k) out[k] += v[0] * x[k] + (v[1] * y[k] + v[2] * z[k]);
}

template <class Real>
void contract(const Jacobian<Real>& j, int n_inputs, const std::int64_t* slots, const Real* gradients,
              Real* out) {
    for (std::int64_t t = 0; t < 3 * j.n_targets; ++t) out[t] = 0;
    for (std::int64_t i = 0; i < j.n_centers; ++i)
        for (std::int64_t b = j.offsets[i]; b < j.offsets[i + 1]; ++b)
            dot_three(j.rows + 3 * b * n_inputs, n_inputs, gradients + slots[i] * n_inputs,
                      out + 3 * j.targets[b]);
}

template <class Real>
void expand(const Jacobian<Real>& j, int n_inputs, const std::int64_t* slots, const Real* values, Real* out) {
    for (std::int64_t i = 0; i < j.n_centers; ++i) {
        Real* row = out + slots[i] * n_inputs;
        for (int k = 0; k < n_inputs; ++k) row[k] = 0;
        for (std::int64_t b = j.offsets[i]; b < j.offsets[i + 1]; ++b)
            add_three(j.rows + 3 * b * n_inputs, n_inputs, values + 3 * j.targets[b], row);
    }
}

constexpr JacobianKernels<double> jacobian{contract<double>, expand<double>};
constexpr JacobianKernels<float> jacobian_single{contract<float>, expand<float>};

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
