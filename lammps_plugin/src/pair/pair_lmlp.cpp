// The compute path of pair_style lmlp: environments -> core -> energies, forces, virials, uncertainties.
#include "pair/pair_lmlp.h"

#include <string>

#include "atom.h"
#include "atoms/position_problems.h"
#include "atoms/special_pairs.h"
#include "comm.h"
#include "common/ranks.h"
#include "error.h"
#include "force.h"
#include "neigh_list.h"
#include "neighbor.h"
#include "update.h"

using namespace LAMMPS_NS;
using lmlp_plugin::EnvironmentBlocks;
using lmlp_plugin::Request;
using lmlp_plugin::Uncertainty;

void PairLMLP::compute(int eflag, int vflag) {
    ev_init(eflag, vflag);
    const bool is_step = step_watch_.is_step();
    if (!surroundings_checked_) check_surroundings();
    exclusions_.update(lmp);
    const Request request = make_request(eflag, is_step);
    answers_.begin(request);
    EnvironmentBlocks block(*list,
                            {atom->x, atom->type, &model_.species_of_type(), units_.angstrom_per_length,
                             model_.info().cutoff, &limits_.distances(), &exclusions_.left_out()});
    const std::string problem = lmlp_plugin::share_text(evaluate(block, request), lmp);
    if (!problem.empty()) {
        // the cause before what follows from it: a model may fail where atoms are too close
        if (is_step) limits_.stop_where_too_close(block, model_);
        lmlp_plugin::end_all_ranks_if(problem, "Pair style lmlp", lmp);
    }
    if (vflag_fdotr) virial_fdotr_compute();
    if (is_step) finish_step(request, block);
}

Request PairLMLP::make_request(int eflag, bool is_step) {
    Request request;
    request.energies = eflag_either != 0;
#ifdef LMLP_HAVE_ENERGY_ONLY
    request.forces = (eflag & ENERGY_ONLY) == 0;
#else
    (void)eflag;
    request.forces = true;
#endif
    wishes_.collect();
    if (is_step) wishes_.add_to(request, model_, settings_.sigma, limits_.watches_extrapolation(), nextra);
    return request;
}

// Before the first evaluation of a run: what it looks at is set by Neighbor::init(), after init_style().
void PairLMLP::check_surroundings() {
    lmlp_plugin::check_bond_fixes(lmp);
    const double comm_cutoff = MAX(comm->cutghostuser, neighbor->cutneighmax);
    if (comm_cutoff < cutoff_)
        error->all(FLERR,
                   "Pair style lmlp: the communication cutoff {:g} is smaller than the model's cutoff {:g}; "
                   "raise it with comm_modify cutoff",
                   comm_cutoff, cutoff_);
    surroundings_checked_ = true;
}

// Block by block, so that memory stays bounded. Returns "" or what is wrong on this rank.
std::string PairLMLP::evaluate(EnvironmentBlocks& block, const Request& request) {
    std::string problem = lmlp_plugin::find_position_problem(lmp);
    if (problem.empty()) problem = lmlp_plugin::find_special_problem(model_.species_of_type(), lmp);
    while (problem.empty() && block.next()) {
        problem = lmlp_plugin::find_same_place(block, lmp);
        if (problem.empty()) problem = evaluate_block(block, request);
    }
    return problem;
}

std::string PairLMLP::evaluate_block(const EnvironmentBlocks& block, const Request& request) {
    lmlp_options options{};
    options.struct_size = sizeof(options);
    options.n_threads = settings_.n_threads;
    options.precision =
        settings_.precision == lmlp_plugin::Precision::kMixed ? LMLP_PRECISION_MIXED : LMLP_PRECISION_DOUBLE;
    const std::string problem =
        evaluation_.evaluate(block, request, model_.model(), options, atom->type, scale_);
    if (!problem.empty()) return fmt::format("evaluation failed on step {}: {}", update->ntimestep, problem);
    if (request.energies)
        evaluation_.add_energies(block, units_,
                                 {eflag_global ? &eng_vdwl : nullptr, eflag_atom ? eatom : nullptr});
    if (request.forces)
        evaluation_.add_forces(
            block, units_, atom->f,
            {vflag_global ? virial : nullptr, vflag_atom ? vatom : nullptr, cvflag_atom ? cvatom : nullptr});
    answers_.add(block, evaluation_, request);
    return "";
}

// Nothing of this follows from trial configurations.
void PairLMLP::finish_step(const Request& request, const EnvironmentBlocks& block) {
    answers_.finish_atoms(request, [this](int n_values) { exchange_forces(n_values); });
    limits_.look(block, model_, answers_);
    answers_.finish_whole(request, block.closest());
    wishes_.end_step();
    exclusions_.warn(cutoff_, model_.species_of_type(), lmp);
    constexpr int kMinimization = 2;  // in which fix LMLP/STEP fills them
    if (update->whichflag != kMinimization) fill_fields_of_fix_pair();
}

void PairLMLP::exchange_forces(int n_values) {
    comm_reverse = n_values;  // LAMMPS before 2025 takes the size from here only
    comm->reverse_comm(this);
    comm_reverse = Uncertainty::kValuesPerMessage;  // what buffers are made for
}

int PairLMLP::pack_reverse_comm(int n, int first, double* buffer) {
    return answers_.pack(first, n, buffer);
}

void PairLMLP::unpack_reverse_comm(int n, int* list, double* buffer) {
    answers_.unpack(list, n, buffer);
}

void PairLMLP::finish() {
    limits_.log_counts();
}

// nullptr where the latest step did not evaluate the field: fix pair makes an error of it.
void* PairLMLP::extract_peratom(const char* name, int& n_columns) {
    n_columns = 0;
    return fix_pair_fields_.find(name, answers_);
}

double PairLMLP::memory_usage() {
    return Pair::memory_usage() + evaluation_.memory_usage() + answers_.memory_usage();
}
