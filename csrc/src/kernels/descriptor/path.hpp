// Which element pairs of a center are summed by moments and which by triples: a count of vector
// operations, its weights fitted to measured times of both paths, features and gradients, for 2 to 220
// neighbors.
#pragma once

#include "kernels/descriptor/element_pairs.hpp"
#include "kernels/descriptor/harmonics.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

inline bool any_by_moments(const ElementPairs& pairs) {
    for (int p = 0; p < pairs.n; ++p)
        if (pairs.by_moments[p]) return true;
    return false;
}

inline bool any_by_triples(const ElementPairs& pairs) {
    for (int p = 0; p < pairs.n; ++p)
        if (!pairs.by_moments[p]) return true;
    return false;
}

// Triples of one element pair: angular functions and their use, per vector of k.
inline double triple_cost(const PlanView& plan, const Neighborhood& nb, int g, int h) {
    const double per_vector = 8 + 8.0 * plan.n_angulars + 2.0 * plan.n_combos + 4.0 * plan.n_angular_radials;
    const double vectors = round_up(nb.n_angular[h]) / W;
    const double rows = nb.n_angular[g];
    return rows * per_vector * (g == h ? 0.5 * (vectors + 1) : vectors) + 20 * rows;
}

inline double harmonics(const PlanView& plan) {
    return (plan.degree + 1.0) * (plan.degree + 1.0) * plan.n_angular_radials;
}

// Power spectrum of one element pair, and what the gradients need of it.
inline double spectrum_cost(const PlanView& plan) {
    return 1.6 / W * harmonics(plan) + 0.25 * plan.n_combos * (plan.degree + 1);
}

// Moments of one group: what does not depend on the number of its neighbors, and its vectors of neighbors.
inline double group_cost(const PlanView& plan, const Neighborhood& nb, int g) {
    if (nb.n_angular[g] == 0) return 0;
    const double vectors = round_up(nb.n_angular[g]) / W;
    return (0.1 + 8.0 / W) * harmonics(plan) +
           vectors * (0.54 * harmonics(plan) + 2.5 * (plan.degree + 1) * plan.n_angular_radials);
}

inline void choose_paths(const PlanView& plan, const Neighborhood& nb, AngularPath path,
                         ElementPairs& pairs) {
    if (!plan.has_moments || path == AngularPath::triples) return;
    double by_triples = 0, by_moments = 0;
    for (int g = 0; g < nb.n_groups; ++g) by_moments += group_cost(plan, nb, g);
    for (int p = 0; p < pairs.n; ++p) {
        const double triples = triple_cost(plan, nb, pairs.first[p], pairs.second[p]);
        const double spectrum = spectrum_cost(plan);
        by_triples += triples;
        by_moments += triples < spectrum ? triples : spectrum;
        pairs.by_moments[p] = path == AngularPath::moments || spectrum <= triples;
    }
    if (path == AngularPath::moments || by_moments < by_triples) return;
    for (int p = 0; p < pairs.n; ++p) pairs.by_moments[p] = 0;
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
