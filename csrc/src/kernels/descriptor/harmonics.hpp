// Sums over neighbors of real spherical harmonics, vectorized over neighbors: harmonics are never stored.
// See PlanView for the recurrences and for the order of the tables.
#pragma once

#include "kernels/kernel_api.hpp"
#include "kernels/vec.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

// What is kept per vector of neighbors while the sums go from degree to degree; K weights per neighbor.
template <int K>
struct HarmonicState {
    Vec z, q, q_before;  // q_lm, q_l-1,m
    Vec weight[K];
    Vec a, b;  // (x + iy)^m
};

// Degrees summed at once with K weights: as many as their sums find registers, a multiple of whole vectors.
template <int K>
constexpr int degrees_at_once() {
    return K * 2 >= W ? (W == 8 ? 4 : 2) : W / K;
}

// out[k][D - 1 - i] = sum_j weight_kj q_lm(z_j) for l = first + i, i < n; zero for i >= n. `lowest`: first =
// m, the weights come from make_weights(v, weight) and are kept if degrees follow, `more`; else they and q of
// the degrees before are taken from the state.
template <int n, bool lowest, int K, int held, class MakeWeights>
inline void sum_degrees(HarmonicState<held>* state, int n_vectors, const double* beta, bool more,
                        const MakeWeights& make_weights, double* const* out) {
    constexpr int D = degrees_at_once<K>();
    Vec total[K * D], next_beta[n];
    unrolled<K * D>([&](auto i) { total[i] = Vec{}; });
    unrolled<n>([&](auto i) { next_beta[i] = fill(beta[i + 1]); });
    for (int v = 0; v < n_vectors; ++v) {
        HarmonicState<held>& s = state[v];
        const Vec z = s.z;
        Vec weight[K];
        Vec q = z, before = fill(1.0);  // degrees m + 1 and m
        if constexpr (lowest) {
            make_weights(v, weight);
            unrolled<K>([&](auto k) { total[k * D + n - 1] += weight[k]; });
            if (more) unrolled<K>([&](auto k) { s.weight[k] = weight[k]; });
        } else {
            unrolled<K>([&](auto k) { weight[k] = s.weight[k]; });
            q = s.q, before = s.q_before;
        }
        unrolled<n - lowest>([&](auto step) {
            constexpr int i = step + lowest;
            unrolled<K>([&](auto k) { total[k * D + n - 1 - i] += weight[k] * q; });
            const Vec next = z * q - next_beta[i] * before;
            before = q;
            q = next;
        });
        if (more) s.q = q, s.q_before = before;
    }
    unrolled<K * D / W>([&](auto i) {
        const Vec sums = sums_of<i * W>(total);
        unrolled<W / D>([&](auto part) { store_lanes<D, part * D>(out[i * W / D + part], sums); });
    });
}

template <int K, int left, int held, class MakeWeights>
inline void sum_lowest_degrees(HarmonicState<held>* state, int n_vectors, const double* beta, int n,
                               bool more, const MakeWeights& make_weights, double* const* out) {
    if (n == left)
        sum_degrees<left, true, K>(state, n_vectors, beta, more, make_weights, out);
    else if constexpr (left > 1)
        sum_lowest_degrees<K, left - 1>(state, n_vectors, beta, n, more, make_weights, out);
}

// All degrees of one m with K weights per neighbor, which make_weights(v, weight) puts into weight[K] for one
// vector of neighbors: out[k][degree - l] for l = m .. degree, zeros to the end of the padded row.
template <int K, int held, class MakeWeights>
inline void sum_harmonics(const PlanView& plan, int m, HarmonicState<held>* state, int n_vectors,
                          const MakeWeights& make_weights, double* const* out) {
    constexpr int D = degrees_at_once<K>();
    const double* beta = plan.harmonic_beta + m * (plan.degree + 2);
    const int size = plan.degree - m + 1, padded = plan.harmonic_row[m + 1] - plan.harmonic_row[m];
    double* at[K];
    for (int k = 0; k < K; ++k) {
        at[k] = out[k] + (size - 1) / D * D;
        for (int i = padded - W; i >= size / W * W; i -= W) store(out[k] + i, Vec{});
    }
    int l = m + (size - 1) % D + 1;
    sum_lowest_degrees<K, D>(state, n_vectors, beta + m, l - m, l <= plan.degree, make_weights, at);
    for (; l <= plan.degree; l += D) {
        for (int k = 0; k < K; ++k) at[k] -= D;
        sum_degrees<D, false, K>(state, n_vectors, beta + l, l + D <= plan.degree, make_weights, at);
    }
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
