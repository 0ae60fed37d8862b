// Sums per element and element pair -> weighted sums of all slots (see PlanView), and the transpose: small
// matrix products over vectors of radial functions or of combinations.
#pragma once

#include "functions/scaling.hpp"
#include "kernels/descriptor/element_pairs.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

// Sums per group [n_groups, radial_stride] and per element pair [pairs.n, combo_stride].
struct Sums {
    double* radial;
    double* angular;
};

inline Sums make_sums(const PlanView& plan, const Neighborhood& nb, const ElementPairs& pairs, Arena& arena,
                      int n_sides) {
    return {arena.doubles(static_cast<std::size_t>(n_sides) * nb.n_groups * plan.radial_stride),
            arena.doubles(static_cast<std::size_t>(n_sides) * pairs.n * plan.combo_stride)};
}

// Those of one right-hand side.
inline Sums side_of(const PlanView& plan, const Neighborhood& nb, const ElementPairs& pairs, const Sums& sums,
                    int side) {
    return {sums.radial + static_cast<std::ptrdiff_t>(side) * nb.n_groups * plan.radial_stride,
            sums.angular + static_cast<std::ptrdiff_t>(side) * pairs.n * plan.combo_stride};
}

// out [n_channels, stride] = weight [n_channels, n_columns], only the columns of `index`, times in [n,
// stride]
inline void apply_weights(const double* weight, int n_channels, int n_columns, const int* index, int n,
                          int stride, const double* in, double* out) {
    for (int c = 0; c < n_channels; ++c, weight += n_columns, out += stride) {
        for (int i = 0; i < stride; i += W) {
            Vec total{};
            for (int p = 0; p < n; ++p) total += fill(weight[index[p]]) * load(in + p * stride + i);
            store(out + i, total);
        }
    }
}

// out [n, stride] = the transpose of that matrix times in [n_channels, stride]
inline void apply_transposed_weights(const double* weight, int n_channels, int n_columns, const int* index,
                                     int n, int stride, const double* in, double* out) {
    for (int p = 0; p < n; ++p) {
        for (int i = 0; i < stride; i += W) {
            Vec total{};
            for (int c = 0; c < n_channels; ++c)
                total += fill(weight[c * n_columns + index[p]]) * load(in + c * stride + i);
            store(out + p * stride + i, total);
        }
    }
}

// Weighted sums of all slots, before scaling: result [n_slots].
inline void weighted_sums(const PlanView& plan, const Neighborhood& nb, const ElementPairs& pairs,
                          const Sums& sums, double* result) {
    apply_weights(plan.radial_weight, plan.n_radial_channels, plan.n_species, nb.species, nb.n_groups,
                  plan.radial_stride, sums.radial, result);
    apply_weights(plan.angular_weight, plan.n_angular_channels, plan.n_element_pairs, pairs.index, pairs.n,
                  plan.combo_stride, sums.angular, result + plan.n_radial_channels * plan.radial_stride);
}

// The transpose of weighted_sums(): dE/d(weighted sums) [n_slots] -> dE/dS.
inline void spread_gradients(const PlanView& plan, const Neighborhood& nb, const ElementPairs& pairs,
                             const double* grad, const Sums& out) {
    apply_transposed_weights(plan.radial_weight, plan.n_radial_channels, plan.n_species, nb.species,
                             nb.n_groups, plan.radial_stride, grad, out.radial);
    apply_transposed_weights(plan.angular_weight, plan.n_angular_channels, plan.n_element_pairs, pairs.index,
                             pairs.n, plan.combo_stride, grad + plan.n_radial_channels * plan.radial_stride,
                             out.angular);
}

// dE/d(weighted sums) [n_slots] from dE/dG [n_features]; slopes: T' [n_slots], nullptr where T is linear
inline void slots_of_features(const PlanView& plan, const double* grad, const double* slopes, double* out) {
    for (int i = 0; i < plan.n_slots; i += W) store(out + i, Vec{});
    for (int n = 0; n < plan.n_features; ++n)
        if (plan.feature_slot[n] >= 0) out[plan.feature_slot[n]] += grad[n];
    for (int i = 0; i < plan.n_slots && slopes != nullptr; i += W)
        store(out + i, load(slopes + i) * load(out + i));
}

// All features but correlation functions.
inline void features_of_slots(const PlanView& plan, const double* slots, double* features) {
    for (int n = 0; n < plan.n_features; ++n)
        if (plan.feature_slot[n] >= 0) features[n] = slots[plan.feature_slot[n]];
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
