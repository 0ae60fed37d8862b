// lmlp._core: table of contents of the Python bindings.
#include "bindings.hpp"

PYBIND11_MODULE(_core, module) {
    module.doc() = "Compiled core of lmlp: neighbor lists, eeACSFs and their derivatives, potentials.";
    lmlp::bind_errors(module);
    lmlp::bind_elements(module);
    lmlp::bind_descriptor(module);
    lmlp::bind_jacobian(module);
    lmlp::bind_neighbor_list(module);
    lmlp::bind_potential(module);
}
