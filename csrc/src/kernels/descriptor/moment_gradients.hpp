// dE/dM -> dE/df and dE/du of all neighbors: the reverse of make_moments().
#pragma once

#include "kernels/descriptor/harmonic_gradients.hpp"
#include "kernels/descriptor/moments.hpp"
#include "kernels/descriptor/spectra.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

// Newton coefficients of one m for n rows of coefficients of q_lm, `stride` apart: those from i on, in one or
// two vectors.
template <int n, bool two>
inline void newton_coefficients(const PlanView& plan, int m, int i, const double* in, std::ptrdiff_t stride,
                                double* out) {
    const int row = plan.harmonic_row[m], size = plan.harmonic_row[m + 1] - row, last = plan.degree - m;
    const double* column = plan.newton_matrix + plan.newton_row[m] + i;
    Vec first[n], second[n];
    unrolled<n>([&](auto k) { first[k] = second[k] = Vec{}; });
    int l = 0;
    for (; l < i + W && l <= last; ++l, column += size) {
        const Vec upper = load(column), lower = two ? load(column + W) : Vec{};
        unrolled<n>([&](auto k) {
            const Vec c = fill(in[k * stride + row + l]);
            first[k] += upper * c;
            if constexpr (two) second[k] += lower * c;
        });
    }
    unrolled<n>([&](auto k) { store(out + k * stride + row + i, first[k]); });
    if constexpr (!two) return;
    for (; l < i + 2 * W && l <= last; ++l, column += size) {
        const Vec lower = load(column + W);
        unrolled<n>([&](auto k) { second[k] += lower * fill(in[k * stride + row + l]); });
    }
    unrolled<n>([&](auto k) { store(out + k * stride + row + i + W, second[k]); });
}

template <int n>
inline void newton_coefficients(const PlanView& plan, const double* in, std::ptrdiff_t stride, double* out) {
    for (int m = 0; m <= plan.degree; ++m) {
        const int size = plan.harmonic_row[m + 1] - plan.harmonic_row[m];
        int i = 0;
        for (; i + 2 * W <= size; i += 2 * W) newton_coefficients<n, true>(plan, m, i, in, stride, out);
        for (; i < size; i += W) newton_coefficients<n, false>(plan, m, i, in, stride, out);
    }
}

// Those of all rows of dE/dM.
inline void all_newton_coefficients(const PlanView& plan, int n_halves, const double* in, double* out) {
    const std::ptrdiff_t stride = plan.n_harmonics;
    constexpr int at_once = W == 8 ? 8 : 2;
    int h = 0;
    for (; h + at_once <= n_halves; h += at_once)
        newton_coefficients<at_once>(plan, in + h * stride, stride, out + h * stride);
    for (; h < n_halves; h += 2) newton_coefficients<2>(plan, in + h * stride, stride, out + h * stride);
}

// dE/dM in Newton coefficients -> dE/df and dE/du of n vectors of neighbors from j on, for N radial functions
// from r on
template <int N, int n>
void add_vector_gradients(const PlanView& plan, const Neighborhood& nb, int g, int r, int j,
                          const MomentGradients& in, const NeighborGradients& out) {
    HarmonicCoefficients<N> coefficients;
    HarmonicInput<N, n> u;
    unrolled<N>([&](auto k) {
        coefficients.cosine[k] = moments_of(plan, in.m, g, r + k);
        coefficients.sine[k] = coefficients.cosine[k] + plan.n_harmonics;
        unrolled<n>(
            [&](auto v) { u.f[k * n + v] = load(nb.f + (r + k) * std::ptrdiff_t{nb.size} + j + v * W); });
    });
    unrolled<n>([&](auto v) {
        u.x[v] = load(nb.x + j + v * W);
        u.y[v] = load(nb.y + j + v * W);
        u.z[v] = load(nb.z + j + v * W);
    });
    const HarmonicGradient<N, n> gradient = harmonic_gradient<N, n>(plan, coefficients, u);
    unrolled<n>([&](auto v) {
        unrolled<N>([&](auto k) {
            const Vec self = fill(2 * in.self[g * plan.n_angular_radials + r + k]);
            add_to(out.f + (r + k) * std::ptrdiff_t{nb.size} + j + v * W,
                   gradient.f[k * n + v] + self * u.f[k * n + v]);
        });
        add_to(out.x + j + v * W, gradient.x[v]);
        add_to(out.y + j + v * W, gradient.y[v]);
        add_to(out.z + j + v * W, gradient.z[v]);
    });
}

template <int N>
void add_group_gradients(const PlanView& plan, const Neighborhood& nb, int g, int r,
                         const MomentGradients& in, const NeighborGradients& out) {
    constexpr int at_once = W == 8 ? 2 : 1;  // vectors that find registers
    int j = nb.begin[g];
    const int end = nb.begin[g] + round_up(nb.n_angular[g]);
    for (; j + at_once * W <= end; j += at_once * W)
        add_vector_gradients<N, at_once>(plan, nb, g, r, j, in, out);
    for (; j < end; j += W) add_vector_gradients<N, 1>(plan, nb, g, r, j, in, out);
}

inline void add_moment_gradients(const PlanView& plan, const Neighborhood& nb, const MomentGradients& in,
                                 Arena& arena, const NeighborGradients& out) {
    const int n_halves = 2 * nb.n_groups * plan.n_angular_radials;
    const MomentGradients newton{
        allocate_doubles(arena, static_cast<std::size_t>(n_halves) * plan.n_harmonics), in.self};
    all_newton_coefficients(plan, n_halves, in.m, newton.m);
    for (int g = 0; g < nb.n_groups; ++g) {
        int r = 0;
        for (; r + 2 <= plan.n_angular_radials; r += 2) add_group_gradients<2>(plan, nb, g, r, newton, out);
        if (r < plan.n_angular_radials) add_group_gradients<1>(plan, nb, g, r, newton, out);
    }
}

// grads [n_sides][pairs.n, combo_stride] -> out [n_sides]; add(s, dE/dM) adds what else depends on moments
template <class Add>
inline void moment_gradients(const PlanView& plan, const Neighborhood& nb, const ElementPairs& pairs,
                             const Moments& moments, Arena& arena, int n_sides, const double* grads,
                             const NeighborGradients* out, Add add) {
    const std::ptrdiff_t n_sums = static_cast<std::ptrdiff_t>(pairs.n) * plan.combo_stride;
    for (int s = 0; s < n_sides; ++s) {
        const Arena::Mark mark = arena.mark();
        const MomentGradients side =
            moment_gradients_of_sums(plan, nb, pairs, moments, arena, grads + s * n_sums);
        add(s, side);
        add_moment_gradients(plan, nb, side, arena, out[s]);
        arena.release(mark);
    }
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
