#include "model/typed_model.h"

#include <mpi.h>

#include <cstring>
#include <memory>
#include <utility>

#include "comm.h"
#include "common/ranks.h"
#include "error.h"
#include "lammps.h"
#include "utils.h"

using namespace LAMMPS_NS;

namespace lmlp_plugin {

void TypedModel::choose_engine(const Settings& settings, LAMMPS* lmp) {
    std::unique_ptr<TorchBackend> torch;
    lmlp_torch_options options{};
    if (settings.backend == Backend::kTorchScript) {
        const int rank = std::strcmp(settings.device, "cuda") == 0 ? rank_on_machine(lmp) : 0;
        options = {sizeof(lmlp_torch_options), settings.device, rank, settings.n_threads};
        end_all_ranks_if(model_.open_torch_backend(options, torch), "Pair style lmlp", lmp);
    }
    model_.use_engine(std::move(torch), options);
}

std::string TypedModel::load(const std::string& file) {
    path_ = file;
    found_path_ = utils::get_potential_file_path(file);
    if (found_path_.empty()) found_path_ = file;
    const std::string problem = model_.load(found_path_);
    return problem.empty() ? "" : fmt::format("cannot load {}: {}", file, problem);
}

std::string TypedModel::load_stored(const std::vector<std::string>& files, const std::string& checksum,
                                    LAMMPS* lmp) {
    std::string problem;
    for (const auto& file : files) {
        problem = load(file);
        if (problem.empty() && info().checksum != checksum)
            problem = fmt::format("{} has the checksum {:.12}..., that of the run was {:.12}...", file,
                                  info().checksum, checksum);
        int failed = problem.empty() ? 0 : 1;
        MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, lmp->world);
        path_ = files.front();
        if (!failed) return "";
        if (problem.empty()) problem = fmt::format("another rank cannot load {}", file);
    }
    return problem;
}

void TypedModel::map_types(const std::vector<std::string>& symbols, LAMMPS* lmp) {
    const int n_types = static_cast<int>(symbols.size());
    species_of_type_.assign(n_types + 1, -1);
    symbol_of_type_.assign(n_types + 1, "");
    int n_ours = 0;
    for (int type = 1; type <= n_types; ++type) {
        const std::string& symbol = symbols[type - 1];
        if (symbol == "NULL") continue;
        std::string problem;
        species_of_type_[type] = model_.find_species(symbol, problem);
        if (species_of_type_[type] < 0)
            lmp->error->all(FLERR, "Pair style lmlp: pair_coeff gives '{}' for atom type {}: {}", symbol,
                            type, problem);
        symbol_of_type_[type] = symbol;
        ++n_ours;
    }
    if (n_ours == 0) lmp->error->all(FLERR, "Pair style lmlp: pair_coeff gives NULL for every atom type");
}

void TypedModel::log(const Settings& settings, LAMMPS* lmp) const {
    if (lmp->comm->me != 0) return;
    utils::logmesg(lmp,
                   "Pair style lmlp {}: {} with {} ensemble member{}, {} symmetry functions, cutoff {:g} "
                   "Angstrom\n",
                   lmlp_version(), path_, info().n_members, info().n_members == 1 ? "" : "s",
                   info().n_features, info().cutoff);
    const TorchBackend* torch = model_.torch_backend();
    const std::string backend = torch ? "torchscript (" + torch->description() + ")"
                                      : fmt::format("native ({})", lmlp_instruction_set());
    utils::logmesg(lmp, "  backend {}, precision {}, {} thread{} per MPI rank, model {:.12}\n", backend,
                   settings.precision == Precision::kMixed ? "mixed" : "double", settings.n_threads,
                   settings.n_threads == 1 ? "" : "s", info().checksum);
    if (info().n_members == 1)
        utils::logmesg(lmp, info().has_distance
                                ? "  one member: no uncertainties, but distances from the training data\n"
                                : "  one member: no uncertainties, compute pair has no vector\n");
    else if (settings.sigma == SigmaOf::kEnergies)
        utils::logmesg(lmp, "  sigma energies: compute pair and fix lmlp/select know no sigma of forces\n");
    if (!model_.has_test_errors()) utils::logmesg(lmp, "  no test errors in the model: no grade\n");
}

void TypedModel::require_members(const char* wanted, LAMMPS* lmp) const {
    if (is_loaded() && info().n_members < 2)
        lmp->error->all(
            FLERR,
            "Pair style lmlp cannot give {}: the model has one ensemble member, an uncertainty needs two "
            "or more",
            wanted);
}

void TypedModel::require_test_errors(const char* wanted, LAMMPS* lmp) const {
    require_members(wanted, lmp);
    if (is_loaded() && !model_.has_test_errors())
        lmp->error->all(
            FLERR,
            "Pair style lmlp cannot give {}: the model stores no test errors (test_rmse) to compare "
            "uncertainties with",
            wanted);
}

void TypedModel::require_feature_ranges(LAMMPS* lmp) const {
    if (is_loaded() && !info().has_feature_ranges)
        lmp->error->all(
            FLERR,
            "Pair style lmlp cannot tell extrapolation (ew): the model stores no training ranges of its "
            "symmetry functions");
}

void TypedModel::require_distance(LAMMPS* lmp) const {
    if (is_loaded() && !info().has_distance)
        lmp->error->all(FLERR,
                        "Pair style lmlp cannot give distance: the model does not store how its training "
                        "atoms are distributed");
}

void TypedModel::require_grade_or_distance(const char* wanted_by, LAMMPS* lmp) const {
    if (!is_loaded())
        lmp->error->all(FLERR, "Pair style lmlp has no model yet: give pair_coeff before {}", wanted_by);
    if (info().has_distance) return;
    require_test_errors(fmt::format("the grades that {} needs", wanted_by).c_str(), lmp);
}

}  // namespace lmlp_plugin
