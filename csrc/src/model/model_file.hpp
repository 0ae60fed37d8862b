// Reads model files (docs/model-file.md): the only reader of files in the core.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lmlp/network.hpp"
#include "lmlp/potential.hpp"
#include "lmlp/symmetry_functions.hpp"
#include "model/feature_distance.hpp"
#include "model/free_atoms.hpp"

namespace lmlp {

// Radii of the ZBL baseline by pair of species, Angstrom [n_elements, n_elements].
struct BaselineRadii {
    std::vector<double> inner, outer;
};

struct ModelContent {
    std::string header;                 // lmlp.json as it stands in the file
    std::string checksum;               // SHA-256 of the file's content, hexadecimal
    std::vector<std::string> elements;  // species order
    std::vector<int> atomic_numbers;
    std::vector<double> atomic_energies;  // eV
    DescriptorSpec descriptor;
    NetworkParameters network;
    std::optional<double> energy_rmse, force_rmse;  // eV/atom, eV/Angstrom
    double energy_uncertainty_factor = 2.0;
    double force_uncertainty_factor = 2.0;
    std::vector<double> feature_min, feature_max;  // [n_elements, n_features] or empty
    std::optional<BaselineRadii> baseline;
    std::optional<FreeAtomTable> free_atoms;
    std::optional<SpreadMaps> spread_maps;
    std::optional<DistanceParameters> distance;
    std::vector<double> shortest_distances;  // Angstrom [n_elements, n_elements], NaN: not known
};

// Throws Error(io): the file cannot be opened or read; Error(model_file): it is not a model, truncated,
// altered, inconsistent or of a newer format version. Messages name the path.
ModelContent read_model_file(const std::string& path);

}  // namespace lmlp
