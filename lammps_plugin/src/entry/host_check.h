// Is the LAMMPS that opened the plugin the one it was compiled for?
#ifndef LMLP_LAMMPS_HOST_CHECK_H
#define LMLP_LAMMPS_HOST_CHECK_H

#include <string>

namespace lmlp_plugin {

// "22 Jul 2025", or "unknown".
std::string compiled_version_text();

// Names all that differs and what to do, "" where nothing does. Uses LAMMPS's C library interface only: the
// layout of its C++ classes is what a mismatch would put in doubt.
std::string find_host_problem(void* lammps);

bool is_first_rank(void* lammps);

}  // namespace lmlp_plugin

#endif
