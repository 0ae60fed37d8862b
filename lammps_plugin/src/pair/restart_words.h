// Lists of words in restart files.
#ifndef LMLP_LAMMPS_RESTART_WORDS_H
#define LMLP_LAMMPS_RESTART_WORDS_H

#include <cstdio>
#include <string>
#include <vector>

namespace LAMMPS_NS {
class LAMMPS;
}

namespace lmlp_plugin {

// LAMMPS calls what writes on rank 0 only, and what reads on all ranks, of which rank 0 has the file.
void write_words(const std::vector<std::string>& words, std::FILE* file);

// All ranks together; an error where the file is damaged.
std::vector<std::string> read_words(std::FILE* file, LAMMPS_NS::LAMMPS* lmp);

}  // namespace lmlp_plugin

#endif
