#include "step/wishes.h"

#include <cstring>

#include "compute.h"
#include "modify.h"
#include "update.h"

using namespace LAMMPS_NS;

namespace lmlp_plugin {

void Wishes::collect() {
    if (asked_step_ != update->ntimestep) asked_ = {};
    asked_step_ = update->ntimestep;
    for (int field = 0; field < kFieldCount; ++field) asked_.fields[field] |= wanted_.fields[field];
    asked_.reading = asked_.reading || wanted_.reading;
}

void Wishes::add_to(Request& request, const TypedModel& model, SigmaOf sigma, bool watches_extrapolation,
                    int n_vector) const {
    const auto& fields = asked_.fields;
    const lmlp_potential_info& info = model.info();
    const bool force_fields = fields[kSigmaForce] || fields[kGrade];
    // every evaluation of the members' forces writes the vector, of which the last two are a part
    request.whole = force_fields || asked_.reading || is_vector_wanted(n_vector);
    const bool whole_of_members = request.whole && info.n_members > 1;
    request.whole_of_forces = whole_of_members && sigma == SigmaOf::kForces;
    request.member_forces = force_fields || request.whole_of_forces;
    request.member_energies = fields[kSigmaEnergy] || request.member_forces || whole_of_members;
    request.distances = fields[kDistance] || (request.whole && info.has_distance);
    request.extrapolation =
        fields[kExtrapolating] || watches_extrapolation || (request.whole && info.has_feature_ranges);
    for (int field = 0; field < kFieldCount; ++field)
        if (fields[field]) require(static_cast<Field>(field), model, lmp);
    if (watches_extrapolation) model.require_feature_ranges(lmp);
}

// A compute pair that LAMMPS will read on this step. It cannot be asked whose values it reads: another
// style's compute pair with as many values costs an evaluation of the uncertainties, nothing else.
bool Wishes::is_vector_wanted(int n_vector) const {
    if (n_vector == 0) return false;
    for (Compute* compute : modify->get_compute_list())
        if (std::strcmp(compute->style, "pair") == 0 && compute->vector_flag &&
            compute->size_vector == n_vector && compute->matchstep(update->ntimestep))
            return true;
    return false;
}

void Wishes::require(Field field, const TypedModel& model, LAMMPS* lmp) {
    if (field == kExtrapolating)
        model.require_feature_ranges(lmp);
    else if (field == kDistance)
        model.require_distance(lmp);
    else if (field == kGrade)
        model.require_test_errors(kFieldNames[field], lmp);
    else
        model.require_members(kFieldNames[field], lmp);
}

}  // namespace lmlp_plugin
