#include "atoms/environment_blocks.h"

#include "neigh_list.h"

namespace lmlp_plugin {

bool EnvironmentBlocks::next() {
    centers.clear();
    neighbors.clear();
    vectors.clear();
    center_species_.clear();
    neighbor_species_.clear();
    offsets.assign(1, 0);
    while (position_ < list_.inum && n_centers() < kMaxCenters && n_pairs() < kMaxPairs)
        add_center(list_.ilist[position_++]);
    return !centers.empty();
}

void EnvironmentBlocks::add_center(int i) {
    const std::vector<int>& species_of_type = *atoms_.species_of_type;
    const int center_species = species_of_type[atoms_.type[i]];
    if (center_species < 0) return;
    if (atoms_.left_out != nullptr && !atoms_.left_out->empty() && (*atoms_.left_out)[i]) return;
    const double* xi = atoms_.x[i];
    const double cutoff_squared = atoms_.cutoff * atoms_.cutoff;
    const bool has_limits = atoms_.limits != nullptr && !atoms_.limits->empty();
    const int* jlist = list_.firstneigh[i];
    const int jnum = list_.numneigh[i];
    for (int jj = 0; jj < jnum; ++jj) {
        const int j = jlist[jj] & NEIGHMASK;
        const int species = species_of_type[atoms_.type[j]];
        if (species < 0) continue;
        const double dx = (atoms_.x[j][0] - xi[0]) * atoms_.angstrom_per_length;
        const double dy = (atoms_.x[j][1] - xi[1]) * atoms_.angstrom_per_length;
        const double dz = (atoms_.x[j][2] - xi[2]) * atoms_.angstrom_per_length;
        const double distance_squared = dx * dx + dy * dy + dz * dz;
        if (!(distance_squared < cutoff_squared)) continue;
        if (distance_squared < closest_.distance_squared) closest_ = {distance_squared, i, j};
        if (has_limits) {
            const double limit = atoms_.limits->squared(center_species, species);
            if (distance_squared < limit * too_close_ratio_) {
                too_close_ratio_ = distance_squared / limit;
                too_close_ = {distance_squared, i, j};
            }
        }
        neighbors.push_back(j);
        neighbor_species_.push_back(species);
        vectors.insert(vectors.end(), {dx, dy, dz});
    }
    centers.push_back(i);
    center_species_.push_back(center_species);
    offsets.push_back(n_pairs());
}

lmlp_environments EnvironmentBlocks::environments() const {
    lmlp_environments result{};
    result.struct_size = sizeof(result);
    result.n_centers = n_centers();
    result.offsets = offsets.data();
    result.center_species = center_species_.data();
    result.neighbor_species = neighbor_species_.data();
    result.vectors = vectors.data();
    return result;
}

}  // namespace lmlp_plugin
