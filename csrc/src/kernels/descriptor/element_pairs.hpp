// The unordered element pairs that occur around one center, and the gradient arrays of its neighbors.
#pragma once

#include "kernels/descriptor/neighborhood.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

// Element pairs with at least one triple; sums are [n, combo_stride] in this order.
struct ElementPairs {
    int n = 0;
    int *first = nullptr, *second = nullptr;  // groups
    int* index = nullptr;                     // element_pair() of the species
    int* by_moments = nullptr;                // 1: moment path, 0: triple path
};

inline ElementPairs make_element_pairs(const Neighborhood& nb, Arena& arena) {
    ElementPairs pairs;
    const int most = nb.n_groups * (nb.n_groups + 1) / 2;
    pairs.first = arena.integers(most);
    pairs.second = arena.integers(most);
    pairs.index = arena.integers(most);
    pairs.by_moments = arena.integers(most);
    for (int g = 0; g < nb.n_groups; ++g) {
        for (int h = g; h < nb.n_groups; ++h) {
            const bool empty = g == h ? nb.n_angular[g] < 2 : nb.n_angular[g] == 0 || nb.n_angular[h] == 0;
            if (empty) continue;
            pairs.first[pairs.n] = g;
            pairs.second[pairs.n] = h;
            pairs.index[pairs.n++] = element_pair(nb.species[g], nb.species[h]);
        }
    }
    return pairs;
}

// dE/df and dE/du of every neighbor, for one right-hand side.
struct NeighborGradients {
    double* f;          // [n_angular_radials, size]
    double *x, *y, *z;  // [size]
};

inline NeighborGradients make_gradients(const PlanView& plan, const Neighborhood& nb, Arena& arena) {
    return {arena.doubles(static_cast<std::size_t>(plan.n_angular_radials) * nb.size), arena.doubles(nb.size),
            arena.doubles(nb.size), arena.doubles(nb.size)};
}

// Changes of R and of the unit vector of every neighbor, for one right-hand side.
struct NeighborTangents {
    double *r, *x, *y, *z;  // [size]
};

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
