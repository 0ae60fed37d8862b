// Free atoms: what brings an atom that loses its last neighbors to the energy of the free atom.
#pragma once

#include <cstdint>
#include <vector>

#include "lmlp/environments.hpp"
#include "lmlp/network.hpp"
#include "lmlp/potential.hpp"

namespace lmlp {

// By species: energies of free atoms in eV, and the densities of neighbors below which they count; density 0:
// no free atom of this element is known.
struct FreeAtomTable {
    std::vector<double> energies, densities;
};

// Adds delta g(rho / density) to the energy of a center, rho = sum_j (1 - (r_ij / r_c)^2)^3 over its
// neighbors, g(t) = (1 - t)^3 for t < 1, else 0; delta = E_free - E_atom - NN(0) of each member, whose
// network has features of 0 where there are no neighbors. Twice continuously differentiable; an atom alone
// has E_free exactly, of every member and in every precision.
class FreeAtoms {
  public:
    FreeAtoms(const FreeAtomTable& table, const std::vector<double>& atomic_energies,
              const Ensemble& ensemble, double cutoff);

    // The term of one center, whose results must be there already.
    void add(const Environments& all, const std::int32_t* species, std::int64_t center,
             const PotentialResults& results) const;

  private:
    void add_gradients(const Environments& all, std::int64_t center, int element, double slope,
                       const PotentialResults& results) const;
    double overlap(const double* vector) const;  // 1 - (r / r_c)^2, 0 from the cutoff on

    FreeAtomTable table_;
    int n_members_;
    double inverse_square_;      // 1 / r_c^2, Angstrom^-2
    std::vector<double> delta_;  // eV [n_elements, n_members]
    std::vector<double> mean_;   // eV [n_elements], of delta over the members
};

}  // namespace lmlp
