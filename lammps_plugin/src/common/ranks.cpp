#include "common/ranks.h"

#include <mpi.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "comm.h"
#include "error.h"
#include "lammps.h"

namespace lmlp_plugin {

std::string share_text(const std::string& text, LAMMPS_NS::LAMMPS* lmp) {
    const int mine = text.empty() ? -1 : lmp->comm->me;
    int rank = -1;
    MPI_Allreduce(&mine, &rank, 1, MPI_INT, MPI_MAX, lmp->world);
    if (rank < 0) return "";
    int length = static_cast<int>(text.size());
    MPI_Bcast(&length, 1, MPI_INT, rank, lmp->world);
    std::string shared(text);
    shared.resize(length);
    MPI_Bcast(shared.data(), length, MPI_CHAR, rank, lmp->world);
    return shared;
}

void end_all_ranks_if(const std::string& problem, const std::string& speaker, LAMMPS_NS::LAMMPS* lmp) {
    const std::string text = share_text(problem, lmp);
    if (text.empty()) return;
    // The text may hold braces (a file name, say): passed as an argument, never as the format.
    lmp->error->all(FLERR, "{}: {}", speaker, text);
}

// By name, not MPI_Comm_split_type: LAMMPS's own MPI for serial builds has no such function.
int rank_on_machine(LAMMPS_NS::LAMMPS* lmp) {
    constexpr int kLength = MPI_MAX_PROCESSOR_NAME;
    std::vector<char> mine(kLength, '\0');
    int length = 0;
    MPI_Get_processor_name(mine.data(), &length);
    std::vector<char> all(static_cast<std::size_t>(kLength) * lmp->comm->nprocs);
    MPI_Allgather(mine.data(), kLength, MPI_CHAR, all.data(), kLength, MPI_CHAR, lmp->world);
    int rank = 0;
    for (int other = 0; other < lmp->comm->me; ++other)
        if (std::equal(mine.begin(), mine.end(), all.begin() + static_cast<std::ptrdiff_t>(kLength) * other))
            ++rank;
    return rank;
}

}  // namespace lmlp_plugin
