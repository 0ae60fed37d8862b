#include "step/answers.h"

#include <algorithm>
#include <cmath>

#include "atom.h"
#include "atoms/position_problems.h"
#include "comm.h"
#include "common/ranks.h"
#include "domain.h"
#include "force.h"
#include "update.h"

using namespace LAMMPS_NS;

namespace lmlp_plugin {

void Answers::set_model(const Model& model, const Units& units) {
    model_ = &model;
    units_ = units;
    energies_valid_ = forces_valid_ = extrapolation_valid_ = distances_valid_ = false;
    vector_.set_model(model.info(), comm->me == 0);
}

void Answers::begin(const Request& request) {
    if (request.member_energies)
        uncertainty_.begin(*model_, atom->nlocal, atom->nlocal + atom->nghost, request.member_forces);
    if (request.extrapolation) extrapolating_.assign(atom->nlocal, 0.0);
    if (request.distances) distances_.assign(atom->nlocal, 0.0);
}

void Answers::add(const EnvironmentBlocks& block, const Evaluation& evaluation, const Request& request) {
    if (request.member_energies)
        uncertainty_.add_block(block, evaluation.member_energies(), evaluation.member_gradients(),
                               evaluation.scale());
    for (int64_t c = 0; c < block.n_centers(); ++c) {
        if (request.extrapolation) extrapolating_[block.centers[c]] = evaluation.extrapolating()[c];
        if (request.distances) distances_[block.centers[c]] = evaluation.distances()[c];
    }
}

void Answers::finish_atoms(const Request& request, const std::function<void(int n_values)>& exchange) {
    step_ = update->ntimestep;
    energies_valid_ = forces_valid_ = false;
    if (request.member_energies) {
        if (request.member_forces) uncertainty_.gather(exchange);
        uncertainty_.finish_atoms(units_);
        const int bad = uncertainty_.first_not_finite;
        const std::string problem =
            bad < 0 ? ""
                    : fmt::format(
                          "the uncertainty of atom {} is not a finite number on step {}: the "
                          "weights of the model overflow",
                          atom_id(bad, lmp), update->ntimestep);
        end_all_ranks_if(problem, "Pair style lmlp", lmp);
        energies_valid_ = true;
        forces_valid_ = request.member_forces;
    }
    extrapolation_valid_ = request.extrapolation;
    distances_valid_ = request.distances;
}

void Answers::finish_whole(const Request& request, const ClosestPair& closest) {
    shortest_squared_ = closest.distance_squared;
    if (!request.whole) return;
    write_vector(request);
    ++n_readings_;
}

void Answers::write_vector(const Request& request) {
    global_ = {};
    if (request.member_energies) {
        global_ = uncertainty_.reduce(units_, domain->dimension, request.whole_of_forces, world);
        const bool finite = std::isfinite(global_.sigma_energy) &&
                            (!request.whole_of_forces || std::isfinite(global_.rms_sigma_force));
        const std::string problem = comm->me != 0 || finite
                                        ? ""
                                        : fmt::format(
                                              "the uncertainty is not a finite number on step {}: the "
                                              "weights of the model overflow",
                                              update->ntimestep);
        end_all_ranks_if(problem, "Pair style lmlp", lmp);
    }
    largest_distance_ = find_largest_distance();
    const double n_extrapolating = sum_extrapolating();
    if (comm->me != 0) return;
    const double volume = domain->xprd * domain->yprd * (domain->dimension == 3 ? domain->zprd : 1.0);
    const double pressure_per_virial = force->nktv2p / (domain->dimension * volume);
    vector_.write(global_, n_extrapolating, largest_distance_, update->ntimestep, pressure_per_virial);
}

// On rank 0; NaN where this step did not count them.
double Answers::sum_extrapolating() const {
    if (!extrapolation_valid_) return std::nan("");
    const double mine = std::count_if(extrapolating_.begin(), extrapolating_.end(),
                                      [](double n_functions) { return n_functions > 0.0; });
    double total = 0.0;
    MPI_Reduce(&mine, &total, 1, MPI_DOUBLE, MPI_SUM, 0, world);
    return total;
}

// Likewise.
double Answers::find_largest_distance() const {
    if (!distances_valid_) return std::nan("");
    double mine = 0.0;
    for (const double distance : distances_) mine = std::max(mine, distance);
    double largest = 0.0;
    MPI_Reduce(&mine, &largest, 1, MPI_DOUBLE, MPI_MAX, 0, world);
    return largest;
}

double* Answers::field(Field field) {
    if (field == kExtrapolating) return extrapolation_valid_ ? extrapolating_.data() : nullptr;
    if (field == kDistance) return distances_valid_ ? distances_.data() : nullptr;
    if (field == kSigmaEnergy) return energies_valid_ ? uncertainty_.sigma_energy.data() : nullptr;
    if (!forces_valid_) return nullptr;
    return field == kSigmaForce ? uncertainty_.sigma_force.data() : uncertainty_.grade.data();
}

UncertaintyReading Answers::read() const {
    double values[4] = {global_.energy_grade, global_.force_grade, global_.energy_uncertainty,
                        largest_distance_};
    MPI_Bcast(values, 4, MPI_DOUBLE, 0, world);
    double shortest = 0.0;
    MPI_Allreduce(&shortest_squared_, &shortest, 1, MPI_DOUBLE, MPI_MIN, world);
    return {values[0], values[1], values[2], values[3], std::sqrt(shortest)};
}

double Answers::memory_usage() const {
    return sizeof(double) * static_cast<double>(extrapolating_.capacity() + distances_.capacity()) +
           uncertainty_.memory_usage();
}

}  // namespace lmlp_plugin
