// The neighbors of one center as arrays: grouped by species, angular neighbors (R < angular cutoff) first in
// each group, groups padded to whole vectors with neighbors beyond the cutoff, whose functions are exactly 0.
#pragma once

#include "kernels/kernel_api.hpp"
#include "kernels/vec.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

struct Neighborhood {
    int n_groups = 0;          // species present
    int* species = nullptr;    // [n_groups]
    int* begin = nullptr;      // first neighbor of a group, a multiple of W; [n_groups + 1]
    int* n_all = nullptr;      // neighbors in a group
    int* n_angular = nullptr;  // of which inside the angular cutoff
    int size = 0;              // padded total
    int* pair = nullptr;       // pair of each neighbor, -1 for padding
    double *x = nullptr, *y = nullptr, *z = nullptr;  // unit vectors
    double *r = nullptr, *inverse_r = nullptr;
    // made by evaluate_radials()
    double* f = nullptr;     // radial functions of the angular part [n_angular_radials, size]
    double* df = nullptr;    // derivatives of all [n_radials, size]
    double* sums = nullptr;  // sums of all over each group [n_groups, radial_stride]
};

inline double* allocate_doubles(Arena& arena, std::size_t n) {
    return static_cast<double*>(arena.allocate(n * sizeof(double)));
}

constexpr double coincident_distance = 1e-6;  // Angstrom

// The first bad pair, looked for when there is one.
inline Outcome first_fault(const PlanView& plan, const Center& center) {
    for (std::int64_t p = 0; p < center.n_pairs; ++p) {
        const double* v = center.vectors + 3 * p;
        if (center.species[p] < 0 || center.species[p] >= plan.n_species) return {Fault::species, p};
        // the sum catches NaN and infinity, also where the square alone overflows
        const double probe = (v[0] - v[0]) + (v[1] - v[1]) + (v[2] - v[2]);
        if (probe != 0) return {Fault::not_finite, p};
        if (__builtin_sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]) < coincident_distance)
            return {Fault::coincident, p};
    }
    return {};
}

// Distances of the W pairs whose vectors are at v; what is no distance or too short is added to `bad`.
inline Vec measure_vector(const double* v, Bits& bad) {
    const Vec first = load(v), second = load(v + W), third = load(v + 2 * W);
    const Vec x = component<0>(first, second, third, AllLanes{}),
              y = component<1>(first, second, third, AllLanes{}),
              z = component<2>(first, second, third, AllLanes{});
    const Vec r = square_root(x * x + y * y + z * z);
    // infinite also where the square alone overflows: first_fault() decides
    bad |= ~((r >= fill(coincident_distance)) & (r < fill(1e150)));
    return r;
}

// Distances of all pairs; distance [n_pairs, padded].
inline Outcome measure(const PlanView& plan, const Center& center, double* distance) {
    Bits bad{};
    const std::int64_t n = center.n_pairs, whole = n / W * W;
    for (std::int64_t p = 0; p < whole; p += W)
        store(distance + p, measure_vector(center.vectors + 3 * p, bad));
    if (whole < n) {
        double rest[3 * W];
        for (double& x : rest) x = 1;
        for (std::int64_t i = 0; i < 3 * (n - whole); ++i) rest[i] = center.vectors[3 * whole + i];
        store(distance + whole, measure_vector(rest, bad));
    }
    bool good = !any(bad);
    for (std::int64_t p = 0; p < n; ++p)
        good &= static_cast<unsigned>(center.species[p]) < static_cast<unsigned>(plan.n_species);
    return good ? Outcome{} : first_fault(plan, center);
}

// The pairs within the cutoff and where they belong: counts, then places by class. A class is a species and
// whether the angular cutoff includes the neighbor. Every class has `streams` places for neighbors i %
// streams, so that one neighbor need not wait for the place of the one before.
constexpr int streams = 4;

struct Places {
    int n;                 // pairs within the cutoff
    int *pair, *class_of;  // [n]
    int* next;             // [2 * n_species, streams]
};

inline Places count_classes(const PlanView& plan, const Center& center, const double* distance,
                            Arena& arena) {
    const std::size_t most = center.n_pairs + 1;
    Places places{0, static_cast<int*>(arena.allocate(most * sizeof(int))),
                  static_cast<int*>(arena.allocate(most * sizeof(int))),
                  arena.integers(2 * static_cast<std::size_t>(plan.n_species) * streams)};
    for (std::int64_t p = 0; p < center.n_pairs; ++p) {
        places.pair[places.n] = static_cast<int>(p);
        places.class_of[places.n] = 2 * center.species[p] + !(distance[p] < plan.angular_cutoff);
        places.n += distance[p] < plan.cutoff;
    }
    for (int i = 0; i < places.n; ++i) ++places.next[places.class_of[i] * streams + i % streams];
    return places;
}

// Counts of one class -> places from `begin` on; returns their number.
inline int start_class(int* next, int begin) {
    int at = begin;
    for (int i = 0; i < streams; ++i) {
        const int n = next[i];
        next[i] = at;
        at += n;
    }
    return at - begin;
}

// Groups present, their sizes and starts, and the places of their neighbors.
inline void make_groups(const PlanView& plan, const Places& places, Arena& arena, Neighborhood& nb) {
    int* groups = static_cast<int*>(arena.allocate((4 * plan.n_species + 1) * sizeof(int)));
    nb.species = groups;
    nb.n_all = groups + plan.n_species;
    nb.n_angular = groups + 2 * plan.n_species;
    nb.begin = groups + 3 * plan.n_species;
    nb.begin[0] = 0;
    for (int s = 0; s < plan.n_species; ++s) {
        const int g = nb.n_groups, begin = nb.begin[g];
        int* next = places.next + 2 * s * streams;
        const int n_angular = start_class(next, begin);
        const int n_other = start_class(next + streams, begin + n_angular);
        if (n_angular + n_other == 0) continue;
        nb.species[g] = s;
        nb.n_all[g] = n_angular + n_other;
        nb.n_angular[g] = n_angular;
        nb.begin[g + 1] = begin + round_up(nb.n_all[g]);
        ++nb.n_groups;
    }
    nb.size = nb.begin[nb.n_groups];
}

// Vectors and distances of the neighbors in their order, then unit vectors.
inline void place_neighbors(const PlanView& plan, const Center& center, Arena& arena, const double* distance,
                            Neighborhood& nb) {
    const Places places = count_classes(plan, center, distance, arena);
    make_groups(plan, places, arena, nb);
    const std::size_t size = nb.size;
    nb.x = allocate_doubles(arena, 5 * size);
    nb.y = nb.x + size;
    nb.z = nb.y + size;
    nb.r = nb.z + size;
    nb.inverse_r = nb.r + size;
    nb.pair = static_cast<int*>(arena.allocate(size * sizeof(int)));
    for (int i = 0; i < places.n; ++i) {
        const int j = places.next[places.class_of[i] * streams + i % streams]++, p = places.pair[i];
        const double* v = center.vectors + 3 * static_cast<std::ptrdiff_t>(p);
        nb.pair[j] = p;
        nb.r[j] = distance[p];
        nb.x[j] = v[0];
        nb.y[j] = v[1];
        nb.z[j] = v[2];
    }
    for (int g = 0; g < nb.n_groups; ++g) {
        for (int j = nb.begin[g] + nb.n_all[g]; j < nb.begin[g + 1]; ++j) {
            nb.pair[j] = -1;
            nb.x[j] = nb.y[j] = 0;
            nb.z[j] = nb.r[j] = 2 * plan.cutoff;
        }
    }
    for (int j = 0; j < nb.size; j += W) {
        const Vec inverse = fill(1.0) / load(nb.r + j);
        store(nb.inverse_r + j, inverse);
        store(nb.x + j, load(nb.x + j) * inverse);
        store(nb.y + j, load(nb.y + j) * inverse);
        store(nb.z + j, load(nb.z + j) * inverse);
    }
}

inline Outcome make_neighborhood(const PlanView& plan, const Center& center, Arena& arena, Neighborhood& nb) {
    double* distance = allocate_doubles(arena, center.n_pairs + W);
    const Outcome outcome = measure(plan, center, distance);
    if (outcome.fault == Fault::none) place_neighbors(plan, center, arena, distance, nb);
    return outcome;
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
