#include "fix_lmlp_step.h"

#include <cstring>

#include "modify.h"
#include "neighbor.h"
#include "pair_lmlp.h"

using namespace LAMMPS_NS;
using namespace FixConst;

// Not the last any more where the input has added fixes since the last run.
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
    auto* fix = dynamic_cast<FixLMLPStep*>(modify.add_fix(std::string(id) + " all " + kStyle));
    if (fix != nullptr) fix->pair_ = pair;
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
    pair_->finish_steps();
}
