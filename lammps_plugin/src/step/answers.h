// What the latest step has shown: fields per atom for fix pair, the vector of compute pair, readings for fix
// lmlp/select.
#ifndef LMLP_LAMMPS_ANSWERS_H
#define LMLP_LAMMPS_ANSWERS_H

#include <functional>
#include <limits>
#include <vector>

#include "atoms/environment_blocks.h"
#include "common/units.h"
#include "model/model.h"
#include "pointers.h"
#include "step/evaluation.h"
#include "step/fields.h"
#include "step/global_vector.h"
#include "step/request.h"
#include "step/uncertainty.h"

namespace lmlp_plugin {

// What fix lmlp/select decides by; the same on all ranks. Angstrom, eV, as `lmlp md` reports them. NaN: not
// known.
struct UncertaintyReading {
    double energy_grade = std::numeric_limits<double>::quiet_NaN();
    double force_grade = std::numeric_limits<double>::quiet_NaN();
    double energy_uncertainty = std::numeric_limits<double>::quiet_NaN();
    double data_distance = std::numeric_limits<double>::quiet_NaN();  // the largest from the training data
    double shortest_distance = 0.0;  // of two atoms; infinity where no atom has a neighbor
};

// Owns the uncertainties, the distances from the training data and the counts of symmetry functions outside
// its range, and knows of which step they are. Trial configurations leave no trace: what they request is
// energies and forces only. For a step, on all ranks:  begin, add for each block, finish_atoms, finish_whole.
class Answers : protected LAMMPS_NS::Pointers {
  public:
    explicit Answers(LAMMPS_NS::LAMMPS* lmp) : Pointers(lmp) {}

    // Another model: nothing is known of it yet.
    // It stays where it is.
    void set_model(const Model& model, const Units& units);
    void begin_run() { step_ = -1; }

    void begin(const Request& request);
    void add(const EnvironmentBlocks& block, const Evaluation& evaluation, const Request& request);
    // The values per atom; `exchange` as of Uncertainty::gather. An error where one is not finite.
    void finish_atoms(const Request& request, const std::function<void(int n_values)>& exchange);
    // The values of the whole system; `closest`: the pair of this rank. An error where one is not finite.
    void finish_whole(const Request& request, const ClosestPair& closest);

    int pack(int first_atom, int n, double* buffer) const { return uncertainty_.pack(first_atom, n, buffer); }
    void unpack(const int* atoms, int n, const double* buffer) { uncertainty_.unpack(atoms, n, buffer); }

    LAMMPS_NS::bigint step() const { return step_; }  // the latest of this run; -1: none
    // [nlocal]; nullptr where the latest step has not evaluated the field.
    double* field(Field field);
    // [nlocal, 3] of the latest step, if it has evaluated the members' forces; eV/Angstrom.
    const double* sigma_components() const { return uncertainty_.components.data(); }
    // [nlocal] likewise; NaN without test errors.
    const double* grades() const { return uncertainty_.grade.data(); }
    // [nlocal] of the latest evaluation of the distances from the training data.
    const double* distances() const { return distances_.data(); }
    // [nlocal] number of symmetry functions outside the training range, where the latest step counted them.
    const std::vector<double>& extrapolating() const { return extrapolating_; }
    GlobalVector& vector() { return vector_; }

    // Grows with each step that has evaluated the whole; then all ranks together may read.
    LAMMPS_NS::bigint n_readings() const { return n_readings_; }
    UncertaintyReading read() const;

    double memory_usage() const;

  private:
    void write_vector(const Request& request);
    double sum_extrapolating() const;
    double find_largest_distance() const;

    const Model* model_ = nullptr;
    Units units_;
    LAMMPS_NS::bigint step_ = -1;
    bool energies_valid_ = false;  // sigma of energies, of the latest step
    bool forces_valid_ = false;    // likewise, as the next two
    bool extrapolation_valid_ = false;
    bool distances_valid_ = false;
    Uncertainty uncertainty_;
    std::vector<double> extrapolating_;
    std::vector<double> distances_;
    GlobalUncertainty global_;       // of the latest evaluation, on rank 0
    double largest_distance_ = 0.0;  // likewise
    double shortest_squared_ = 0.0;  // of the latest step, of this rank's pairs, Angstrom^2
    GlobalVector vector_;
    LAMMPS_NS::bigint n_readings_ = 0;
};

}  // namespace lmlp_plugin

#endif
