#include "atoms/position_problems.h"

#include <cmath>

#include "atom.h"
#include "fmt/format.h"
#include "lammps.h"
#include "update.h"

using namespace LAMMPS_NS;

namespace lmlp_plugin {

long long atom_id(int i, LAMMPS* lmp) {
    return lmp->atom->tag ? static_cast<long long>(lmp->atom->tag[i]) : i + 1;
}

std::string find_position_problem(LAMMPS* lmp) {
    const int n_all = lmp->atom->nlocal + lmp->atom->nghost;
    for (int i = 0; i < n_all; ++i) {
        const double* x = lmp->atom->x[i];
        if (!std::isfinite(x[0]) || !std::isfinite(x[1]) || !std::isfinite(x[2]))
            return fmt::format("atom {} has the position ({}, {}, {}) on step {}; it must be finite",
                               atom_id(i, lmp), x[0], x[1], x[2], lmp->update->ntimestep);
    }
    return "";
}

std::string find_same_place(const EnvironmentBlocks& block, LAMMPS* lmp) {
    const ClosestPair& closest = block.closest();
    if (closest.i < 0 || closest.distance_squared > 0.0) return "";
    return fmt::format("atoms {} and {} are at the same place on step {}", atom_id(closest.i, lmp),
                       atom_id(closest.j, lmp), lmp->update->ntimestep);
}

}  // namespace lmlp_plugin
