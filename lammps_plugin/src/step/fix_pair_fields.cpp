#include "step/fix_pair_fields.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "atom.h"
#include "error.h"
#include "fix.h"
#include "modify.h"
#include "update.h"

using namespace LAMMPS_NS;

namespace lmlp_plugin {
namespace {

constexpr int kMinimization = 2;  // update->whichflag

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
    for (int field = 0; field < kFieldCount; ++field)
        if (bits == mark_bits(instance, field)) return field;
    return -1;
}

}  // namespace

void FixPairFields::begin_run() {
    columns_step_ = -1;
    has_new_marks_ = false;
}

bool FixPairFields::is_early(const Answers& answers) const {
    return answers.step() != update->ntimestep || update->whichflag == kMinimization;
}

double* FixPairFields::find(const char* name, Answers& answers) {
    for (int field = 0; field < kFieldCount; ++field) {
        if (std::strcmp(name, kFieldNames[field]) != 0) continue;
        double* values = answers.field(static_cast<Field>(field));
        const bool is_evaluated = answers.step() == update->ntimestep;
        if (!is_early(answers) || (is_evaluated && values == nullptr)) return values;
        has_new_marks_ = true;
        marks_[field].assign(std::max(atom->nlocal, 1), mark_of(instance_, field));
        return marks_[field].data();
    }
    return nullptr;
}

// They move with the atoms.
void FixPairFields::find_marked_columns() {
    for (Fix* fix : modify->get_fix_list()) {
        if (std::strcmp(fix->style, "pair") != 0 || !fix->peratom_flag) continue;
        const int n_columns = std::max(1, fix->size_peratom_cols);
        for (int column = 0; column < n_columns; ++column) {
            int mine = -1;
            for (int i = 0; i < atom->nlocal && mine < 0; ++i)
                mine = field_of_mark(instance_, fix->size_peratom_cols == 0 ? fix->vector_atom[i]
                                                                            : fix->array_atom[i][column]);
            int field = -1;
            MPI_Allreduce(&mine, &field, 1, MPI_INT, MPI_MAX, world);
            if (field >= 0) columns_.push_back({fix, column, static_cast<Field>(field)});
        }
    }
}

void FixPairFields::fill(Answers& answers) {
    if (columns_step_ != update->ntimestep) columns_.clear();
    columns_step_ = update->ntimestep;
    if (has_new_marks_) find_marked_columns();
    has_new_marks_ = false;
    for (const Column& one : columns_) {
        const double* values = answers.field(one.field);
        if (values == nullptr && atom->nlocal > 0)
            error->one(FLERR, "Pair style lmlp: fix pair wants {} on a step on which it was not evaluated",
                       kFieldNames[one.field]);
        for (int i = 0; i < atom->nlocal; ++i)
            (one.fix->size_peratom_cols == 0 ? one.fix->vector_atom[i] : one.fix->array_atom[i][one.column]) =
                values[i];
    }
}

}  // namespace lmlp_plugin
