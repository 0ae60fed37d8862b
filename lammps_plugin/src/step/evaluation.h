// One block of environments evaluated by the core, and added to LAMMPS's energies, forces and virials.
#ifndef LMLP_LAMMPS_EVALUATION_H
#define LMLP_LAMMPS_EVALUATION_H

#include <cstdint>
#include <string>
#include <vector>

#include "atoms/environment_blocks.h"
#include "common/units.h"
#include "model/model.h"
#include "step/request.h"
#include "step/virial.h"

namespace lmlp_plugin {

// Where to add energies; nullptr for what is not wanted.
struct EnergyTargets {
    double* global = nullptr;
    double* per_atom = nullptr;  // [n]
};

// Owns the arrays that the core fills, those of the latest block; they keep their memory.
class Evaluation {
  public:
    // "" or what is wrong. `scale` [ntypes + 1, ntypes + 1]: factors of energies and forces, of which the
    // diagonal counts, for the center's `type` [nlocal].
    std::string evaluate(const EnvironmentBlocks& block, const Request& request, const Model& model,
                         const lmlp_options& options, const int* type, const double* const* scale);

    void add_energies(const EnvironmentBlocks& block, const Units& units, const EnergyTargets& targets) const;
    void add_forces(const EnvironmentBlocks& block, const Units& units, double** f,
                    const VirialTargets& targets) const;

    // What the request has asked for, of the model's units: not scaled.
    const double* member_energies() const { return member_energies_.data(); }    // [n_members, n_centers]
    const double* member_gradients() const { return member_gradients_.data(); }  // [n_members, n_pairs, 3]
    const int32_t* extrapolating() const { return extrapolating_.data(); }       // [n_centers]
    const double* distances() const { return distances_.data(); }                // [n_centers]
    const double* scale() const { return scale_.data(); }                        // [n_centers]

    double memory_usage() const;

  private:
    std::vector<double> energies_;   // [n_centers] eV
    std::vector<double> gradients_;  // [n_pairs, 3] eV/Angstrom
    std::vector<double> member_energies_, member_gradients_, distances_, scale_;
    std::vector<int32_t> extrapolating_;
};

}  // namespace lmlp_plugin

#endif
