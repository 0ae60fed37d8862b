// The short-range baseline: Ziegler-Biersack-Littmark repulsion between pairs, switched off smoothly.
#pragma once

#include <cstdint>
#include <vector>

#include "lmlp/environments.hpp"
#include "lmlp/potential.hpp"

namespace lmlp {

// V(r) = k Z_i Z_j / r phi(r / a) + S(r), a = 0.4685 / (Z_i^0.23 + Z_j^0.23), below the pair's outer radius
// and exactly 0 from there on. S is constant below the inner radius and the polynomial of fourth order that
// makes V twice continuously differentiable, as in LAMMPS's pair style zbl. J. F. Ziegler, J. P. Biersack,
// U. Littmark, The Stopping and Range of Ions in Matter, vol. 1, Pergamon 1985.
class Zbl {
  public:
    // Radii in Angstrom [n, n], symmetric, inner < outer.
    Zbl(const std::vector<int>& atomic_numbers, const std::vector<double>& inner,
        const std::vector<double>& outer);

    // Adds the baseline of one center: half of V to its energies (the other half is the neighbor's), half of
    // dV/dr_ij to its pairs' gradients; the same to the mean and to all members.
    void add(const Environments& all, const std::int32_t* species, std::int64_t center, int n_members,
             const PotentialResults& results) const;

  private:
    struct Pair {
        double inner, outer, factor, inverse_length;  // factor: k Z_i Z_j, eV Angstrom
        double cubic, quartic, constant;              // of S
    };
    struct Value {
        double energy, slope;
    };
    static Value evaluate(const Pair& pair, double r);

    int n_elements_;
    std::vector<Pair> pairs_;  // [n, n]
};

}  // namespace lmlp
