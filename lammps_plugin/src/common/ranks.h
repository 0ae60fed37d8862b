// Errors that only some ranks can see.
#ifndef LMLP_LAMMPS_RANKS_H
#define LMLP_LAMMPS_RANKS_H

#include <string>

namespace LAMMPS_NS {
class LAMMPS;
}

namespace lmlp_plugin {

// The text of the highest rank that has one, the same on all ranks; "" where no rank has one. Every rank
// calls it at the same place.
std::string share_text(const std::string& text, LAMMPS_NS::LAMMPS* lmp);

// Ends all ranks with the problem of one of them; returns where no rank has one. An abort of one rank may
// lose its message, an error of one rank alone would leave the others waiting: every rank calls this at the
// same place. `speaker` begins the message ("Pair style lmlp").
void end_all_ranks_if(const std::string& problem, const std::string& speaker, LAMMPS_NS::LAMMPS* lmp);

// 0, 1, ... among the ranks of `lmp` on the same machine; all ranks call it.
int rank_on_machine(LAMMPS_NS::LAMMPS* lmp);

}  // namespace lmlp_plugin

#endif
