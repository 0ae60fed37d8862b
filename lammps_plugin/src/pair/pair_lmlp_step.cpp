// What follows from a step of pair_style lmlp: warnings and stops, and the fields of fix pair.
#include <cstdint>
#include <cstring>
#include <limits>

#include "atom.h"
#include "comm.h"
#include "common/ranks.h"
#include "error.h"
#include "fix.h"
#include "modify.h"
#include "pair/pair_lmlp.h"
#include "update.h"

using namespace LAMMPS_NS;
using lmlp_plugin::EnvironmentBlocks;
using lmlp_plugin::Reaction;

namespace {

constexpr const char* kFieldNames[] = {"sigma_f", "sigma_e", "grade", "ew"};
constexpr int kMinimization = 2;  // update->whichflag

// A NaN of its own for each field of each pair style, as no computation gives it.
std::uint64_t mark_bits(int instance, int field) {
    return 0x7ff8'6c6d'0000'0000ULL + (static_cast<std::uint64_t>(instance & 0xffffff) << 8) +
           static_cast<std::uint64_t>(field);
}

double mark_of(int instance, int field) {
    const std::uint64_t bits = mark_bits(instance, field);
    double mark;
    std::memcpy(&mark, &bits, sizeof(mark));
    return mark;
}

int field_of_mark(int instance, double value) {
    std::uint64_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    for (int field = 0; field < 4; ++field)
        if (bits == mark_bits(instance, field)) return field;
    return -1;
}

}  // namespace

PairLMLP::Findings PairLMLP::look_for_findings(const EnvironmentBlocks& block) const {
    Findings findings;
    findings.step = update->ntimestep;
    if (settings_.rmin_reaction != Reaction::kOff && !limits_.empty())
        findings.too_close = find_too_close(block);
    if (settings_.extrapolation != Reaction::kOff) findings.extrapolating = describe_extrapolation();
    return findings;
}

std::string PairLMLP::describe_extrapolation() const {
    // [0] atoms that extrapolate, [1] the largest number of functions
    double sums[2] = {0.0, 0.0};
    int worst = -1;
    for (std::size_t i = 0; i < extrapolating_.size(); ++i) {
        if (extrapolating_[i] > 0.0) sums[0] += 1.0;
        if (extrapolating_[i] > sums[1]) {
            sums[1] = extrapolating_[i];
            worst = static_cast<int>(i);
        }
    }
    double n_atoms = 0.0;
    double n_functions = 0.0;
    MPI_Allreduce(&sums[0], &n_atoms, 1, MPI_DOUBLE, MPI_SUM, world);
    if (n_atoms == 0.0) return "";
    MPI_Allreduce(&sums[1], &n_functions, 1, MPI_DOUBLE, MPI_MAX, world);
    const double candidate = worst >= 0 && sums[1] == n_functions ? static_cast<double>(atom_id(worst)) : 0.0;
    double id = 0.0;
    MPI_Allreduce(&candidate, &id, 1, MPI_DOUBLE, MPI_MAX, world);
    return fmt::format(
        "Pair style lmlp extrapolates on step {}: {:.0f} atoms lie outside the training range, most of all "
        "atom {:.0f} with {:.0f} of {} symmetry functions",
        update->ntimestep, n_atoms, id, n_functions, model_.info().n_features);
}

// An iteration of a minimizer is a step; which of its evaluations is the last one shows when the next
// iteration begins.
void PairLMLP::take_findings(const Findings& findings) {
    if (update->whichflag != kMinimization) return judge(findings);
    const Findings earlier = findings_;
    findings_ = findings;
    if (earlier.step >= 0 && earlier.step != findings.step) judge(earlier);
}

void PairLMLP::finish_steps() {
    const Findings last = findings_;
    findings_ = {};
    if (last.step >= 0) judge(last);
}

void PairLMLP::judge(const Findings& findings) {
    ++counts_.evaluations;
    if (!findings.too_close.empty()) {
        if (settings_.rmin_reaction == Reaction::kStop)
            error->all(FLERR, "Pair style lmlp: {}", findings.too_close);
        if (++counts_.too_close == 1 && comm->me == 0)
            error->warning(FLERR, "Pair style lmlp: {}", findings.too_close);
    }
    if (findings.extrapolating.empty()) return;
    if (settings_.extrapolation == Reaction::kStop) error->all(FLERR, "{}", findings.extrapolating);
    if (++counts_.extrapolating == 1 && comm->me == 0) error->warning(FLERR, "{}", findings.extrapolating);
}

// The warnings above speak once per run; here is how often they would have.
void PairLMLP::finish() {
    if (comm->me != 0) return;
    if (counts_.extrapolating > 0)
        utils::logmesg(lmp, "Pair style lmlp: extrapolated on {} of {} evaluations\n", counts_.extrapolating,
                       counts_.evaluations);
    if (counts_.too_close > 0)
        utils::logmesg(lmp, "Pair style lmlp: atoms closer than rmin on {} of {} evaluations\n",
                       counts_.too_close, counts_.evaluations);
}

double* PairLMLP::values_of_field(int field) {
    const std::string what = kFieldNames[field];
    if (what == "ew") return extrapolation_valid_ ? extrapolating_.data() : nullptr;
    if (!sigma_valid_) return nullptr;
    if (what == "sigma_f") return uncertainty_.sigma_force.data();
    if (what == "sigma_e") return uncertainty_.sigma_energy.data();
    return uncertainty_.grade.data();
}

// fix pair copies what it is given at its first call in a step, which may be that of a trial or of another
// evaluation of a minimizer's iteration.
bool PairLMLP::is_polled_early() const {
    return values_step_ != update->ntimestep || update->whichflag == kMinimization;
}

// nullptr where the latest step did not evaluate the field: fix pair makes an error of it.
void* PairLMLP::extract_peratom(const char* name, int& n_columns) {
    n_columns = 0;
    for (int field = 0; field < kFieldCount; ++field) {
        if (std::strcmp(name, kFieldNames[field]) != 0) continue;
        double* values = values_of_field(field);
        const bool is_evaluated = values_step_ == update->ntimestep;
        if (!is_polled_early() || (is_evaluated && values == nullptr)) return values;
        has_new_marks_ = true;
        marks_[field].assign(MAX(atom->nlocal, 1), mark_of(instance_me, field));
        return marks_[field].data();
    }
    return nullptr;
}

// Which columns of which fix pair hold our marks; they move with the atoms.
void PairLMLP::find_marked_columns() {
    for (Fix* fix : modify->get_fix_list()) {
        if (std::strcmp(fix->style, "pair") != 0 || !fix->peratom_flag) continue;
        const int n_columns = MAX(1, fix->size_peratom_cols);
        for (int column = 0; column < n_columns; ++column) {
            int mine = -1;
            for (int i = 0; i < atom->nlocal && mine < 0; ++i)
                mine = field_of_mark(instance_me, fix->size_peratom_cols == 0 ? fix->vector_atom[i]
                                                                              : fix->array_atom[i][column]);
            int field = -1;
            MPI_Allreduce(&mine, &field, 1, MPI_INT, MPI_MAX, world);
            if (field >= 0) columns_.push_back({fix, column, field});
        }
    }
}

void PairLMLP::fill_fields_of_fix_pair() {
    if (columns_step_ != update->ntimestep) columns_.clear();
    columns_step_ = update->ntimestep;
    if (has_new_marks_) find_marked_columns();
    has_new_marks_ = false;
    for (const FieldColumn& one : columns_) {
        const double* values = values_of_field(one.field);
        if (values == nullptr && atom->nlocal > 0)
            error->one(FLERR, "Pair style lmlp: fix pair wants {} on a step on which it was not evaluated",
                       kFieldNames[one.field]);
        for (int i = 0; i < atom->nlocal; ++i)
            (one.fix->size_peratom_cols == 0 ? one.fix->vector_atom[i] : one.fix->array_atom[i][one.column]) =
                values[i];
    }
}
