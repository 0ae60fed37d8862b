#include "model/distance_limits.h"

#include <cmath>

namespace lmlp_plugin {

void DistanceLimits::set_all(int n_species, double limit) {
    n_species_ = n_species;
    from_data_ = false;
    squared_.assign(static_cast<std::size_t>(n_species) * n_species, limit * limit);
}

bool DistanceLimits::set_from_data(const lmlp_potential* potential, int n_species) {
    n_species_ = n_species;
    from_data_ = true;
    squared_.assign(static_cast<std::size_t>(n_species) * n_species, 0.0);
    bool any = false;
    for (int a = 0; a < n_species; ++a)
        for (int b = 0; b < n_species; ++b) {
            double shortest = 0.0;
            if (lmlp_potential_shortest_distance(potential, a, b, &shortest) != LMLP_OK) continue;
            if (!std::isfinite(shortest)) continue;
            any = true;
            squared_[static_cast<std::size_t>(a) * n_species + b] = kShare * shortest * kShare * shortest;
        }
    if (!any) clear();
    return any;
}

}  // namespace lmlp_plugin
