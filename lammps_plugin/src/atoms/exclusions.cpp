#include "atoms/exclusions.h"

#include <mpi.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "atom.h"
#include "comm.h"
#include "common/ranks.h"
#include "error.h"
#include "fmt/format.h"
#include "lammps.h"
#include "neighbor.h"
#include "update.h"

using namespace LAMMPS_NS;

namespace lmlp_plugin {
namespace {

constexpr int kGroupAll = 1;  // the bit of group all

using Cell = std::array<int, 3>;

Cell cell_of(const double* x, double width) {
    return {static_cast<int>(std::floor(x[0] / width)), static_cast<int>(std::floor(x[1] / width)),
            static_cast<int>(std::floor(x[2] / width))};
}

}  // namespace

void Exclusions::update(LAMMPS* lmp) {
    left_out_.clear();
    is_partial_ = false;
    if (!lmp->neighbor->exclude) return;
    gather_classes(lmp);
    relate_classes(lmp);
    const int n_local = lmp->atom->nlocal;
    left_out_.assign(n_local, 0);
    for (int i = 0; i < n_local; ++i) left_out_[i] = class_left_out_[class_of(i, lmp)];
}

void Exclusions::gather_classes(LAMMPS* lmp) {
    std::set<AtomClass> mine;
    for (int i = 0; i < lmp->atom->nlocal; ++i) mine.insert({lmp->atom->type[i], lmp->atom->mask[i]});
    std::vector<int> words;
    for (const AtomClass& one : mine) words.insert(words.end(), {one.type, one.mask});
    const int n_ranks = lmp->comm->nprocs;
    int n_mine = static_cast<int>(words.size());
    std::vector<int> counts(n_ranks, 0);
    std::vector<int> starts(n_ranks + 1, 0);
    MPI_Allgather(&n_mine, 1, MPI_INT, counts.data(), 1, MPI_INT, lmp->world);
    for (int rank = 0; rank < n_ranks; ++rank) starts[rank + 1] = starts[rank] + counts[rank];
    std::vector<int> all(starts[n_ranks]);
    MPI_Allgatherv(words.data(), n_mine, MPI_INT, all.data(), counts.data(), starts.data(), MPI_INT,
                   lmp->world);
    std::set<AtomClass> found;
    for (std::size_t k = 0; k + 1 < all.size(); k += 2) found.insert({all[k], all[k + 1]});
    classes_.assign(found.begin(), found.end());
}

void Exclusions::relate_classes(LAMMPS* lmp) {
    const std::size_t n = classes_.size();
    relations_.assign(n * n, Relation::kNone);
    class_left_out_.assign(n, 0);
    for (std::size_t a = 0; a < n; ++a) {
        bool from_all = true;
        for (std::size_t b = 0; b < n; ++b) {
            const Relation relation = relate(classes_[a], classes_[b], lmp);
            relations_[a * n + b] = relation;
            if ((classes_[b].mask & kGroupAll) && relation != Relation::kAlways) from_all = false;
        }
        class_left_out_[a] = from_all ? 1 : 0;
    }
    for (std::size_t a = 0; a < n; ++a) is_partial_ = is_partial_ || is_partial_class(a);
}

// As LAMMPS decides it for a pair of atoms.
Exclusions::Relation Exclusions::relate(const AtomClass& a, const AtomClass& b, LAMMPS* lmp) {
    const Neighbor& settings = *lmp->neighbor;
    const auto either = [](bool first_way, bool second_way) { return first_way || second_way; };
    for (int m = 0; m < settings.nex_type; ++m) {
        const int type1 = settings.ex1_type[m];
        const int type2 = settings.ex2_type[m];
        if (either(a.type == type1 && b.type == type2, a.type == type2 && b.type == type1))
            return Relation::kAlways;
    }
    for (int m = 0; m < settings.nex_group; ++m) {
        const int bit1 = settings.ex1_bit[m];
        const int bit2 = settings.ex2_bit[m];
        if (either((a.mask & bit1) && (b.mask & bit2), (a.mask & bit2) && (b.mask & bit1)))
            return Relation::kAlways;
    }
    bool same = false;
    bool different = false;
    for (int m = 0; m < settings.nex_mol; ++m)
        if (a.mask & b.mask & settings.ex_mol_bit[m]) (settings.ex_mol_intra[m] ? same : different) = true;
    if (same && different) return Relation::kAlways;
    return same || different ? Relation::kByMolecule : Relation::kNone;
}

int Exclusions::class_of(int i, LAMMPS* lmp) const {
    const AtomClass wanted{lmp->atom->type[i], lmp->atom->mask[i]};
    const auto place = std::lower_bound(classes_.begin(), classes_.end(), wanted);
    if (place == classes_.end() || wanted < *place) return -1;
    return static_cast<int>(place - classes_.begin());
}

bool Exclusions::is_partial_class(std::size_t a) const {
    const std::size_t n = classes_.size();
    if (class_left_out_[a]) return false;
    for (std::size_t b = 0; b < n; ++b)
        if (!class_left_out_[b] && relations_[a * n + b] != Relation::kNone) return true;
    return false;
}

bool Exclusions::is_excluded_pair(int i, int j, LAMMPS* lmp) const {
    const auto a = static_cast<std::size_t>(class_of(i, lmp));
    const auto b = static_cast<std::size_t>(class_of(j, lmp));
    const Relation relation = relations_[a * classes_.size() + b];
    if (relation != Relation::kByMolecule) return relation == Relation::kAlways;
    const Neighbor& settings = *lmp->neighbor;
    const bool same = lmp->atom->molecule[i] == lmp->atom->molecule[j];
    for (int m = 0; m < settings.nex_mol; ++m)
        if ((classes_[a].mask & classes_[b].mask & settings.ex_mol_bit[m]) &&
            (settings.ex_mol_intra[m] != 0) == same)
            return true;
    return false;
}

std::string Exclusions::find_pair(double cutoff, const std::vector<int>& species_of_type, LAMMPS* lmp) const {
    const Atom& atoms = *lmp->atom;
    std::map<Cell, std::vector<int>> cells;
    for (int i = 0; i < atoms.nlocal + atoms.nghost; ++i) {
        const int c = class_of(i, lmp);
        if (species_of_type[atoms.type[i]] >= 0 && c >= 0 && is_partial_class(c))
            cells[cell_of(atoms.x[i], cutoff)].push_back(i);
    }
    const auto is_near = [&](int i, int j) {
        double squared = 0.0;
        for (int k = 0; k < 3; ++k)
            squared += (atoms.x[j][k] - atoms.x[i][k]) * (atoms.x[j][k] - atoms.x[i][k]);
        return squared < cutoff * cutoff;
    };
    const auto find_partner = [&](int i, const std::vector<int>& others) {
        for (const int j : others)
            if (i != j && is_near(i, j) && is_excluded_pair(i, j, lmp)) return j;
        return -1;
    };
    const auto find = [&]() -> std::string {
        for (const auto& [cell, members] : cells)
            for (int shift = 0; shift < 27; ++shift) {
                const auto near = cells.find(
                    {cell[0] + shift % 3 - 1, cell[1] + shift / 3 % 3 - 1, cell[2] + shift / 9 - 1});
                if (near == cells.end()) continue;
                for (const int i : members) {
                    const int j = i < atoms.nlocal ? find_partner(i, near->second) : -1;
                    if (j < 0) continue;
                    return atoms.tag ? fmt::format("atoms {} and {}", atoms.tag[i], atoms.tag[j])
                                     : std::string("two atoms");
                }
            }
        return "";
    };
    return share_text(find(), lmp);
}

// Those that are apart may come closer during a run.
void Exclusions::warn(double cutoff, const std::vector<int>& species_of_type, LAMMPS* lmp) {
    if (is_told_ || !is_partial_) return;
    const std::string pair = find_pair(cutoff, species_of_type, lmp);
    if (pair.empty()) return;
    is_told_ = true;
    if (lmp->comm->me == 0)
        lmp->error->warning(
            FLERR,
            "Pair style lmlp: pairs left out by neigh_modify exclude are missing in the atomic environments, "
            "too (on step {} for one {}): energies are wrong, and so are the forces on all atoms near them, "
            "mobile ones included; exclude a group from all atoms, or none of them",
            lmp->update->ntimestep, pair);
}

}  // namespace lmlp_plugin
