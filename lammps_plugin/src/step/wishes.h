// Who wants what of the steps: fix pair by flags, fix lmlp/select by readings, compute pair by its timetable.
#ifndef LMLP_LAMMPS_WISHES_H
#define LMLP_LAMMPS_WISHES_H

#include <array>

#include "common/settings.h"
#include "model/typed_model.h"
#include "pointers.h"
#include "step/fields.h"
#include "step/request.h"

namespace lmlp_plugin {

// Owns the flags, and what has been asked on this step so far: fix pair asks once per step, which may be in a
// trial before the step's own forces.
class Wishes : protected LAMMPS_NS::Pointers {
  public:
    explicit Wishes(LAMMPS_NS::LAMMPS* lmp) : Pointers(lmp) {}

    // 1 while fix pair asks for the field; LAMMPS keeps the pointer.
    int* flag(Field field) { return &wanted_.fields[field]; }
    // The next step evaluates the uncertainties.
    void want_reading() { wanted_.reading = true; }

    void begin_run() { asked_step_ = -1; }
    // For each call of the pair style, trials included.
    void collect();
    // For the call of a step: adds what has been asked to the request. Ends the run where the model lacks
    // what that needs. `n_vector`: length of the vector that compute pair reads.
    void add_to(Request& request, const TypedModel& model, SigmaOf sigma, bool watches_extrapolation,
                int n_vector) const;
    // The step has had its reading.
    void end_step() { wanted_.reading = false; }

    // Ends the run unless the model has what the field needs.
    static void require(Field field, const TypedModel& model, LAMMPS_NS::LAMMPS* lmp);

  private:
    struct Asked {
        std::array<int, kFieldCount> fields{};
        bool reading = false;
    };

    bool is_vector_wanted(int n_vector) const;

    Asked wanted_;
    Asked asked_;  // during this step
    LAMMPS_NS::bigint asked_step_ = -1;
};

}  // namespace lmlp_plugin

#endif
