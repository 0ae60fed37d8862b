#include "pair/restart_words.h"

#include <mpi.h>

#include "comm.h"
#include "error.h"
#include "lammps.h"
#include "utils.h"

using namespace LAMMPS_NS;

namespace lmlp_plugin {
namespace {

class WordReader {
  public:
    WordReader(std::FILE* file, LAMMPS* lmp) : file_(file), lmp_(lmp) {}

    std::vector<std::string> read() {
        std::vector<std::string> words(number());
        for (auto& word : words) {
            word.resize(number());
            bytes(word.data(), static_cast<int>(word.size()));
        }
        return words;
    }

  private:
    int number() {
        int value = 0;
        bytes(&value, sizeof(int));
        if (value < 0) lmp_->error->all(FLERR, "Pair style lmlp: the restart file is damaged");
        return value;
    }

    void bytes(void* target, int n) {
        if (n == 0) return;
        if (lmp_->comm->me == 0) utils::sfread(FLERR, target, 1, n, file_, nullptr, lmp_->error);
        MPI_Bcast(target, n, MPI_BYTE, 0, lmp_->world);
    }

    std::FILE* file_;
    LAMMPS* lmp_;
};

}  // namespace

void write_words(const std::vector<std::string>& words, std::FILE* file) {
    const int n_words = static_cast<int>(words.size());
    std::fwrite(&n_words, sizeof(int), 1, file);
    for (const auto& word : words) {
        const int length = static_cast<int>(word.size());
        std::fwrite(&length, sizeof(int), 1, file);
        std::fwrite(word.data(), 1, word.size(), file);
    }
}

std::vector<std::string> read_words(std::FILE* file, LAMMPS* lmp) {
    return WordReader(file, lmp).read();
}

}  // namespace lmlp_plugin
