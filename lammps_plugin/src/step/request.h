// What one call of the pair style has to compute.
#ifndef LMLP_LAMMPS_REQUEST_H
#define LMLP_LAMMPS_REQUEST_H

namespace lmlp_plugin {

struct Request {
    bool energies = false;
    bool forces = false;
    bool member_energies = false;
    bool member_forces = false;  // not without their energies
    bool extrapolation = false;
    bool distances = false;
    bool whole = false;            // the values of the whole system
    bool whole_of_forces = false;  // those that follow from the members' forces as well
};

}  // namespace lmlp_plugin

#endif
