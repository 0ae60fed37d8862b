// The forward derivative of moments and of the sums built on them.
#pragma once

#include "kernels/descriptor/spectra.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

// Weights of the change of one moment: 0, 1 for q_lm, 2, 3 for its slope, of the harmonics of m - 1.
inline void tangent_weights(const Neighborhood& nb, const NeighborTangents& d, int r, int j, int m,
                            HarmonicState<4>& s, Vec* weight) {
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(r) * nb.size + j;
    const Vec f = load(nb.f + at), d_f = load(nb.df + at) * load(d.r + j);
    const Vec dx = fill(m) * f * load(d.x + j), dy = fill(m) * f * load(d.y + j), dz = f * load(d.z + j);
    const Vec a_before = m > 0 ? s.a : Vec{}, b_before = m > 0 ? s.b : Vec{};
    Vec a = s.a, b = s.b;
    if (m > 0) advance_powers(nb, j, a, b);
    weight[0] = d_f * a + (a_before * dx - b_before * dy);
    weight[1] = d_f * b + (b_before * dx + a_before * dy);
    weight[2] = dz * a_before;
    weight[3] = dz * b_before;
    s.a = a;
    s.b = b;
}

// Change of the moments of one group and radial function; rows [4, stride] is scratch.
inline void sum_moment_tangents(const PlanView& plan, const Neighborhood& nb, int g, int r,
                                const NeighborTangents& d, Arena& arena, double* d_m) {
    const int n_vectors = round_up(nb.n_angular[g]) / W;
    const int stride = plan.stride;
    const Arena::Mark mark = arena.mark();
    HarmonicState<4>* state = make_states<4>(nb, g, arena);
    double* rows = arena.doubles(4 * static_cast<std::size_t>(stride));
    double* const out[4] = {rows, rows + stride, rows + 2 * stride, rows + 3 * stride};
    for (int m = 0; m <= plan.degree; ++m) {
        sum_harmonics<4>(
            plan, m, state, n_vectors,
            [&](int v, Vec* weight) { tangent_weights(nb, d, r, nb.begin[g] + v * W, m, state[v], weight); },
            out);
        for (int half = 0; half < 2; ++half) {
            double* row = d_m + half * plan.n_harmonics;
            const int at = plan.harmonic_row[m], before = m > 0 ? plan.harmonic_row[m - 1] : 0;
            for (int i = 0; i < plan.harmonic_row[m + 1] - at; i += W) {
                store(row + at + i, load(out[half] + i));
                if (m == 0) continue;
                const Vec order = load(plan.harmonic_order + before + i);
                add_to(row + before + i, order * load(out[2 + half] + i));
            }
        }
    }
    arena.release(mark);
}

struct MomentTangents {
    double *m, *self;  // as in Moments
};

// Changes of the moments and of the self terms, for one right-hand side.
inline MomentTangents make_moment_tangents(const PlanView& plan, const Neighborhood& nb, Arena& arena,
                                           const NeighborTangents& d) {
    const int n_radials = plan.n_angular_radials;
    const std::size_t n = static_cast<std::size_t>(nb.n_groups) * n_radials;
    MomentTangents out{allocate_doubles(arena, n * 2 * plan.n_harmonics), arena.doubles(n)};
    for (int g = 0; g < nb.n_groups; ++g) {
        for (int r = 0; r < n_radials; ++r) {
            sum_moment_tangents(plan, nb, g, r, d, arena, moments_of(plan, out.m, g, r));
            const double* f = nb.f + static_cast<std::ptrdiff_t>(r) * nb.size;
            const double* df = nb.df + static_cast<std::ptrdiff_t>(r) * nb.size;
            Vec total{};
            for (int j = nb.begin[g]; j < nb.begin[g] + nb.n_angular[g]; j += W)
                total += load(f + j) * load(df + j) * load(d.r + j);
            out.self[g * n_radials + r] = 2 * sum(total);
        }
    }
    return out;
}

// d [n_sides] -> d_sums [n_sides][pairs.n, combo_stride]; use(s, changes of the moments) for what else
// depends on them
template <class Use>
inline void moment_tangents(const PlanView& plan, const Neighborhood& nb, const ElementPairs& pairs,
                            const Moments& moments, Arena& arena, int n_sides, const NeighborTangents* d,
                            double* d_sums, Use use) {
    double* power = arena.doubles(plan.stride);
    const ExpandedSums expanded = make_expanded_sums(plan, arena);
    for (int s = 0; s < n_sides; ++s) {
        const Arena::Mark mark = arena.mark();
        const MomentTangents change = make_moment_tangents(plan, nb, arena, d[s]);
        use(s, change);
        for (int p = 0; p < pairs.n; ++p) {
            if (!pairs.by_moments[p]) continue;
            const int g = pairs.first[p], h = pairs.second[p];
            double* out = d_sums + (static_cast<std::ptrdiff_t>(s) * pairs.n + p) * plan.combo_stride;
            for (int r = 0; r < plan.n_angular_radials; ++r) {
                clear(power, plan.stride);
                add_power_spectrum(plan, moments_of(plan, moments.m, g, r), moments_of(plan, change.m, h, r),
                                   power);
                add_power_spectrum(plan, moments_of(plan, change.m, g, r), moments_of(plan, moments.m, h, r),
                                   power);
                expand_sums(plan, power, expanded);
                const double self = change.self[g * plan.n_angular_radials + r];
                for (int c = plan.combo_begin[r]; c < plan.combo_begin[r + 1]; ++c)
                    pick_sum(plan, plan.combo_angular[c], expanded, g == h, self, out + c);
            }
        }
        arena.release(mark);
    }
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
