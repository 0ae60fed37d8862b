#include "step/answers.h"

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

void Answers::set_model(const lmlp_potential_info& model, const Units& units) {
    model_ = model;
    units_ = units;
    sigma_valid_ = extrapolation_valid_ = false;
    vector_.set_members(model.n_members, comm->me == 0);
}

void Answers::begin(const Request& request) {
    if (request.sigma) uncertainty_.begin(model_, atom->nlocal, atom->nlocal + atom->nghost);
    if (request.extrapolation) extrapolating_.assign(atom->nlocal, 0.0);
}

void Answers::add(const EnvironmentBlocks& block, const Evaluation& evaluation, const Request& request) {
    if (request.sigma)
        uncertainty_.add_block(block, evaluation.member_energies(), evaluation.member_gradients(),
                               evaluation.scale());
    if (!request.extrapolation) return;
    for (int64_t c = 0; c < block.n_centers(); ++c)
        extrapolating_[block.centers[c]] = evaluation.extrapolating()[c];
}

void Answers::finish_atoms(const Request& request, const std::function<void(int n_values)>& exchange) {
    step_ = update->ntimestep;
    sigma_valid_ = false;
    if (request.sigma) {
        uncertainty_.gather(exchange);
        uncertainty_.finish_atoms(units_);
        const int bad = uncertainty_.first_not_finite;
        const std::string problem =
            bad < 0 ? ""
                    : fmt::format(
                          "the uncertainty of atom {} is not a finite number on step {}: the "
                          "weights of the model overflow",
                          atom_id(bad, lmp), update->ntimestep);
        end_all_ranks_if(problem, "Pair style lmlp", lmp);
        sigma_valid_ = true;
    }
    extrapolation_valid_ = request.extrapolation;
}

void Answers::finish_whole(const Request& request, const ClosestPair& closest) {
    shortest_squared_ = closest.distance_squared;
    if (!request.sigma) return;
    write_vector();
    ++n_readings_;
}

void Answers::write_vector() {
    global_ = uncertainty_.reduce(units_, world);
    const bool finite = std::isfinite(global_.sigma_energy) && std::isfinite(global_.rms_sigma_force);
    const std::string problem =
        comm->me != 0 || finite ? ""
                                : fmt::format(
                                      "the uncertainty is not a finite number on step {}: the weights of the "
                                      "model overflow",
                                      update->ntimestep);
    end_all_ranks_if(problem, "Pair style lmlp", lmp);
    double n_extrapolating = 0.0;
    for (const double n : extrapolating_) n_extrapolating += n > 0.0;
    double total = 0.0;
    MPI_Reduce(&n_extrapolating, &total, 1, MPI_DOUBLE, MPI_SUM, 0, world);
    if (comm->me != 0) return;
    const double volume = domain->xprd * domain->yprd * (domain->dimension == 3 ? domain->zprd : 1.0);
    const double pressure_per_virial = force->nktv2p / (domain->dimension * volume);
    vector_.write(global_, extrapolation_valid_ ? total : std::nan(""), update->ntimestep,
                  pressure_per_virial);
}

double* Answers::field(Field field) {
    if (field == kExtrapolating) return extrapolation_valid_ ? extrapolating_.data() : nullptr;
    if (!sigma_valid_) return nullptr;
    if (field == kSigmaForce) return uncertainty_.sigma_force.data();
    if (field == kSigmaEnergy) return uncertainty_.sigma_energy.data();
    return uncertainty_.grade.data();
}

UncertaintyReading Answers::read() const {
    double values[3] = {global_.energy_grade, global_.force_grade,
                        global_.energy_grade * global_.n_atoms * model_.energy_rmse};
    MPI_Bcast(values, 3, MPI_DOUBLE, 0, world);
    double shortest = 0.0;
    MPI_Allreduce(&shortest_squared_, &shortest, 1, MPI_DOUBLE, MPI_MIN, world);
    return {values[0], values[1], values[2], std::sqrt(shortest)};
}

double Answers::memory_usage() const {
    return sizeof(double) * static_cast<double>(extrapolating_.capacity()) + uncertainty_.memory_usage();
}

}  // namespace lmlp_plugin
