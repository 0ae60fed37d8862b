// From the spread of the members to sigma and grade, as the model's format version defines them
// (docs/uncertainty.md).
#ifndef LMLP_LAMMPS_SIGMA_RULE_H
#define LMLP_LAMMPS_SIGMA_RULE_H

#include "lmlp/lmlp.h"

namespace lmlp_plugin {

// Spreads are standard deviations over the members (ddof 1), of what is scaled already. `weight`: the
// absolute scale of an atom (fix adapt), or the sum of those of several atoms: their number where nothing is
// scaled. Model's units.
class SigmaRule {
  public:
    SigmaRule() = default;
    // The potential outlives its use here.
    SigmaRule(const lmlp_potential* potential, const lmlp_potential_info& model)
        : potential_(potential), model_(model) {}

    // With spread maps the force of an atom has one sigma, the root mean square length of its error; each
    // component has the same share of it. Without, the components have their own, and the largest counts.
    bool has_maps() const { return model_.has_spread_maps != 0; }

    // Fills the sigma of the components [3] from their spreads [3]. Returns that of the force.
    double force(int species, double weight, const double* spread, double* components) const;
    double energy(double spread, double weight) const;
    // Of the trace of the virial; `dimension`: how many components it has. NaN without spread maps.
    double trace(double spread, double weight, int dimension) const;

    // In units of the test errors; NaN where the model stores none.
    double force_grade(double sigma) const;
    double energy_grade(double sigma, double n_atoms) const;

  private:
    const lmlp_potential* potential_ = nullptr;
    lmlp_potential_info model_{};
};

}  // namespace lmlp_plugin

#endif
