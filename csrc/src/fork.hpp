// Processes that were forked: only the forking thread lives on in them, so that threads that wait for work and
// threads that hold locks are gone, though memory says that they exist.
#pragma once

namespace lmlp {

// Forks between the loading of this library and this process.
int fork_generation();

// Whether this process was forked and has not replaced its program since: a pool of threads that exists in its
// memory (OpenMP's, whoever made it) may have no threads.
bool is_forked();

}  // namespace lmlp
