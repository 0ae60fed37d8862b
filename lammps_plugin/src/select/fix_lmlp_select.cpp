#include "select/fix_lmlp_select.h"

#include <mpi.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "atom.h"
#include "comm.h"
#include "common/ranks.h"
#include "domain.h"
#include "error.h"
#include "force.h"
#include "timer.h"
#include "update.h"
#include "utils.h"

using namespace LAMMPS_NS;
using namespace FixConst;
using lmlp_plugin::Candidate;

namespace {

constexpr int kFixedArguments = 3;  // ID, group, style
// of gather_atoms
enum Column { kId, kType, kPosition, kSigma = kPosition + 3, kGrade = kSigma + 3, kDistance, kColumns };

enum VectorEntry {
    kEnergyGrade,
    kForceGrade,
    kShortestDistance,
    kStructures,
    kTooClose,
    kStep,
    kDataDistance,
    kVectorSize
};

}  // namespace

FixLMLPSelect::FixLMLPSelect(LAMMPS* lmp, int narg, char** arg) : Fix(lmp, narg, arg) {
    const auto units = lmlp_plugin::find_units(update->unit_style);
    if (!units)
        error->all(FLERR, "Fix lmlp/select cannot be used with units {}; allowed: {}", update->unit_style,
                   lmlp_plugin::list_unit_styles());
    angstrom_per_length_ = units->angstrom_per_length;
    settings_ = lmlp_plugin::parse_select_settings(narg - kFixedArguments, arg + kFixedArguments,
                                                   angstrom_per_length_, lmp);
    nevery = settings_.every;
    dynamic_group_allow = 1;
    vector_flag = 1;
    size_vector = kVectorSize;
    global_freq = 1;
    extvector = 0;
    pair_ = find_pair();
    pair_->model().require_grade_or_distance("fix lmlp/select", lmp);
    open_file();
}

void FixLMLPSelect::end_all_ranks_if(const std::string& problem) const {
    lmlp_plugin::end_all_ranks_if(problem, "Fix lmlp/select", lmp);
}

PairLMLP* FixLMLPSelect::find_pair() const {
    auto* pair = dynamic_cast<PairLMLP*>(force->pair_match("lmlp", 1, settings_.instance));
    if (pair == nullptr)
        error->all(
            FLERR,
            "Fix lmlp/select needs pair_style lmlp with its pair_coeff before it; where a hybrid style "
            "has several, say which by 'instance 1', 'instance 2', ...");
    return pair;
}

void FixLMLPSelect::open_file() {
    std::string problem;
    std::string note;
    if (comm->me == 0) problem = file_.open(settings_.file, note);
    end_all_ranks_if(problem);
    if (!note.empty()) error->warning(FLERR, "Fix lmlp/select: {}", note);
    n_structures_ = file_.n_structures();
    MPI_Bcast(&n_structures_, 1, MPI_LMP_BIGINT, 0, world);
    if (comm->me == 0 && n_structures_ > 0)
        utils::logmesg(lmp, "Fix lmlp/select: {} has {} structures, more are appended\n", settings_.file,
                       n_structures_);
}

int FixLMLPSelect::setmask() {
    return PRE_FORCE | POST_FORCE | MIN_PRE_FORCE | MIN_POST_FORCE | POST_RUN;
}

// The pair style may be another one than at the last run.
void FixLMLPSelect::init() {
    pair_ = find_pair();
    pair_->model().require_grade_or_distance("fix lmlp/select", lmp);
    look_.is_open = false;  // of a run that an error has ended
    n_seen_ = pair_->answers().n_readings();
    if (!atom->tag_enable)
        error->all(FLERR, "Fix lmlp/select needs atom IDs; this input has atom_modify id no");
    int foreign_type = 0;
    for (int i = 0; i < atom->nlocal; ++i)
        if ((atom->mask[i] & groupbit) && pair_->model().symbol_of_type(atom->type[i]).empty())
            foreign_type = atom->type[i];
    int any = 0;
    MPI_Allreduce(&foreign_type, &any, 1, MPI_INT, MPI_MAX, world);
    if (any > 0)
        error->all(FLERR,
                   "Fix lmlp/select: its group has atoms of type {}, for which pair_coeff gives NULL; use a "
                   "group of the atoms that pair_style lmlp treats",
                   any);
}

void FixLMLPSelect::setup_pre_force(int vflag) {
    pre_force(vflag);
}

void FixLMLPSelect::setup(int vflag) {
    post_force(vflag);
}

void FixLMLPSelect::min_setup(int vflag) {
    post_force(vflag);
}

void FixLMLPSelect::pre_force(int /*vflag*/) {
    if (update->ntimestep % nevery == 0) pair_->want_reading();
}

void FixLMLPSelect::min_pre_force(int vflag) {
    if (look_.step != update->ntimestep) finish_look();
    pre_force(vflag);
}

// Monte Carlo fixes call it for their trials, too: the pair style has then no new reading.
void FixLMLPSelect::post_force(int vflag) {
    min_post_force(vflag);
    finish_look();
}

void FixLMLPSelect::min_post_force(int /*vflag*/) {
    if (update->ntimestep % nevery != 0 || n_seen_ == pair_->answers().n_readings()) return;
    n_seen_ = pair_->answers().n_readings();
    look();
}

// Without spread maps the largest of 3N force components is naturally larger than one energy (as in `lmlp
// md`).
double FixLMLPSelect::force_factor() const {
    return pair_->model().info().has_spread_maps ? 1.0 : 2.0;
}

// fmax passes over what is not known.
double FixLMLPSelect::level() const {
    const double grade = std::fmax(look_.reading.energy_grade, look_.reading.force_grade / force_factor());
    return std::fmax(grade, look_.reading.data_distance);
}

void FixLMLPSelect::look() {
    look_ = {true, update->ntimestep, pair_->answers().read(), "", 0};
    if (!(level() > settings_.save)) return;
    const std::vector<double> rows = gather_atoms();
    std::string problem;
    if (comm->me == 0) {
        const Candidate candidate = make_candidate(rows, problem);
        look_.n_atoms = static_cast<int>(candidate.atoms.size());
        if (problem.empty()) look_.candidate = lmlp_plugin::format_candidate(candidate);
    }
    end_all_ranks_if(problem);
}

void FixLMLPSelect::finish_look() {
    if (!look_.is_open) return;
    look_.is_open = false;
    ++counts_.evaluations;
    if (level() > counts_.largest_level) {
        counts_.largest_level = level();
        counts_.largest_step = look_.step;
    }
    if (level() > settings_.save && is_wanted()) save();
    if (level() > settings_.stop) stop();
}

bool FixLMLPSelect::is_wanted() {
    if (n_structures_ >= settings_.max) return false;
    // A step before the last one saved: reset_timestep or another trajectory.
    const bigint step = look_.step;
    if (last_saved_ >= 0 && step >= last_saved_ && step - last_saved_ < settings_.gap) return false;
    if (look_.reading.shortest_distance >= settings_.min_distance) return true;
    if (++counts_.too_close == 1 && comm->me == 0)
        error->warning(FLERR,
                       "Fix lmlp/select: step {} is not saved, two atoms are {:.4g} Angstrom apart, closer "
                       "than mindist {:.4g} Angstrom",
                       step, look_.reading.shortest_distance, settings_.min_distance);
    return false;
}

void FixLMLPSelect::save() {
    std::string problem;
    if (comm->me == 0 && look_.n_atoms > 0) problem = file_.append(look_.candidate);
    end_all_ranks_if(problem);
    const bigint before = n_structures_;
    n_structures_ = file_.n_structures();
    MPI_Bcast(&n_structures_, 1, MPI_LMP_BIGINT, 0, world);
    counts_.saved += n_structures_ - before;
    last_saved_ = look_.step;
}

// As fix halt with `error soft`: this run ends at the end of this step, later run commands are skipped.
void FixLMLPSelect::stop() const {
    std::string what;
    const auto tell = [&what](const char* name, double value, double limit) {
        if (!std::isnan(value))
            what += fmt::format("{}{} {:.4g} (threshold {:g})", what.empty() ? "" : ", ", name, value, limit);
    };
    tell("energy grade", look_.reading.energy_grade, settings_.stop);
    tell("force grade", look_.reading.force_grade, force_factor() * settings_.stop);
    tell("distance from the training data", look_.reading.data_distance, settings_.stop);
    if (comm->me == 0)
        utils::logmesg(lmp, "Fix lmlp/select {} stops the run on step {}: {}\n", id, look_.step, what);
    timer->force_timeout();
}

// Rows of the group's atoms on rank 0, in any order; nothing elsewhere.
std::vector<double> FixLMLPSelect::gather_atoms() const {
    const lmlp_plugin::Answers& answers = pair_->answers();
    const lmlp_potential_info& model = pair_->model().info();
    std::vector<double> mine;
    for (int i = 0; i < atom->nlocal; ++i) {
        if (!(atom->mask[i] & groupbit) || pair_->is_left_out(i)) continue;
        mine.resize(mine.size() + kColumns);
        double* row = &mine[mine.size() - kColumns];
        row[kId] = static_cast<double>(atom->tag[i]);
        row[kType] = atom->type[i];
        for (int k = 0; k < 3; ++k)
            row[kPosition + k] = (atom->x[i][k] - domain->boxlo[k]) * angstrom_per_length_;
        if (pair_->reads_forces()) {
            std::copy_n(answers.sigma_components() + 3 * static_cast<std::size_t>(i), 3, row + kSigma);
            row[kGrade] = answers.grades()[i];
        }
        if (model.has_distance) row[kDistance] = answers.distances()[i];
    }
    int n_mine = static_cast<int>(mine.size());
    std::vector<int> counts(comm->nprocs, 0);
    std::vector<int> starts(comm->nprocs, 0);
    MPI_Gather(&n_mine, 1, MPI_INT, counts.data(), 1, MPI_INT, 0, world);
    std::partial_sum(counts.begin(), counts.end() - 1, starts.begin() + 1);
    std::vector<double> all(comm->me == 0 ? starts.back() + counts.back() : 0);
    MPI_Gatherv(mine.data(), n_mine, MPI_DOUBLE, all.data(), counts.data(), starts.data(), MPI_DOUBLE, 0,
                world);
    return all;
}

Candidate FixLMLPSelect::make_candidate(const std::vector<double>& rows, std::string& problem) const {
    Candidate result;
    const double cell[3][3] = {
        {domain->xprd, 0.0, 0.0},
        {domain->triclinic ? domain->xy : 0.0, domain->yprd, 0.0},
        {domain->triclinic ? domain->xz : 0.0, domain->triclinic ? domain->yz : 0.0, domain->zprd}};
    for (int a = 0; a < 3; ++a) {
        result.periodic[a] = domain->periodicity[a] != 0;
        for (int b = 0; b < 3; ++b) result.cell[a][b] = cell[a][b] * angstrom_per_length_;
    }
    result.step = update->ntimestep;
    result.model = pair_->model().path();
    result.checksum = pair_->model().info().checksum;
    result.energy_grade = look_.reading.energy_grade;
    result.force_grade = look_.reading.force_grade;
    result.energy_uncertainty = look_.reading.energy_uncertainty;
    result.largest_distance = look_.reading.data_distance;
    const lmlp_plugin::TypedModel& model = pair_->model();
    const lmlp_potential_info& info = model.info();
    result.has_uncertainties = pair_->reads_forces();
    result.has_grades = info.has_spread_maps && pair_->reads_forces() && model.model().has_test_errors();
    result.has_distances = info.has_distance != 0;
    // without spread maps the test error is the floor
    const double floor = info.has_spread_maps ? 0.0 : info.force_rmse;
    for (std::size_t start = 0; start + kColumns <= rows.size(); start += kColumns) {
        const double* row = &rows[start];
        Candidate::Atom one;
        one.id = static_cast<int64_t>(row[kId]);
        one.symbol = model.symbol_of_type(static_cast<int>(row[kType]));
        if (one.symbol.empty())
            problem = fmt::format("atom {} of type {} came into its group, for which pair_coeff gives NULL",
                                  one.id, static_cast<int>(row[kType]));
        for (int k = 0; k < 3; ++k) {
            one.position[k] = row[kPosition + k];
            one.force_uncertainty[k] = std::fmax(floor, row[kSigma + k]);
        }
        one.grade = row[kGrade];
        one.distance = row[kDistance];
        result.atoms.push_back(one);
    }
    std::sort(result.atoms.begin(), result.atoms.end(),
              [](const auto& a, const auto& b) { return a.id < b.id; });
    return result;
}

void FixLMLPSelect::post_run() {
    finish_look();
    if (comm->me != 0 || counts_.evaluations == 0) return;
    utils::logmesg(lmp,
                   "Fix lmlp/select {}: {} evaluations, {} structures saved ({} in {}), {} refused as too "
                   "close; largest {} {:.4g}{} on step {}\n",
                   id, counts_.evaluations, counts_.saved, n_structures_, settings_.file, counts_.too_close,
                   pair_->model().info().has_distance ? "grade or distance" : "grade", counts_.largest_level,
                   pair_->reads_forces() && force_factor() > 1.0 ? " (half of it for forces)" : "",
                   counts_.largest_step);
}

double FixLMLPSelect::compute_vector(int n) {
    const double values[kVectorSize] = {look_.reading.energy_grade,
                                        look_.reading.force_grade,
                                        look_.reading.shortest_distance / angstrom_per_length_,
                                        static_cast<double>(counts_.saved),
                                        static_cast<double>(counts_.too_close),
                                        static_cast<double>(look_.step),
                                        look_.reading.data_distance};
    return values[n];
}
