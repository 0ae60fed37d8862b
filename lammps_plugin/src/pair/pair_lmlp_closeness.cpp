// Atoms that come too close, in pair_style lmlp: same place, and the keyword rmin.
#include <cmath>

#include "atom.h"
#include "comm.h"
#include "common/ranks.h"
#include "error.h"
#include "pair/pair_lmlp.h"
#include "update.h"

using namespace LAMMPS_NS;
using lmlp_plugin::ClosestPair;
using lmlp_plugin::DistanceLimits;
using lmlp_plugin::EnvironmentBlocks;
using lmlp_plugin::Reaction;

// By default the model's training data say what is close, if it knows them.
DistanceLimits PairLMLP::make_distance_limits(const lmlp_plugin::Settings& settings,
                                              const lmlp_plugin::Model& model) const {
    DistanceLimits limits;
    if (settings.rmin_reaction == Reaction::kOff) return limits;
    const int n_species = model.info().n_elements;
    if (settings.rmin > 0.0) {
        limits.set_all(n_species, settings.rmin * units_.angstrom_per_length);
    } else if (!limits.set_from_data(model.get(), n_species) && settings.rmin_given) {
        error->all(
            FLERR,
            "Pair style lmlp: 'rmin data' needs the shortest distances of the training data, which this "
            "model does not store; give a distance, or 'rmin off'");
    }
    return limits;
}

// "1.2", or with where it comes from.
std::string PairLMLP::describe_limit(int type_i, int type_j) const {
    const double squared = limits_.squared(species_of_type_[type_i], species_of_type_[type_j]);
    const double limit = std::sqrt(squared) / units_.angstrom_per_length;
    if (!limits_.from_data()) return fmt::format("{:.6g}", limit);
    return fmt::format("{:.6g} ({:g} times the shortest {}-{} distance in the training data)", limit,
                       DistanceLimits::kShare, symbol_of_type_[type_i], symbol_of_type_[type_j]);
}

std::string PairLMLP::find_same_place(const EnvironmentBlocks& block) const {
    const ClosestPair& closest = block.closest();
    if (closest.i < 0 || closest.distance_squared > 0.0) return "";
    return fmt::format("atoms {} and {} are at the same place on step {}", atom_id(closest.i),
                       atom_id(closest.j), update->ntimestep);
}

// The pair that is farthest below its limit; "" where none is. All ranks together; the same on all of them.
std::string PairLMLP::find_too_close(const EnvironmentBlocks& block) const {
    double worst = 0.0;
    const double mine = block.too_close_ratio();
    MPI_Allreduce(&mine, &worst, 1, MPI_DOUBLE, MPI_MIN, world);
    if (!(worst < 1.0)) return "";
    std::string text;
    const ClosestPair& pair = block.too_close();
    if (mine == worst) {
        // in ascending order: the other rank that has this pair may see it from the other side
        const int first = MIN(atom->type[pair.i], atom->type[pair.j]);
        const int second = MAX(atom->type[pair.i], atom->type[pair.j]);
        const long long ids[2] = {atom_id(pair.i), atom_id(pair.j)};
        const std::string atoms =
            settings_.rmin_reaction == Reaction::kStop
                ? fmt::format("atoms {} and {}", MIN(ids[0], ids[1]), MAX(ids[0], ids[1]))
                : std::string("two atoms");
        text = fmt::format("{} are {:.6g} apart on step {}, closer than rmin {}", atoms,
                           std::sqrt(pair.distance_squared) / units_.angstrom_per_length, update->ntimestep,
                           describe_limit(first, second));
    }
    return lmlp_plugin::share_text(text, lmp);
}
