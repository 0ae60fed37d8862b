// Positions of which no model can be asked, as texts for errors.
#ifndef LMLP_LAMMPS_POSITION_PROBLEMS_H
#define LMLP_LAMMPS_POSITION_PROBLEMS_H

#include <string>

#include "atoms/environment_blocks.h"

namespace LAMMPS_NS {
class LAMMPS;
}

namespace lmlp_plugin {

// What messages call an atom, local or ghost: its ID, or its place on this rank where atoms have no IDs.
long long atom_id(int i, LAMMPS_NS::LAMMPS* lmp);

// "" or the first atom of this rank, ghosts included, whose position is not finite.
std::string find_position_problem(LAMMPS_NS::LAMMPS* lmp);

// "" or two atoms at the same place, among the pairs that the blocks have met so far.
std::string find_same_place(const EnvironmentBlocks& block, LAMMPS_NS::LAMMPS* lmp);

}  // namespace lmlp_plugin

#endif
