// The compute path of pair_style lmlp: environments -> core -> energies, forces, virials, uncertainties.
#include "pair/pair_lmlp.h"

#include <cmath>
#include <cstring>
#include <string>

#include "atom.h"
#include "comm.h"
#include "common/ranks.h"
#include "compute.h"
#include "domain.h"
#include "error.h"
#include "force.h"
#include "modify.h"
#include "neigh_list.h"
#include "update.h"

using namespace LAMMPS_NS;
using lmlp_plugin::EnvironmentBlocks;
using lmlp_plugin::Reaction;
using lmlp_plugin::Uncertainty;
using lmlp_plugin::VirialTargets;

void PairLMLP::compute(int eflag, int vflag) {
    ev_init(eflag, vflag);
    const bool is_step = step_watch_.is_step();
    if (!surroundings_checked_) check_surroundings();
    exclusions_.update(lmp);
    const Request request = make_request(eflag, is_step);
    std::string problem = find_position_problem();
    if (problem.empty()) problem = find_special_problem();
    if (request.sigma) uncertainty_.begin(model_.info(), atom->nlocal, atom->nlocal + atom->nghost);
    if (request.extrapolation) extrapolating_.assign(atom->nlocal, 0.0);

    const VirialTargets virial_targets{vflag_global ? virial : nullptr, vflag_atom ? vatom : nullptr,
                                       cvflag_atom ? cvatom : nullptr};
    EnvironmentBlocks block(*list, {atom->x, atom->type, &species_of_type_, units_.angstrom_per_length,
                                    model_.info().cutoff, &limits_, &exclusions_.left_out()});
    while (problem.empty() && block.next()) {
        problem = find_same_place(block);
        if (problem.empty()) problem = evaluate(block, request);
        if (!problem.empty()) break;
        if (request.energies) add_energies(block);
        if (request.forces) add_forces(block, virial_targets);
        if (request.sigma)
            uncertainty_.add_block(block, results_.member_energies.data(), results_.member_gradients.data(),
                                   results_.scale.data());
        if (request.extrapolation) add_extrapolation(block);
    }
    problem = lmlp_plugin::share_text(problem, lmp);
    if (!problem.empty()) {
        // the cause before what follows from it: a model may fail where atoms are too close
        if (is_step && settings_.rmin_reaction == Reaction::kStop) end_all_ranks_if(find_too_close(block));
        end_all_ranks_if(problem);
    }
    if (vflag_fdotr) virial_fdotr_compute();
    if (is_step) finish_step(request, block);
}

// Nothing of this follows from trial configurations.
void PairLMLP::finish_step(const Request& request, const EnvironmentBlocks& block) {
    values_step_ = update->ntimestep;
    sigma_valid_ = false;
    if (request.sigma) finish_sigma();
    extrapolation_valid_ = request.extrapolation;
    take_findings(look_for_findings(block));
    shortest_squared_ = block.closest().distance_squared;
    if (request.sigma) {
        write_vector();
        ++n_readings_;
    }
    wanted_.reading = 0;
    warn_of_exclusions();
    if (update->whichflag != 2) fill_fields_of_fix_pair();
}

// fix pair asks once per step, which may be in a trial before it.
PairLMLP::Request PairLMLP::make_request(int eflag, bool is_step) {
    if (asked_step_ != update->ntimestep) asked_ = {};
    asked_step_ = update->ntimestep;
    asked_.add(wanted_);

    Request request;
    request.energies = eflag_either != 0;
#ifdef LMLP_HAVE_ENERGY_ONLY
    request.forces = (eflag & ENERGY_ONLY) == 0;
#else
    (void)eflag;
    request.forces = true;
#endif
    if (!is_step) return request;
    request.sigma = asked_.sigma_f || asked_.sigma_e || asked_.grade || asked_.reading || is_vector_wanted();
    // part of the vector, which every evaluation of the uncertainties writes
    request.extrapolation = asked_.ew || settings_.extrapolation != Reaction::kOff ||
                            (request.sigma && model_.info().has_feature_ranges);
    if (asked_.sigma_f) require_members("sigma_f");
    if (asked_.sigma_e) require_members("sigma_e");
    if (asked_.grade) require_test_errors("grade");
    if (asked_.ew || settings_.extrapolation != Reaction::kOff) require_feature_ranges(model_);
    return request;
}

// A compute pair that LAMMPS will read on this step. It cannot be asked whose values it reads: another
// style's compute pair with as many values costs an evaluation of the uncertainties, nothing else.
bool PairLMLP::is_vector_wanted() const {
    if (nextra == 0) return false;
    for (Compute* compute : modify->get_compute_list())
        if (std::strcmp(compute->style, "pair") == 0 && compute->vector_flag &&
            compute->size_vector == nextra && compute->matchstep(update->ntimestep))
            return true;
    return false;
}

long long PairLMLP::atom_id(int i) const {
    return atom->tag ? static_cast<long long>(atom->tag[i]) : i + 1;
}

std::string PairLMLP::find_position_problem() const {
    const int n_all = atom->nlocal + atom->nghost;
    for (int i = 0; i < n_all; ++i) {
        const double* x = atom->x[i];
        if (!std::isfinite(x[0]) || !std::isfinite(x[1]) || !std::isfinite(x[2]))
            return fmt::format("atom {} has the position ({}, {}, {}) on step {}; it must be finite",
                               atom_id(i), x[0], x[1], x[2], update->ntimestep);
    }
    return "";
}

void PairLMLP::end_all_ranks_if(const std::string& problem) const {
    lmlp_plugin::end_all_ranks_if(problem, "Pair style lmlp", lmp);
}

std::string PairLMLP::evaluate(const EnvironmentBlocks& block, const Request& request) {
    const std::size_t n_members = model_.info().n_members;
    ResultArrays& r = results_;
    lmlp_results results{};
    results.struct_size = sizeof(results);
    const auto want = [](auto& array, std::size_t size) {
        array.resize(size);
        return array.data();
    };
    if (request.energies) results.energies = want(r.energies, block.n_centers());
    if (request.forces) results.pair_gradients = want(r.gradients, 3 * block.n_pairs());
    if (request.sigma) {
        results.member_energies = want(r.member_energies, n_members * block.n_centers());
        results.member_pair_gradients = want(r.member_gradients, n_members * 3 * block.n_pairs());
    }
    if (request.extrapolation) results.extrapolating = want(r.extrapolating, block.n_centers());

    r.scale.clear();
    for (const int i : block.centers) r.scale.push_back(scale_[atom->type[i]][atom->type[i]]);

    const lmlp_environments environments = block.environments();
    lmlp_options options{};
    options.struct_size = sizeof(options);
    options.n_threads = settings_.n_threads;
    options.precision =
        settings_.precision == lmlp_plugin::Precision::kMixed ? LMLP_PRECISION_MIXED : LMLP_PRECISION_DOUBLE;
    const std::string problem = model_.evaluate(environments, options, results);
    if (problem.empty()) return "";
    return fmt::format("evaluation failed on step {}: {}", update->ntimestep, problem);
}

void PairLMLP::add_energies(const EnvironmentBlocks& block) {
    for (int64_t c = 0; c < block.n_centers(); ++c) {
        const double energy = units_.energy_per_ev * results_.scale[c] * results_.energies[c];
        if (eflag_global) eng_vdwl += energy;
        if (eflag_atom) eatom[block.centers[c]] += energy;
    }
}

// One thread, in the order of the list: the sums have the same bits for every number of threads.
void PairLMLP::add_forces(const EnvironmentBlocks& block, const VirialTargets& virial_targets) {
    double** f = atom->f;
    const bool with_virial = virial_targets.any();
    for (int64_t c = 0; c < block.n_centers(); ++c) {
        const int i = block.centers[c];
        const double force_factor = units_.force_per_model_unit() * results_.scale[c];
        const double virial_factor = units_.energy_per_ev * results_.scale[c];
        for (int64_t p = block.offsets[c]; p < block.offsets[c + 1]; ++p) {
            const int j = block.neighbors[p];
            const double* g = &results_.gradients[3 * p];
            for (int k = 0; k < 3; ++k) {
                f[i][k] += force_factor * g[k];
                f[j][k] -= force_factor * g[k];
            }
            if (!with_virial) continue;
            const double scaled[3] = {virial_factor * g[0], virial_factor * g[1], virial_factor * g[2]};
            lmlp_plugin::add_virial(virial_targets, i, j, &block.vectors[3 * p], scaled);
        }
    }
}

void PairLMLP::add_extrapolation(const EnvironmentBlocks& block) {
    for (int64_t c = 0; c < block.n_centers(); ++c)
        extrapolating_[block.centers[c]] = results_.extrapolating[c];
}

void PairLMLP::finish_sigma() {
    for (first_member_ = 0; first_member_ < uncertainty_.n_members(); first_member_ += member_count_) {
        member_count_ = MIN(Uncertainty::kMembersPerMessage, uncertainty_.n_members() - first_member_);
        comm_reverse = 3 * member_count_;  // LAMMPS before 2025 takes the size from here only
        comm->reverse_comm(this);
    }
    comm_reverse = 3 * Uncertainty::kMembersPerMessage;  // what buffers are made for
    uncertainty_.finish_atoms(units_);
    const int bad = uncertainty_.first_not_finite;
    end_all_ranks_if(bad < 0
                         ? ""
                         : fmt::format("the uncertainty of atom {} is not a finite number on step {}: the "
                                       "weights of the model overflow",
                                       atom_id(bad), update->ntimestep));
    sigma_valid_ = true;
}

int PairLMLP::pack_reverse_comm(int n, int first, double* buffer) {
    return uncertainty_.pack(first, n, first_member_, member_count_, buffer);
}

void PairLMLP::unpack_reverse_comm(int n, int* list, double* buffer) {
    uncertainty_.unpack(list, n, first_member_, member_count_, buffer);
}

// compute pair sums over the ranks: finished values on rank 0, zeros elsewhere.
void PairLMLP::write_vector() {
    global_ = uncertainty_.reduce(units_, world);
    const bool finite = std::isfinite(global_.sigma_energy) && std::isfinite(global_.rms_sigma_force);
    end_all_ranks_if(
        comm->me != 0 || finite
            ? ""
            : fmt::format("the uncertainty is not a finite number on step {}: the weights of the "
                          "model overflow",
                          update->ntimestep));
    double n_extrapolating = 0.0;
    for (const double n : extrapolating_) n_extrapolating += n > 0.0;
    double total = 0.0;
    MPI_Reduce(&n_extrapolating, &total, 1, MPI_DOUBLE, MPI_SUM, 0, world);
    if (comm->me != 0) return;
    vector_[0] = global_.sigma_energy;
    vector_[1] = global_.max_sigma_force;
    vector_[2] = global_.rms_sigma_force;
    vector_[3] = global_.grade;
    vector_[4] = extrapolation_valid_ ? total : std::nan("");
    vector_[5] = static_cast<double>(update->ntimestep);
    const double volume = domain->xprd * domain->yprd * (domain->dimension == 3 ? domain->zprd : 1.0);
    const double pressure_per_virial = force->nktv2p / (domain->dimension * volume);
    const std::size_t n_members = global_.member_energies.size();
    for (std::size_t m = 0; m < n_members; ++m) {
        vector_[6 + m] = global_.member_energies[m];
        vector_[6 + n_members + m] = pressure_per_virial * global_.member_virials[m];
    }
}

lmlp_plugin::UncertaintyReading PairLMLP::read_uncertainty() const {
    double values[3] = {global_.energy_grade, global_.force_grade,
                        global_.energy_grade * global_.n_atoms * model_.info().energy_rmse};
    MPI_Bcast(values, 3, MPI_DOUBLE, 0, world);
    double shortest = 0.0;
    MPI_Allreduce(&shortest_squared_, &shortest, 1, MPI_DOUBLE, MPI_MIN, world);
    return {values[0], values[1], values[2], std::sqrt(shortest)};
}

double PairLMLP::memory_usage() {
    const ResultArrays& r = results_;
    const std::size_t doubles = r.energies.capacity() + r.gradients.capacity() +
                                r.member_energies.capacity() + r.member_gradients.capacity() +
                                r.scale.capacity() + extrapolating_.capacity();
    return Pair::memory_usage() + sizeof(double) * static_cast<double>(doubles) + uncertainty_.memory_usage();
}
