// Values per atom for the columns of fix pair, also of those that ask too early in a step.
#ifndef LMLP_LAMMPS_FIX_PAIR_FIELDS_H
#define LMLP_LAMMPS_FIX_PAIR_FIELDS_H

#include <array>
#include <vector>

#include "pointers.h"
#include "step/answers.h"
#include "step/fields.h"

namespace LAMMPS_NS {
class Fix;
}

namespace lmlp_plugin {

// fix pair copies what it is given at its first call in a step, which may be that of a trial or of another
// evaluation of a minimizer's iteration. Then it is given marks, a NaN of its own for each field of each pair
// style, as no computation gives it; the columns that hold them are filled once the step has been evaluated.
// Owns the marks and where they are.
class FixPairFields : protected LAMMPS_NS::Pointers {
  public:
    // `instance`: of the pair style among all.
    FixPairFields(LAMMPS_NS::LAMMPS* lmp, int instance) : Pointers(lmp), instance_(instance) {}

    void begin_run();
    // What fix pair copies; nullptr where the latest step did not evaluate the field (fix pair makes an error
    // of it), or where there is no such field.
    double* find(const char* name, Answers& answers);
    // Fills the columns that hold marks, or held them earlier in this step. All ranks together.
    void fill(Answers& answers);

  private:
    struct Column {
        LAMMPS_NS::Fix* fix;
        int column;
        Field field;
    };

    bool is_early(const Answers& answers) const;
    void find_marked_columns();

    int instance_;
    std::array<std::vector<double>, kFieldCount> marks_;
    bool has_new_marks_ = false;
    LAMMPS_NS::bigint columns_step_ = -1;
    std::vector<Column> columns_;
};

}  // namespace lmlp_plugin

#endif
