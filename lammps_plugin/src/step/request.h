// What one call of the pair style has to compute.
#ifndef LMLP_LAMMPS_REQUEST_H
#define LMLP_LAMMPS_REQUEST_H

namespace lmlp_plugin {

struct Request {
    bool energies = false;
    bool forces = false;
    bool sigma = false;
    bool extrapolation = false;
    bool distances = false;
    bool whole = false;  // the values of the whole system, of all that the model knows
};

}  // namespace lmlp_plugin

#endif
