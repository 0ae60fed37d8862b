// Processes that were forked: only the forking thread lives on in them, so that threads that wait for work and
// threads that hold locks are gone, though memory says that they exist.
#pragma once

#include "lmlp/runtime.hpp"

namespace lmlp {

// Forks between the loading of this library and this process.
int fork_generation();

}  // namespace lmlp
