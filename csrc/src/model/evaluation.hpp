// The evaluation of one tile of centers of one element, from the pairs to the results.
#pragma once

#include <cstdint>
#include <vector>

#include "lmlp/buffer.hpp"
#include "lmlp/descriptor.hpp"
#include "lmlp/environments.hpp"
#include "lmlp/network.hpp"
#include "lmlp/potential.hpp"
#include "model/feature_distance.hpp"

namespace lmlp {

// A tile's copy of its input, and scratch; one per thread.
struct TileState {
    Buffer<std::int64_t> offsets;
    Buffer<std::int32_t> neighbor_species;
    Buffer<double> vectors, features, energies, gradients, member_energies, member_gradients, pairs, networks,
        distances, squares;
    DescriptorState kept;
    Environments environments;
};

// Of one call: borrows all that it is made from. The steps of a tile follow each other in this order, those
// that nothing is asked of left out; `centers`: the indices of those of the tile.
class Evaluation {
  public:
    Evaluation(const PotentialInfo& info, const Descriptor& descriptor, const Ensemble& ensemble,
               const Environments& all, const std::int32_t* species, const PotentialResults& results,
               Precision precision)
        : info_(info),
          descriptor_(descriptor),
          ensemble_(ensemble),
          all_(all),
          species_(species),
          results_(results),
          precision_(precision) {}

    void gather(const std::int64_t* centers, std::int64_t n, TileState& tile) const;
    void features(TileState& tile) const;
    void extrapolating(const std::int64_t* centers, const TileState& tile, const std::vector<double>& low,
                       const std::vector<double>& high) const;
    void distances(const std::int64_t* centers, const FeatureDistance& distance, TileState& tile) const;
    void networks(const std::int64_t* centers, TileState& tile) const;
    // Gradients of n_sides right-hand sides -> out [n_sides, all pairs, 3]
    void pair_gradients(const std::int64_t* centers, const double* gradients, std::int64_t n_sides,
                        TileState& tile, double* out) const;

    // The error of the first bad center, whatever tile met one first.
    void report() const;

  private:
    std::int64_t count(std::int64_t center) const { return all_.offsets[center + 1] - all_.offsets[center]; }

    const PotentialInfo& info_;
    const Descriptor& descriptor_;
    const Ensemble& ensemble_;
    const Environments& all_;
    const std::int32_t* species_;
    const PotentialResults& results_;
    const Precision precision_;
    const ComputeOptions options_{1, AngularPath::automatic, 0};
};

}  // namespace lmlp
