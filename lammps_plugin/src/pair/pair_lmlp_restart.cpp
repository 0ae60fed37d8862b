// Restart files: the words of the pair_style line, the model's file and checksum, the symbols of the types.
#include <cstdlib>
#include <memory>

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "pair/pair_lmlp.h"
#include "utils.h"

using namespace LAMMPS_NS;

namespace {

// LAMMPS calls the writing functions on rank 0 only, the reading ones on all ranks; rank 0 has the file.
void write_words(const std::vector<std::string>& words, FILE* file) {
    const int n_words = static_cast<int>(words.size());
    std::fwrite(&n_words, sizeof(int), 1, file);
    for (const auto& word : words) {
        const int length = static_cast<int>(word.size());
        std::fwrite(&length, sizeof(int), 1, file);
        std::fwrite(word.data(), 1, word.size(), file);
    }
}

class WordReader {
  public:
    WordReader(FILE* file, LAMMPS* lmp) : file_(file), lmp_(lmp) {}

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

    FILE* file_;
    LAMMPS* lmp_;
};

// The same file from any folder; `path` itself where there is no such file any more.
std::string absolute(const std::string& path) {
    const std::unique_ptr<char, decltype(&std::free)> found(::realpath(path.c_str(), nullptr), &std::free);
    return found ? found.get() : path;
}

}  // namespace

void PairLMLP::write_restart_settings(FILE* file) {
    write_words(settings_words_, file);
}

void PairLMLP::read_restart_settings(FILE* file) {
    std::vector<std::string> words = WordReader(file, lmp).read();
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    settings(static_cast<int>(words.size()), arguments.data());
}

void PairLMLP::write_restart(FILE* file) {
    write_restart_settings(file);
    if (!model_.is_loaded()) return write_words({}, file);
    std::vector<std::string> words{model_path_, absolute(found_path_), model_.info().checksum};
    for (int type = 1; type <= atom->ntypes; ++type)
        words.push_back(symbol_of_type_[type].empty() ? "NULL" : symbol_of_type_[type]);
    write_words(words, file);
}

// Without the model of that run the restart file is still good: the input has to name one.
void PairLMLP::read_restart(FILE* file) {
    read_restart_settings(file);
    const std::vector<std::string> words = WordReader(file, lmp).read();
    if (!allocated) allocate();
    if (words.size() < 3) return;
    LoadedModel loaded;
    choose_engine(settings_, loaded.model);
    const std::string problem = find_stored_model({words[0], words[1]}, words[2], loaded);
    if (problem.empty()) {
        loaded.path = words[0];
        return use_model(loaded, {words.begin() + 3, words.end()});
    }
    if (comm->me == 0)
        error->warning(FLERR,
                       "Pair style lmlp: the model of the restart file is not used ({}); give pair_coeff to "
                       "name one",
                       problem);
}

// Loads the first of these files that is the model with this checksum; "" or what is wrong with the last.
std::string PairLMLP::find_stored_model(const std::vector<std::string>& paths, const std::string& checksum,
                                        LoadedModel& loaded) const {
    std::string problem;
    for (const auto& path : paths) {
        problem = load_model(path, loaded);
        if (problem.empty() && loaded.model.info().checksum != checksum)
            problem = fmt::format("{} has the checksum {:.12}..., that of the run was {:.12}...", path,
                                  loaded.model.info().checksum, checksum);
        int failed = problem.empty() ? 0 : 1;
        MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, world);
        if (!failed) return "";
        if (problem.empty()) problem = fmt::format("another rank cannot load {}", path);
    }
    return problem;
}
