// What the core runs on: instruction sets and threads.
#pragma once

#include <string>
#include <vector>

namespace lmlp {

// Kernels in use, e.g. "x86-64-v4". The environment variable LMLP_ISA forces one, read at first use; throws
// Error(invalid_argument) where it names one that is not available.
std::string instruction_set();
// All that this build and this processor offer, the widest first.
std::vector<std::string> instruction_sets();

// Whether this process was forked and has not replaced its program since: a pool of threads that exists in
// its memory (OpenMP's, whoever made it) may have no threads.
bool is_forked();
// Forks between the loading of this library and this process.
int fork_generation();

}  // namespace lmlp
