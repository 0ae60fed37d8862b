#include "pair/fix_lmlp_step.h"

#include <cstring>

#include "modify.h"
#include "neighbor.h"
#include "pair/pair_lmlp.h"

using namespace LAMMPS_NS;
using namespace FixConst;

namespace {

Fix* create(LAMMPS* lmp, int narg, char** arg) {
    return new FixLMLPStep(lmp, narg, arg);
}

}  // namespace

// Not the last any more where the input has added fixes since the last run. The style is known to LAMMPS for
// this moment only: no input can name it, and another plugin of lmlp has its own.
void FixLMLPStep::add_last(const char* id, PairLMLP* pair, LAMMPS* lmp) {
    Modify& modify = *lmp->modify;
    bool is_last = false;
    for (int k = 0; k < modify.nfix; ++k) {
        if (std::strcmp(modify.fix[k]->id, id) == 0)
            is_last = true;
        else if (std::strcmp(modify.fix[k]->style, kStyle) != 0)
            is_last = false;
    }
    if (is_last) return;
    remove(id, lmp);
    (*modify.fix_map)[kStyle] = &create;
    Fix* fix = modify.add_fix(std::string(id) + " all " + kStyle, 0);
    modify.fix_map->erase(kStyle);
    static_cast<FixLMLPStep*>(fix)->pair_ = pair;
}

void FixLMLPStep::remove(const char* id, LAMMPS* lmp) {
    if (lmp->modify != nullptr && lmp->modify->find_fix(id) >= 0) lmp->modify->delete_fix(id);
}

int FixLMLPStep::setmask() {
    return POST_INTEGRATE | PRE_EXCHANGE | PRE_FORCE | MIN_PRE_FORCE | MIN_POST_FORCE | POST_RUN;
}

void FixLMLPStep::post_integrate() {
    pair_->step_watch().begin_step();
}

void FixLMLPStep::pre_exchange() {
    pair_->step_watch().end_exchange();
}

void FixLMLPStep::setup_pre_force(int /*vflag*/) {
    pair_->step_watch().expect_step();
}

void FixLMLPStep::pre_force(int /*vflag*/) {
    pair_->step_watch().before_forces(neighbor->ago == 0);
}

void FixLMLPStep::min_pre_force(int /*vflag*/) {
    pair_->step_watch().expect_step();
}

void FixLMLPStep::min_setup(int vflag) {
    min_post_force(vflag);
}

void FixLMLPStep::min_post_force(int /*vflag*/) {
    pair_->fill_fields_of_fix_pair();
}

void FixLMLPStep::post_run() {
    pair_->end_run();
}
