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
    Vec a, b, a_before, b_before;  // (x + iy)^m and (x + iy)^(m - 1)
};

template <int K>
inline void start_powers(HarmonicState<K>& s, Vec z) {
    s.z = z;
    s.a = fill(1.0);
    s.b = s.a_before = s.b_before = Vec{};
}

// To the next m.
template <int K>
inline void advance_powers(HarmonicState<K>& s, Vec x, Vec y) {
    s.a_before = s.a;
    s.b_before = s.b;
    s.a = x * s.a_before - y * s.b_before;
    s.b = x * s.b_before + y * s.a_before;
}

// Degrees summed at once with K weights: as many as their sums find registers, a multiple of whole vectors.
template <int K>
constexpr int degrees_at_once() {
    return K * 2 >= W ? (W == 8 ? 4 : 2) : W / K;
}

// out[k][D - 1 - i] = sum_j weight_kj q_lm(z_j) for l = first + i, i < n; zero for i >= n. K weights used of
// those that the state holds; `lowest`: first = m, else the state holds q of the degrees before.
template <int n, bool lowest, int K, int held>
inline void sum_degrees(HarmonicState<held>* state, int n_vectors, const double* beta, double* const* out) {
    constexpr int D = degrees_at_once<K>();
    Vec total[K * D], next_beta[n];
    unrolled<K * D>([&](auto i) { total[i] = Vec{}; });
    unrolled<n>([&](auto i) { next_beta[i] = fill(beta[i + 1]); });
    for (int v = 0; v < n_vectors; ++v) {
        HarmonicState<held>& s = state[v];
        const Vec z = s.z;
        Vec weight[K];
        unrolled<K>([&](auto k) { weight[k] = s.weight[k]; });
        Vec q = z, before = fill(1.0);  // degrees m + 1 and m
        if constexpr (lowest)
            unrolled<K>([&](auto k) { total[k * D + n - 1] += weight[k]; });
        else
            q = s.q, before = s.q_before;
        unrolled<n - lowest>([&](auto step) {
            constexpr int i = step + lowest;
            unrolled<K>([&](auto k) { total[k * D + n - 1 - i] += weight[k] * q; });
            const Vec next = z * q - next_beta[i] * before;
            before = q;
            q = next;
        });
        s.q = q;
        s.q_before = before;
    }
    unrolled<K * D / W>([&](auto i) {
        double sums[W];
        store(sums, sums_of<i * W>(total));
        for (int lane = 0; lane < W; ++lane) out[(i * W + lane) / D][(i * W + lane) % D] = sums[lane];
    });
}

template <int K, int left, int held>
inline void sum_lowest_degrees(HarmonicState<held>* state, int n_vectors, const double* beta, int n,
                               double* const* out) {
    if (n == left)
        sum_degrees<left, true, K>(state, n_vectors, beta, out);
    else if constexpr (left > 1)
        sum_lowest_degrees<K, left - 1>(state, n_vectors, beta, n, out);
}

// All degrees of one m: out[k][degree - l] for l = m .. degree, zeros to the end of the padded row.
template <int K, int held>
inline void sum_harmonics(const PlanView& plan, int m, HarmonicState<held>* state, int n_vectors,
                          double* const* out) {
    constexpr int D = degrees_at_once<K>();
    const double* beta = plan.harmonic_beta + m * (plan.degree + 2);
    const int size = plan.degree - m + 1, padded = plan.harmonic_row[m + 1] - plan.harmonic_row[m];
    double* at[K];
    for (int k = 0; k < K; ++k) {
        at[k] = out[k] + (size - 1) / D * D;
        for (int i = padded - W; i >= size / W * W; i -= W) store(out[k] + i, Vec{});
    }
    int l = m + (size - 1) % D + 1;
    sum_lowest_degrees<K, D>(state, n_vectors, beta + m, l - m, at);
    for (; l <= plan.degree; l += D) {
        for (int k = 0; k < K; ++k) at[k] -= D;
        sum_degrees<D, false, K>(state, n_vectors, beta + l, at);
    }
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
