// The neighbor list of LAMMPS as blocks of atomic environments for lmlp_evaluate.
#ifndef LMLP_LAMMPS_ENVIRONMENT_BLOCKS_H
#define LMLP_LAMMPS_ENVIRONMENT_BLOCKS_H

#include <cstdint>
#include <limits>
#include <vector>

#include "lmlp/lmlp.h"
#include "model/distance_limits.h"

namespace LAMMPS_NS {
class NeighList;
}

namespace lmlp_plugin {

// The atoms of one rank, ghosts included, and how to read them.
struct AtomsView {
    const double* const* x = nullptr;  // LAMMPS lengths
    const int* type = nullptr;
    const std::vector<int>* species_of_type = nullptr;  // [ntypes + 1], -1 for types that are not ours
    double angstrom_per_length = 1.0;
    double cutoff = 0.0;                          // Angstrom
    const DistanceLimits* limits = nullptr;       // of pairs that are too close; may be empty
    const std::vector<char>* left_out = nullptr;  // [nlocal] 1: no center; may be empty
};

// A pair met so far; local indices.
struct ClosestPair {
    double distance_squared = std::numeric_limits<double>::infinity();  // Angstrom^2
    int i = -1;
    int j = -1;
};

// Goes through the centers in the order of the list, at most `kMaxCenters` centers and about `kMaxPairs`
// pairs at a time, so that memory stays bounded. Only pairs within the cutoff are kept.
class EnvironmentBlocks {
  public:
    EnvironmentBlocks(const LAMMPS_NS::NeighList& list, const AtomsView& atoms)
        : list_(list), atoms_(atoms) {}

    // Fills the next block; false when there is none.
    bool next();

    // Valid until the next call of next().
    lmlp_environments environments() const;
    int64_t n_centers() const { return static_cast<int64_t>(centers.size()); }
    int64_t n_pairs() const { return static_cast<int64_t>(neighbors.size()); }
    const ClosestPair& closest() const { return closest_; }
    // The pair farthest below its limit, in the ratio of the squares, which is 1 or more where there is none.
    const ClosestPair& too_close() const { return too_close_; }
    double too_close_ratio() const { return too_close_ratio_; }

    std::vector<int> centers;      // [n_centers] local index
    std::vector<int64_t> offsets;  // [n_centers + 1]
    std::vector<int> neighbors;    // [n_pairs] local index, ghosts included
    std::vector<double> vectors;   // [n_pairs, 3] Angstrom

  private:
    static constexpr int kMaxCenters = 1024;
    static constexpr int kMaxPairs = 32768;

    void add_center(int i);

    const LAMMPS_NS::NeighList& list_;
    AtomsView atoms_;
    int position_ = 0;
    ClosestPair closest_, too_close_;
    double too_close_ratio_ = 1.0;
    std::vector<int32_t> center_species_;
    std::vector<int32_t> neighbor_species_;
};

}  // namespace lmlp_plugin

#endif
