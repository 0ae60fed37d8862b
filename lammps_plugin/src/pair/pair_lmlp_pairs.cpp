// Pairs of atoms that LAMMPS leaves out or scales: pair_style lmlp needs whole environments.
#include <string>

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "fix.h"
#include "force.h"
#include "modify.h"
#include "neighbor.h"
#include "pair/pair_lmlp.h"
#include "update.h"

using namespace LAMMPS_NS;

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

// Which of the atoms have such pairs changes during a run: molecules come, bonds are made.
std::string PairLMLP::find_special_problem() const {
    bool affected[4] = {false, false, false, false};
    for (int kind = 1; kind <= 3; ++kind) affected[kind] = is_affected(kind, *force, *neighbor);
    if (atom->molecular == Atom::ATOMIC || !(affected[1] || affected[2] || affected[3])) return "";
    const auto tell = [&](int kind, const std::string& atoms) {
        return fmt::format(
            "special_bonds gives the {} pairs of atoms a factor of {:g} (lj) and {:g} (coul) on step {}{}; "
            "{}",
            kKinds[kind], force->special_lj[kind], force->special_coul[kind], update->ntimestep, atoms,
            kCure);
    };
    // The lists of atom_style template are those of its molecules: not looked into.
    if (atom->molecular == Atom::TEMPLATE) {
        if (atom->nbonds == 0) return "";
        for (int kind = 1; kind <= 3; ++kind)
            if (affected[kind]) return tell(kind, "");
    }
    for (int i = 0; i < atom->nlocal; ++i) {
        if (species_of_type_[atom->type[i]] < 0) continue;
        const int* ends = atom->nspecial[i];
        for (int kind = 1; kind <= 3; ++kind) {
            if (!affected[kind]) continue;
            for (int k = kind == 1 ? 0 : ends[kind - 2]; k < ends[kind - 1]; ++k) {
                const int j = atom->map(atom->special[i][k]);
                if (j < 0 || species_of_type_[atom->type[j]] < 0) continue;
                return tell(kind, fmt::format(", for one of atoms {} and {}", atom->tag[i], atom->tag[j]));
            }
        }
    }
    return "";
}

// Fixes whose purpose is to make bonds are refused before the first step.
void PairLMLP::check_bond_fixes() const {
    if (atom->molecular == Atom::ATOMIC) return;
    for (Fix* fix : modify->get_fix_list()) {
        if (!utils::strmatch(fix->style, "^bond/create") && !utils::strmatch(fix->style, "^bond/react"))
            continue;
        for (int kind = 1; kind <= 3; ++kind)
            if (is_affected(kind, *force, *neighbor))
                error->all(
                    FLERR,
                    "Pair style lmlp: fix {} makes bonds, and special_bonds gives {} pairs a factor of "
                    "{:g} (lj) and {:g} (coul); {}",
                    fix->style, kKinds[kind], force->special_lj[kind], force->special_coul[kind], kCure);
    }
}

// Where the atoms of excluded pairs are apart, nothing is wrong; they may come closer during a run.
void PairLMLP::warn_of_exclusions() {
    if (exclusions_told_ || !exclusions_.is_partial()) return;
    const std::string pair = exclusions_.find_pair(cutoff_, species_of_type_, lmp);
    if (pair.empty()) return;
    exclusions_told_ = true;
    if (comm->me == 0)
        error->warning(FLERR,
                       "Pair style lmlp: pairs left out by neigh_modify exclude are missing in the atomic "
                       "environments, too (on step {} for one {}): energies are wrong, and so are the forces "
                       "on all atoms near them, mobile ones included; exclude a group from all atoms, or "
                       "none of them",
                       update->ntimestep, pair);
}
