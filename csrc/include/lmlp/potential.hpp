// A potential: descriptor, ensemble of networks and atomic energies, read from a model file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lmlp/environments.hpp"
#include "lmlp/network.hpp"

namespace lmlp {

// From the spread of the members (standard deviation, ddof 1) to sigma = sqrt(floor^2 + (factor spread)^2).
struct SpreadMap {
    double floor = 0.0, factor = 2.0;

    double sigma(double spread) const;
};

struct SpreadMaps {
    SpreadMap energy;               // of energies per atom, eV/atom
    std::vector<SpreadMap> forces;  // of lengths of force vectors, eV/Angstrom, by species
    SpreadMap stress;               // of a component of the virial per atom, eV/atom
};

struct PotentialInfo {
    std::vector<std::string> elements;  // species order
    std::vector<int> atomic_numbers;
    std::vector<double> atomic_energies;  // eV
    int n_members = 0;
    int n_features = 0;
    double cutoff = 0.0;                            // Angstrom
    std::optional<double> energy_rmse, force_rmse;  // test errors, eV/atom and eV/Angstrom
    double energy_uncertainty_factor = 2.0;         // c of sigma_E = c std(E_m), without spread maps
    double force_uncertainty_factor = 2.0;
    bool has_feature_ranges = false;
    std::optional<SpreadMaps> spread_maps;
    bool has_distance = false;
    // Angstrom [n_elements, n_elements], of the training data; NaN: not known
    std::vector<double> shortest_distances;
    std::string checksum;  // SHA-256 of the file's content, hexadecimal
    std::string header;    // lmlp.json as it stands in the file
};

// What to compute: each array that is not null is filled (assigned, not added to). Energies include E_atom.
struct PotentialResults {
    double* energies = nullptr;               // [n_centers] ensemble mean
    double* pair_gradients = nullptr;         // [n_pairs, 3] dE/dr_ij of the ensemble mean
    double* member_energies = nullptr;        // [n_members, n_centers]
    double* member_pair_gradients = nullptr;  // [n_members, n_pairs, 3]
    std::int32_t* extrapolating = nullptr;    // [n_centers] symmetry functions outside the training range
    double* distances = nullptr;  // [n_centers] from the training atoms, 1 = their 99.9 % quantile
};

struct EvaluationOptions {
    int n_threads = 0;  // 0: OpenMP's default
    Precision precision = Precision::full;
};

// Immutable after construction and safe from many threads. Same bits for every number of threads and every
// division of the centers into calls, in either precision; those of the mean do not depend on whether members
// are asked for. Scratch is kept from call to call, per thread some 100 KiB and as much per center of a tile.
class Potential {
  public:
    // Throws Error(io) or Error(model_file).
    static Potential load(const std::string& path);
    ~Potential();
    Potential(Potential&&) noexcept;
    Potential& operator=(Potential&&) noexcept;

    const PotentialInfo& info() const;
    int species(const std::string& symbol) const;  // throws Error(unknown_element)

    // environments.offsets[0] must be 0. Scratch is bounded: centers are processed in blocks.
    // Throws Error(invalid_argument), Error(unknown_element): species; Error(geometry): coincident atoms,
    // NaN; Error(uncertainty): extrapolation asked of a model without feature ranges,
    // distances of one without them; Error(not_finite): results that overflow, or of an element whose
    // networks could, whatever but distances is asked for.
    void evaluate(const Environments& environments, const std::int32_t* center_species,
                  const PotentialResults& results, const EvaluationOptions& options = {}) const;

  private:
    struct Parts;
    explicit Potential(std::unique_ptr<const Parts> parts);
    std::unique_ptr<const Parts> parts_;
};

}  // namespace lmlp
