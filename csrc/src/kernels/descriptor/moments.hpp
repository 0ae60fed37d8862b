// Moments of the neighbors of a center, for angular functions that are polynomials in cos(theta):
//   M^e_lm = sum_{j in e} f(R_ij) Y_lm(u_ij)
// in time linear in the neighbors. Moments are kept without the factors N_lm, whose squares enter the power
// spectrum and the gradients.
//
// Here is the seam between neighbors and everything that is built on moments: make_moments() goes from
// neighbors to moments, add_moment_gradients() (moment_gradients.hpp) from dE/dM to dE/df and dE/du of the
// neighbors; power spectra (spectra.hpp) lie beyond.
#pragma once

#include "kernels/descriptor/element_pairs.hpp"
#include "kernels/descriptor/harmonics.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

struct Moments {
    double* m = nullptr;  // [n_groups, n_angular_radials, 2 (cosine, sine), n_harmonics]; sine of m = 0: zero
    double* self = nullptr;  // sum_j f_j^2 [n_groups, n_angular_radials]
};

// The cosine half, then the sine half of group g and radial function r.
inline double* moments_of(const PlanView& plan, double* m, int g, int r) {
    return m + (static_cast<std::ptrdiff_t>(g) * plan.n_angular_radials + r) * 2 * plan.n_harmonics;
}

// States of one group before m = 0.
template <int K>
inline HarmonicState<K>* make_states(const Neighborhood& nb, int g, Arena& arena) {
    const int n = round_up(nb.n_angular[g]) / W;
    auto* state = static_cast<HarmonicState<K>*>(arena.allocate((n + 1) * sizeof(HarmonicState<K>)));
    for (int v = 0; v < n; ++v) {
        state[v].z = load(nb.z + nb.begin[g] + v * W);
        state[v].a = fill(1.0);
        state[v].b = Vec{};
    }
    return state;
}

// (x + iy)^m to the next m.
inline void advance_powers(const Neighborhood& nb, int j, Vec& a, Vec& b) {
    const Vec x = load(nb.x + j), y = load(nb.y + j), before = a;
    a = x * before - y * b;
    b = x * b + y * before;
}

// Moments of one group and N radial functions from r on.
template <int N>
void sum_moments(const PlanView& plan, const Neighborhood& nb, int g, int r, const Moments& moments,
                 HarmonicState<4>* state) {
    const int begin = nb.begin[g], n_vectors = round_up(nb.n_angular[g]) / W;
    const double* f = nb.f + static_cast<std::ptrdiff_t>(r) * nb.size + begin;
    double* out[2 * N];
    for (int k = 0; k < N; ++k) {
        out[k] = moments_of(plan, moments.m, g, r + k);
        for (int i = 0; i < plan.harmonic_row[1]; i += W) store(out[k] + plan.n_harmonics + i, Vec{});
    }
    const auto radial = [&](int k, int v) { return load(f + k * std::ptrdiff_t{nb.size} + v * W); };
    sum_harmonics<N>(
        plan, 0, state, n_vectors,
        [&](int v, Vec* weight) {
            state[v].a = fill(1.0);
            state[v].b = Vec{};
            unrolled<N>([&](auto k) { weight[k] = radial(k, v); });
        },
        out);
    for (int m = 1; m <= plan.degree; ++m) {
        for (int k = 0; k < N; ++k) {
            out[2 * k] = moments_of(plan, moments.m, g, r + k) + plan.harmonic_row[m];
            out[2 * k + 1] = out[2 * k] + plan.n_harmonics;
        }
        sum_harmonics<2 * N>(
            plan, m, state, n_vectors,
            [&](int v, Vec* weight) {
                Vec a = state[v].a, b = state[v].b;
                advance_powers(nb, begin + v * W, a, b);
                unrolled<N>([&](auto k) {
                    const Vec f_k = radial(k, v);
                    weight[2 * k] = f_k * a;
                    weight[2 * k + 1] = f_k * b;
                });
                state[v].a = a;
                state[v].b = b;
            },
            out);
    }
}

inline Moments make_moments(const PlanView& plan, const Neighborhood& nb, Arena& arena) {
    const int n_radials = plan.n_angular_radials;
    const std::size_t n = static_cast<std::size_t>(nb.n_groups) * n_radials;
    const Moments moments{allocate_doubles(arena, n * 2 * plan.n_harmonics), arena.doubles(n)};
    for (int g = 0; g < nb.n_groups; ++g) {
        const Arena::Mark mark = arena.mark();
        HarmonicState<4>* state = make_states<4>(nb, g, arena);
        int r = 0;
        for (; r + 2 <= n_radials; r += 2) sum_moments<2>(plan, nb, g, r, moments, state);
        if (r < n_radials) sum_moments<1>(plan, nb, g, r, moments, state);
        arena.release(mark);
        const int end = nb.begin[g] + nb.n_angular[g];
        for (r = 0; r < n_radials; ++r) {
            const double* f = nb.f + static_cast<std::ptrdiff_t>(r) * nb.size;
            Vec total{};
            for (int j = nb.begin[g]; j < end; j += W) total += load(f + j) * load(f + j);
            moments.self[g * n_radials + r] = sum(total);
        }
    }
    return moments;
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
