// What neigh_modify exclude leaves out of the neighbor lists: atoms that are in no pair at all, and pairs.
#ifndef LMLP_LAMMPS_EXCLUSIONS_H
#define LMLP_LAMMPS_EXCLUSIONS_H

#include <string>
#include <vector>

namespace LAMMPS_NS {
class LAMMPS;
}

namespace lmlp_plugin {

// Atoms of one type and the same groups are alike to the exclusions of types and groups. An atom is left out
// of everything when each class of atoms of group all that is present, its own one included, is excluded from
// pairs with it. Monte Carlo fixes take an atom on trial out of all groups but one that is excluded from
// group all.
class Exclusions {
  public:
    // All ranks together, for the atoms as they are now.
    void update(LAMMPS_NS::LAMMPS* lmp);

    // [nlocal] 1: left out of everything; empty where there are no exclusions.
    const std::vector<char>& left_out() const { return left_out_; }
    bool is_left_out(int i) const { return !left_out_.empty() && left_out_[i] != 0; }

    // Once per run: a warning where excluded atoms are within the cutoff (LAMMPS length) of each other; where
    // they are apart, nothing is wrong. All ranks together; types of species -1 are not looked at.
    void begin_run() { is_told_ = false; }
    void warn(double cutoff, const std::vector<int>& species_of_type, LAMMPS_NS::LAMMPS* lmp);

  private:
    // "" or the atoms of a pair within the cutoff (LAMMPS length) that is left out although both atoms are in
    // other pairs. All ranks together; the same on all of them. Types of species -1 are not looked at.
    std::string find_pair(double cutoff, const std::vector<int>& species_of_type,
                          LAMMPS_NS::LAMMPS* lmp) const;

    struct AtomClass {
        int type;
        int mask;
        bool operator<(const AtomClass& other) const {
            return type != other.type ? type < other.type : mask < other.mask;
        }
    };
    enum class Relation { kNone, kByMolecule, kAlways };

    void gather_classes(LAMMPS_NS::LAMMPS* lmp);
    void relate_classes(LAMMPS_NS::LAMMPS* lmp);
    static Relation relate(const AtomClass& a, const AtomClass& b, LAMMPS_NS::LAMMPS* lmp);
    int class_of(int i, LAMMPS_NS::LAMMPS* lmp) const;  // -1: none of them
    bool is_excluded_pair(int i, int j, LAMMPS_NS::LAMMPS* lmp) const;
    bool is_partial_class(std::size_t a) const;

    std::vector<AtomClass> classes_;    // present on any rank, in order
    std::vector<Relation> relations_;   // [n_classes, n_classes]
    std::vector<char> class_left_out_;  // [n_classes]
    std::vector<char> left_out_;
    bool is_partial_ = false;  // pairs of atoms that are in other pairs are left out; the same on all ranks
    bool is_told_ = false;     // in this run
};

}  // namespace lmlp_plugin

#endif
