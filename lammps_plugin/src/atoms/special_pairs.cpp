#include "atoms/special_pairs.h"

#include "atom.h"
#include "error.h"
#include "fix.h"
#include "force.h"
#include "lammps.h"
#include "modify.h"
#include "neighbor.h"
#include "update.h"

using namespace LAMMPS_NS;

namespace lmlp_plugin {
namespace {

constexpr const char* kKinds[] = {"", "bonded (1-2)", "1-3", "1-4"};
constexpr const char* kCure =
    "a model needs all pairs: use special_bonds lj/coul 1 1 1 (in a hybrid style, where others need their "
    "own: pair_modify pair lmlp special lj/coul 1 1 1, with no two factors both 0 in special_bonds)";

// Factors of the Coulomb part alone are other styles'; LAMMPS drops a pair where both factors are 0.
bool is_affected(int kind, const Force& force, const Neighbor& neighbor) {
    return force.special_lj[kind] != 1.0 || neighbor.special_flag[kind] == 0;
}

}  // namespace

std::string find_special_problem(const std::vector<int>& species_of_type, LAMMPS* lmp) {
    Atom& atom = *lmp->atom;
    const Force& force = *lmp->force;
    bool affected[4] = {false, false, false, false};
    for (int kind = 1; kind <= 3; ++kind) affected[kind] = is_affected(kind, force, *lmp->neighbor);
    if (atom.molecular == Atom::ATOMIC || !(affected[1] || affected[2] || affected[3])) return "";
    const auto tell = [&](int kind, const std::string& atoms) {
        return fmt::format(
            "special_bonds gives the {} pairs of atoms a factor of {:g} (lj) and {:g} (coul) on step {}{}; "
            "{}",
            kKinds[kind], force.special_lj[kind], force.special_coul[kind], lmp->update->ntimestep, atoms,
            kCure);
    };
    // The lists of atom_style template are those of its molecules: not looked into.
    if (atom.molecular == Atom::TEMPLATE) {
        if (atom.nbonds == 0) return "";
        for (int kind = 1; kind <= 3; ++kind)
            if (affected[kind]) return tell(kind, "");
    }
    for (int i = 0; i < atom.nlocal; ++i) {
        if (species_of_type[atom.type[i]] < 0) continue;
        const int* ends = atom.nspecial[i];
        for (int kind = 1; kind <= 3; ++kind) {
            if (!affected[kind]) continue;
            for (int k = kind == 1 ? 0 : ends[kind - 2]; k < ends[kind - 1]; ++k) {
                const int j = atom.map(atom.special[i][k]);
                if (j < 0 || species_of_type[atom.type[j]] < 0) continue;
                return tell(kind, fmt::format(", for one of atoms {} and {}", atom.tag[i], atom.tag[j]));
            }
        }
    }
    return "";
}

void check_bond_fixes(LAMMPS* lmp) {
    const Force& force = *lmp->force;
    if (lmp->atom->molecular == Atom::ATOMIC) return;
    for (Fix* fix : lmp->modify->get_fix_list()) {
        if (!utils::strmatch(fix->style, "^bond/create") && !utils::strmatch(fix->style, "^bond/react"))
            continue;
        for (int kind = 1; kind <= 3; ++kind)
            if (is_affected(kind, force, *lmp->neighbor))
                lmp->error->all(
                    FLERR,
                    "Pair style lmlp: fix {} makes bonds, and special_bonds gives {} pairs a factor of "
                    "{:g} (lj) and {:g} (coul); {}",
                    fix->style, kKinds[kind], force.special_lj[kind], force.special_coul[kind], kCure);
    }
}

}  // namespace lmlp_plugin
