// The vector that compute pair reads: uncertainties of the whole system, energies and pressures of the
// members, the largest distance from the training data.
#ifndef LMLP_LAMMPS_GLOBAL_VECTOR_H
#define LMLP_LAMMPS_GLOBAL_VECTOR_H

#include <vector>

#include "lmptype.h"
#include "step/uncertainty.h"

namespace lmlp_plugin {

// compute pair reads the length when it is defined, and the values on its steps, summed over the ranks: they
// are on rank 0, with zeros elsewhere.
class GlobalVector {
  public:
    // A one-member model has a vector only where it has distances, without entries for members. The values
    // are not known until they are written.
    void set_model(const lmlp_potential_info& model, bool is_first_rank);
    int length() const { return length_; }
    double* data() { return values_.empty() ? nullptr : values_.data(); }

    // On rank 0. The pressure of a member is the trace of its virial times `pressure_per_virial`.
    void write(const GlobalUncertainty& values, double n_extrapolating, double largest_distance,
               LAMMPS_NS::bigint step, double pressure_per_virial);

  private:
    int length_ = 0;
    std::vector<double> values_;  // not shorter than an earlier model's
};

}  // namespace lmlp_plugin

#endif
