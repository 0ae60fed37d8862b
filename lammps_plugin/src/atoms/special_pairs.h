// Pairs of atoms that special_bonds leaves out or scales: a model needs whole environments.
#ifndef LMLP_LAMMPS_SPECIAL_PAIRS_H
#define LMLP_LAMMPS_SPECIAL_PAIRS_H

#include <string>
#include <vector>

namespace LAMMPS_NS {
class LAMMPS;
}

namespace lmlp_plugin {

// "" or the kind of pairs that atoms of this rank have and special_bonds changes. Types of species -1 are not
// looked at. Which of the atoms have such pairs changes during a run: molecules come, bonds are made.
std::string find_special_problem(const std::vector<int>& species_of_type, LAMMPS_NS::LAMMPS* lmp);

// Ends the run where special_bonds changes pairs and a fix is there whose purpose is to make bonds.
void check_bond_fixes(LAMMPS_NS::LAMMPS* lmp);

}  // namespace lmlp_plugin

#endif
