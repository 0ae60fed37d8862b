#include "step/limits.h"

#include <algorithm>
#include <cmath>

#include "atom.h"
#include "atoms/position_problems.h"
#include "comm.h"
#include "common/ranks.h"
#include "error.h"
#include "update.h"

using namespace LAMMPS_NS;

namespace lmlp_plugin {
namespace {

constexpr int kMinimization = 2;  // update->whichflag

}  // namespace

Thresholds Limits::find_thresholds(const Settings& settings, const TypedModel& model,
                                   const Units& units) const {
    Thresholds thresholds{settings.rmin_reaction, settings.extrapolation, {}, units.angstrom_per_length};
    if (!model.is_loaded()) return thresholds;
    if (settings.extrapolation != Reaction::kOff) model.require_feature_ranges(lmp);
    thresholds.distances = find_distances(settings, model.model(), units);
    return thresholds;
}

// By default the model's training data say what is close, if it knows them.
DistanceLimits Limits::find_distances(const Settings& settings, const Model& model,
                                      const Units& units) const {
    DistanceLimits limits;
    if (settings.rmin_reaction == Reaction::kOff) return limits;
    const int n_species = model.info().n_elements;
    if (settings.rmin > 0.0) {
        limits.set_all(n_species, settings.rmin * units.angstrom_per_length);
    } else if (!limits.set_from_data(model.get(), n_species) && settings.rmin_given) {
        error->all(
            FLERR,
            "Pair style lmlp: 'rmin data' needs the shortest distances of the training data, which this "
            "model does not store; give a distance, or 'rmin off'");
    }
    return limits;
}

void Limits::begin_run() {
    findings_ = {};
    counts_ = {};
}

// An iteration of a minimizer is a step; which of its evaluations is the last one shows when the next
// iteration begins.
void Limits::look(const EnvironmentBlocks& block, const TypedModel& model, const Answers& answers) {
    Findings findings;
    findings.step = update->ntimestep;
    if (!distances().empty()) findings.too_close = find_too_close(block, model);
    if (watches_extrapolation()) findings.extrapolating = find_extrapolating(model, answers);
    if (update->whichflag != kMinimization) return judge(findings);
    std::swap(findings, findings_);
    if (findings.step >= 0 && findings.step != findings_.step) judge(findings);
}

void Limits::end_run() {
    const Findings last = findings_;
    findings_ = {};
    if (last.step >= 0) judge(last);
}

void Limits::judge(const Findings& findings) {
    ++counts_.evaluations;
    if (!findings.too_close.empty()) {
        if (thresholds_.too_close == Reaction::kStop)
            error->all(FLERR, "Pair style lmlp: {}", findings.too_close);
        if (++counts_.too_close == 1 && comm->me == 0)
            error->warning(FLERR, "Pair style lmlp: {}", findings.too_close);
    }
    if (findings.extrapolating.empty()) return;
    if (thresholds_.extrapolation == Reaction::kStop) error->all(FLERR, "{}", findings.extrapolating);
    if (++counts_.extrapolating == 1 && comm->me == 0) error->warning(FLERR, "{}", findings.extrapolating);
}

void Limits::stop_where_too_close(const EnvironmentBlocks& block, const TypedModel& model) const {
    if (thresholds_.too_close == Reaction::kStop)
        end_all_ranks_if(find_too_close(block, model), "Pair style lmlp", lmp);
}

// "1.2", or with where it comes from.
std::string Limits::describe_distance(int type_i, int type_j, const TypedModel& model) const {
    const std::vector<int>& species = model.species_of_type();
    const double squared = distances().squared(species[type_i], species[type_j]);
    const double limit = std::sqrt(squared) / thresholds_.angstrom_per_length;
    if (!distances().from_data()) return fmt::format("{:.6g}", limit);
    return fmt::format("{:.6g} ({:g} times the shortest {}-{} distance in the training data)", limit,
                       DistanceLimits::kShare, model.symbol_of_type(type_i), model.symbol_of_type(type_j));
}

// The pair that is farthest below its limit; "" where none is. All ranks together; the same on all of them.
std::string Limits::find_too_close(const EnvironmentBlocks& block, const TypedModel& model) const {
    double worst = 0.0;
    const double mine = block.too_close_ratio();
    MPI_Allreduce(&mine, &worst, 1, MPI_DOUBLE, MPI_MIN, world);
    if (!(worst < 1.0)) return "";
    std::string text;
    const ClosestPair& pair = block.too_close();
    if (mine == worst) {
        // in ascending order: the other rank that has this pair may see it from the other side
        const auto [first, second] = std::minmax(atom->type[pair.i], atom->type[pair.j]);
        const auto [id_1, id_2] = std::minmax({atom_id(pair.i, lmp), atom_id(pair.j, lmp)});
        const std::string atoms = thresholds_.too_close == Reaction::kStop
                                      ? fmt::format("atoms {} and {}", id_1, id_2)
                                      : std::string("two atoms");
        text = fmt::format("{} are {:.6g} apart on step {}, closer than rmin {}", atoms,
                           std::sqrt(pair.distance_squared) / thresholds_.angstrom_per_length,
                           update->ntimestep, describe_distance(first, second, model));
    }
    return share_text(text, lmp);
}

// How many atoms lie outside, and which one most of all; "" where none does. All ranks together; the same on
// all of them.
std::string Limits::find_extrapolating(const TypedModel& model, const Answers& answers) const {
    const std::vector<double>& counts = answers.extrapolating();
    // [0] atoms that extrapolate, [1] the largest number of functions
    double sums[2] = {0.0, 0.0};
    int worst = -1;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        if (counts[i] > 0.0) sums[0] += 1.0;
        if (counts[i] > sums[1]) {
            sums[1] = counts[i];
            worst = static_cast<int>(i);
        }
    }
    double n_atoms = 0.0;
    double n_functions = 0.0;
    MPI_Allreduce(&sums[0], &n_atoms, 1, MPI_DOUBLE, MPI_SUM, world);
    if (n_atoms == 0.0) return "";
    MPI_Allreduce(&sums[1], &n_functions, 1, MPI_DOUBLE, MPI_MAX, world);
    const double candidate =
        worst >= 0 && sums[1] == n_functions ? static_cast<double>(atom_id(worst, lmp)) : 0.0;
    double id = 0.0;
    MPI_Allreduce(&candidate, &id, 1, MPI_DOUBLE, MPI_MAX, world);
    return fmt::format(
        "Pair style lmlp extrapolates on step {}: {:.0f} atoms lie outside the training range, most of all "
        "atom {:.0f} with {:.0f} of {} symmetry functions",
        update->ntimestep, n_atoms, id, n_functions, model.info().n_features);
}

void Limits::log_counts() const {
    if (comm->me != 0) return;
    if (counts_.extrapolating > 0)
        utils::logmesg(lmp, "Pair style lmlp: extrapolated on {} of {} evaluations\n", counts_.extrapolating,
                       counts_.evaluations);
    if (counts_.too_close > 0)
        utils::logmesg(lmp, "Pair style lmlp: atoms closer than rmin on {} of {} evaluations\n",
                       counts_.too_close, counts_.evaluations);
}

}  // namespace lmlp_plugin
