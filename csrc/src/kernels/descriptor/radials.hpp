// Radial functions of all neighbors of a center and their sums over each group.
#pragma once

#include "functions/radial.hpp"
#include "kernels/descriptor/neighborhood.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

// What the functions of one cutoff share, for all neighbors.
struct CutoffValues {
    double *a, *b;  // [size]
};

template <class Form>
CutoffValues cutoff_values(const Neighborhood& nb, double cutoff, Arena& arena) {
    const CutoffValues values{allocate_doubles(arena, nb.size), allocate_doubles(arena, nb.size)};
    for (int j = 0; j < nb.size; j += W) {
        const Cutoff at = Form::CutoffType::value(load(nb.r + j), cutoff);
        store(values.a + j, at.a);
        store(values.b + j, at.b);
    }
    return values;
}

// Radial function k of all neighbors, of the angular ones only if no radial function needs the others;
// totals [n_groups, W]: sums of the vectors of each group.
template <class Form>
void evaluate_radial(const PlanView& plan, const Neighborhood& nb, int k, const CutoffValues& cutoff,
                     double* totals) {
    double* df = nb.df + static_cast<std::ptrdiff_t>(k) * nb.size;
    double* f = k < plan.n_angular_radials ? nb.f + static_cast<std::ptrdiff_t>(k) * nb.size : nullptr;
    for (int g = 0; g < nb.n_groups; ++g) {
        const int angular_end = nb.begin[g] + round_up(nb.n_angular[g]);
        const int end = plan.used_by_radials[k] ? nb.begin[g + 1] : angular_end;
        Vec total{};
        for (int j = nb.begin[g]; j < end; j += W) {
            Vec value, slope;
            Form::value(load(nb.r + j), {load(cutoff.a + j), load(cutoff.b + j)}, plan.eta[k], plan.shift[k],
                        value, slope);
            total += value;
            store(df + j, slope);
            if (f != nullptr) store(f + j, value);
        }
        for (int j = end; j < nb.begin[g + 1]; j += W) store(df + j, Vec{});
        store(totals + g * W, total);
    }
}

// in [n_radials, n_groups, W], of which lanes are to be summed -> out [n_groups, radial_stride]
inline void sum_lanes(const PlanView& plan, int n_groups, const double* in, double* out) {
    const int last = plan.n_radials - 1;
    for (int g = 0; g < n_groups; ++g) {
        for (int k = 0; k < plan.n_radials; k += W) {
            Vec total[W];
            unrolled<W>([&](auto i) {
                const int row = k + i < last ? k + i : last;
                total[i] = load(in + (static_cast<std::ptrdiff_t>(row) * n_groups + g) * W);
            });
            store(out + g * plan.radial_stride + k, sums_of<0>(total));
        }
    }
}

template <class Form>
void evaluate_radials(const PlanView& plan, Arena& arena, Neighborhood& nb) {
    nb.f = allocate_doubles(arena, static_cast<std::size_t>(plan.n_angular_radials) * nb.size);
    nb.df = allocate_doubles(arena, static_cast<std::size_t>(plan.n_radials) * nb.size);
    nb.sums = arena.doubles(static_cast<std::size_t>(nb.n_groups) * plan.radial_stride);
    const Arena::Mark mark = arena.mark();
    const CutoffValues full = cutoff_values<Form>(nb, plan.cutoff, arena);
    const CutoffValues angular =
        plan.angular_cutoff == plan.cutoff ? full : cutoff_values<Form>(nb, plan.angular_cutoff, arena);
    double* totals = allocate_doubles(arena, static_cast<std::size_t>(plan.n_radials) * nb.n_groups * W);
    for (int k = 0; k < plan.n_radials; ++k)
        evaluate_radial<Form>(plan, nb, k, plan.radial_cutoff[k] == plan.cutoff ? full : angular,
                              totals + static_cast<std::ptrdiff_t>(k) * nb.n_groups * W);
    sum_lanes(plan, nb.n_groups, totals, nb.sums);
    arena.release(mark);
}

inline void evaluate_radials(const PlanView& plan, Arena& arena, Neighborhood& nb) {
    with_radial_form(plan.radial_form, [&](auto form) { evaluate_radials<decltype(form)>(plan, arena, nb); });
}

// sum_j df_k(R_j) dR_j of each group -> out [n_groups, radial_stride]
inline void radial_tangents(const PlanView& plan, const Neighborhood& nb, const double* d_r, Arena& arena,
                            double* out) {
    const Arena::Mark mark = arena.mark();
    double* totals = allocate_doubles(arena, static_cast<std::size_t>(plan.n_radials) * nb.n_groups * W);
    for (int k = 0; k < plan.n_radials; ++k) {
        const double* df = nb.df + static_cast<std::ptrdiff_t>(k) * nb.size;
        for (int g = 0; g < nb.n_groups; ++g) {
            Vec total{};
            for (int j = nb.begin[g]; j < nb.begin[g + 1]; j += W) total += load(df + j) * load(d_r + j);
            store(totals + (static_cast<std::ptrdiff_t>(k) * nb.n_groups + g) * W, total);
        }
    }
    sum_lanes(plan, nb.n_groups, totals, out);
    arena.release(mark);
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
