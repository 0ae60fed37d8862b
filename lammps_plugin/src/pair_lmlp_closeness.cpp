// Atoms that come too close, in pair_style lmlp: same place, and the keyword rmin.
#include <cmath>

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "pair_lmlp.h"
#include "update.h"

using namespace LAMMPS_NS;
using lmlp_plugin::ClosestPair;
using lmlp_plugin::DistanceLimits;
using lmlp_plugin::EnvironmentBlocks;
using lmlp_plugin::Reaction;

// After the model is known. By default the model's training data say what is close, if it knows them.
void PairLMLP::set_distance_limits() {
    limits_.clear();
    if (settings_.rmin_reaction == Reaction::kOff) return;
    const int n_species = model_.info().n_elements;
    if (settings_.rmin > 0.0) {
        limits_.set_all(n_species, settings_.rmin * units_.angstrom_per_length);
    } else if (!limits_.set_from_data(model_.get(), n_species) && settings_.rmin_given) {
        error->all(
            FLERR,
            "Pair style lmlp: 'rmin data' needs the shortest distances of the training data, which this "
            "model does not store; give a distance, or 'rmin off'");
    }
}

// "1.2", or with where it comes from.
std::string PairLMLP::describe_limit(int type_i, int type_j) const {
    const double squared = limits_.squared(species_of_type_[type_i], species_of_type_[type_j]);
    const double limit = std::sqrt(squared) / units_.angstrom_per_length;
    if (!limits_.from_data()) return fmt::format("{:.6g}", limit);
    return fmt::format("{:.6g} ({:g} times the shortest {}-{} distance in the training data)", limit,
                       DistanceLimits::kShare, symbol_of_type_[type_i], symbol_of_type_[type_j]);
}

std::string PairLMLP::find_closeness_problem(const EnvironmentBlocks& block) const {
    const ClosestPair& closest = block.closest();
    if (closest.i >= 0 && closest.distance_squared == 0.0)
        return fmt::format("atoms {} and {} are at the same place on step {}", atom_id(closest.i),
                           atom_id(closest.j), update->ntimestep);
    const ClosestPair& pair = block.too_close();
    if (settings_.rmin_reaction != Reaction::kStop || pair.i < 0) return "";
    return fmt::format("atoms {} and {} are {:.6g} apart on step {}, closer than rmin {}", atom_id(pair.i),
                       atom_id(pair.j), std::sqrt(pair.distance_squared) / units_.angstrom_per_length,
                       update->ntimestep, describe_limit(atom->type[pair.i], atom->type[pair.j]));
}

void PairLMLP::warn_if_too_close(const EnvironmentBlocks& block) {
    double worst = 0.0;
    const double mine = block.too_close_ratio();
    MPI_Allreduce(&mine, &worst, 1, MPI_DOUBLE, MPI_MIN, world);
    if (!(worst < 1.0)) return;
    if (++counts_.too_close > 1) return;
    // the pair is one rank's to know: distance and both types go to rank 0
    const ClosestPair& pair = block.too_close();
    double facts[3] = {-1.0, -1.0, -1.0};
    if (mine == worst) {
        facts[0] = std::sqrt(pair.distance_squared) / units_.angstrom_per_length;
        // in ascending order: the other rank that has this pair may see it from the other side
        facts[1] = MIN(atom->type[pair.i], atom->type[pair.j]);
        facts[2] = MAX(atom->type[pair.i], atom->type[pair.j]);
    }
    double known[3];
    MPI_Allreduce(facts, known, 3, MPI_DOUBLE, MPI_MAX, world);
    if (comm->me != 0) return;
    error->warning(FLERR, "Pair style lmlp: two atoms are {:.6g} apart on step {}, closer than rmin {}",
                   known[0], update->ntimestep,
                   describe_limit(static_cast<int>(known[1]), static_cast<int>(known[2])));
}
