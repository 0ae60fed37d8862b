// Ensemble uncertainties of one evaluation: per atom for fix pair, global for compute pair.
#ifndef LMLP_LAMMPS_UNCERTAINTY_H
#define LMLP_LAMMPS_UNCERTAINTY_H

#include <mpi.h>

#include <functional>
#include <limits>
#include <vector>

#include "atoms/environment_blocks.h"
#include "common/units.h"
#include "model/model.h"
#include "step/sigma_rule.h"

namespace lmlp_plugin {

// Values of the whole system in LAMMPS units; complete on rank 0 only. NaN: not known. Grades are not known
// when the model stores no test errors.
struct GlobalUncertainty {
    static constexpr double kNotKnown = std::numeric_limits<double>::quiet_NaN();
    double sigma_energy = kNotKnown;
    double max_sigma_force = kNotKnown;  // over atoms, without spread maps over components, too
    double rms_sigma_force = kNotKnown;  // likewise
    double sigma_trace = kNotKnown;      // of the trace of the virial, energy
    double energy_grade = kNotKnown;
    double force_grade = kNotKnown;         // the largest of an atom
    double grade = kNotKnown;               // the larger of them
    double energy_uncertainty = kNotKnown;  // eV, as `lmlp md` reports it: not below its floor
    std::vector<double> member_energies;
    std::vector<double> member_virials;  // trace, energy
};

// What SigmaRule makes of the standard deviations over the members (ddof 1). In this order, on all ranks:
//   begin, add_block for each block, gather, finish_atoms, reduce.
// Without the members' forces, which cost more than all the rest, there is no gather, and there are no fields
// of forces.
class Uncertainty {
  public:
    // Members whose forces travel together in one reverse communication.
    static constexpr int kMembersPerMessage = 4;
    static constexpr int kValuesPerMessage = 3 * kMembersPerMessage;  // of each atom

    void begin(const Model& model, int n_local, int n_all, bool with_forces);

    // member_energies [n_members, n_centers], member_gradients [n_members, n_pairs, 3], of which nothing is
    // read without forces, scale [n_centers].
    void add_block(const EnvironmentBlocks& block, const double* member_energies,
                   const double* member_gradients, const double* scale);

    // Adds the forces that other ranks have found for atoms of this one. `exchange(n)`: one reverse
    // communication of n values per atom, through pack and unpack.
    void gather(const std::function<void(int n_values)>& exchange);
    int pack(int first_atom, int n, double* buffer) const;
    void unpack(const int* atoms, int n, const double* buffer);

    // Fills the per-atom fields, in LAMMPS units.
    void finish_atoms(const Units& units);
    // `of_forces`: with what follows from forces.
    GlobalUncertainty reduce(const Units& units, int dimension, bool of_forces, MPI_Comm world) const;

    double memory_usage() const;

    // [n_local]; 0 for atoms that are not the pair style's. Of forces: empty without them.
    std::vector<double> sigma_force;   // of the vector; without spread maps largest of the three components
    std::vector<double> sigma_energy;  // of the atomic energy
    std::vector<double> grade;         // of sigma_force; NaN without test errors
    std::vector<double> components;    // [n_local, 3] sigma of each force component, eV/Angstrom

    int first_not_finite = -1;  // atom whose sigma is not a finite number, -1: none

  private:
    void add_forces(const EnvironmentBlocks& block, std::size_t center, const double* member_gradients,
                    double scale);
    void finish_force(int i, const Units& units);

    double* force(int atom, int member) {
        return &forces_[3 * (static_cast<std::size_t>(atom) * n_members_ + member)];
    }
    const double* force(int atom, int member) const {
        return &forces_[3 * (static_cast<std::size_t>(atom) * n_members_ + member)];
    }

    SigmaRule rule_;
    double energy_rmse_ = 0.0;
    int n_members_ = 0;
    int n_local_ = 0;
    bool with_forces_ = false;
    int first_member_ = 0;  // of the message under way
    int member_count_ = 0;
    std::vector<int> species_;             // [n_local], -1: no center
    std::vector<double> weights_;          // [n_local] absolute scale of the atom's energy
    std::vector<double> forces_;           // [n_all, n_members, 3] eV/Angstrom
    std::vector<double> member_energies_;  // [n_members] eV, sums of this rank
    std::vector<double> member_virials_;   // likewise: traces, -sum of r_ij . g_ij
    double n_centers_ = 0.0;
    double sum_weights_ = 0.0;
    double sum_squares_ = 0.0;  // of sigma of vectors or of components, eV^2/Angstrom^2
    double max_sigma_ = 0.0;    // eV/Angstrom
};

}  // namespace lmlp_plugin

#endif
