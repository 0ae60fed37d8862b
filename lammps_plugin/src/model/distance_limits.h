// Distances below which two atoms are reported: one for all, or per pair of elements from the training data.
#ifndef LMLP_LAMMPS_DISTANCE_LIMITS_H
#define LMLP_LAMMPS_DISTANCE_LIMITS_H

#include <cstddef>
#include <vector>

#include "lmlp/lmlp.h"

namespace lmlp_plugin {

class DistanceLimits {
  public:
    // Share of the shortest distance in the training data. Long runs come a little closer than a finite set.
    static constexpr double kShare = 0.9;

    void clear() { squared_.clear(); }
    void set_all(int n_species, double limit);  // Angstrom
    // False where the model knows no distance of any pair.
    bool set_from_data(const lmlp_potential* potential, int n_species);

    bool empty() const { return squared_.empty(); }
    bool from_data() const { return from_data_; }
    // Angstrom^2, 0 for pairs without a limit.
    double squared(int a, int b) const {
        return squared_[static_cast<std::size_t>(a) * static_cast<std::size_t>(n_species_) + b];
    }

  private:
    int n_species_ = 0;
    bool from_data_ = false;
    std::vector<double> squared_;
};

}  // namespace lmlp_plugin

#endif
