// Explicit virial of pair derivatives, as LAMMPS counts it.
#ifndef LMLP_LAMMPS_VIRIAL_H
#define LMLP_LAMMPS_VIRIAL_H

namespace lmlp_plugin {

// Where to add; nullptr for what is not wanted. W_ij = -r_ij (x) g_ij, with g_ij = dE_i/dr_ij.
struct VirialTargets {
    double* global = nullptr;     // [6] xx yy zz xy xz yz
    double** per_atom = nullptr;  // [n][6] half to the center, half to the neighbor
    // [n][9] xx yy zz xy xz yz yx zx zy, all to the neighbor: the split with which sum_i (W_i v_i) is the
    // exact heat flux of a many-body potential (the energy of center i changes through the velocities of its
    // neighbors).
    double** centroid = nullptr;

    bool any() const { return global != nullptr || per_atom != nullptr || centroid != nullptr; }
};

// r: r_ij; g: dE_i/dr_ij times length, both such that r*g is in LAMMPS's energy unit.
void add_virial(const VirialTargets& targets, int i, int j, const double r[3], const double g[3]);

}  // namespace lmlp_plugin

#endif
