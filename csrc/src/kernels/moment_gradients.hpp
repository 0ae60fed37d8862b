// dE/dM -> dE/df and dE/du of all neighbors: the reverse of make_moments().
#pragma once

#include "kernels/harmonic_gradients.hpp"
#include "kernels/moments.hpp"
#include "kernels/spectra.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

// dE/dM, and (l - m) dE/dM at the place of q_l,m+1 (rows from 1 on), whose sums give dE/dz.
struct SlopedGradients {
    const double *m, *self;
    double* slope;  // as m
};

inline void fill_slopes(const PlanView& plan, int n_halves, const SlopedGradients& out) {
    for (int h = 0; h < n_halves; ++h) {
        const double* m_half = out.m + static_cast<std::ptrdiff_t>(h) * plan.n_harmonics;
        double* slope = out.slope + static_cast<std::ptrdiff_t>(h) * plan.n_harmonics;
        for (int m = 1; m <= plan.degree; ++m) {
            const int from = plan.harmonic_row[m - 1], to = plan.harmonic_row[m];
            for (int i = 0; i < plan.harmonic_row[m + 1] - to; i += W)
                store(slope + to + i, load(plan.harmonic_order + from + i) * load(m_half + from + i));
        }
    }
}

// dE/dM -> dE/df and dE/du of n vectors of neighbors from j on, for N radial functions from r on
template <int N, int n>
void add_vector_gradients(const PlanView& plan, const Neighborhood& nb, int g, int r, int j,
                          const SlopedGradients& in, const NeighborGradients& out) {
    const std::ptrdiff_t half = plan.n_harmonics;
    MomentSlopes<N> slopes;
    HarmonicInput<N, n> u;
    unrolled<N>([&](auto k) {
        const std::ptrdiff_t at =
            (static_cast<std::ptrdiff_t>(g) * plan.n_angular_radials + r + k) * 2 * half;
        slopes.cosine[k] = in.m + at;
        slopes.sine[k] = in.m + at + half;
        slopes.cosine_slope[k] = in.slope + at;
        slopes.sine_slope[k] = in.slope + at + half;
        unrolled<n>(
            [&](auto v) { u.f[k * n + v] = load(nb.f + (r + k) * std::ptrdiff_t{nb.size} + j + v * W); });
    });
    unrolled<n>([&](auto v) {
        u.x[v] = load(nb.x + j + v * W);
        u.y[v] = load(nb.y + j + v * W);
        u.z[v] = load(nb.z + j + v * W);
    });
    const HarmonicGradient<N, n> gradient = harmonic_gradient<N, n>(plan, slopes, u);
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
                         const SlopedGradients& in, const NeighborGradients& out) {
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
    const SlopedGradients sloped{
        in.m, in.self, allocate_doubles(arena, static_cast<std::size_t>(n_halves) * plan.n_harmonics)};
    fill_slopes(plan, n_halves, sloped);
    for (int g = 0; g < nb.n_groups; ++g) {
        int r = 0;
        for (; r + 2 <= plan.n_angular_radials; r += 2) add_group_gradients<2>(plan, nb, g, r, sloped, out);
        if (r < plan.n_angular_radials) add_group_gradients<1>(plan, nb, g, r, sloped, out);
    }
}

// grads [n_sides][pairs.n, combo_stride] -> out [n_sides]
inline void moment_gradients(const PlanView& plan, const Neighborhood& nb, const ElementPairs& pairs,
                             const Moments& moments, Arena& arena, int n_sides, const double* grads,
                             const NeighborGradients* out) {
    const std::ptrdiff_t n_sums = static_cast<std::ptrdiff_t>(pairs.n) * plan.combo_stride;
    for (int s = 0; s < n_sides; ++s) {
        const Arena::Mark mark = arena.mark();
        const MomentGradients side =
            moment_gradients_of_sums(plan, nb, pairs, moments, arena, grads + s * n_sums);
        add_moment_gradients(plan, nb, side, arena, out[s]);
        arena.release(mark);
    }
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
