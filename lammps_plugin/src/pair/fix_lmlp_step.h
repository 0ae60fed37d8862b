// fix LMLP/STEP: every pair style lmlp adds one, so that it knows which of its calls are those of a step.
#ifndef LMP_FIX_LMLP_STEP_H
#define LMP_FIX_LMLP_STEP_H

#include "fix.h"

namespace LAMMPS_NS {

class PairLMLP;

class FixLMLPStep : public Fix {
  public:
    static constexpr const char* kStyle = "LMLP/STEP";

    FixLMLPStep(class LAMMPS* lmp, int narg, char** arg) : Fix(lmp, narg, arg) { dynamic_group_allow = 1; }
    FixLMLPStep(const FixLMLPStep&) = delete;
    FixLMLPStep& operator=(const FixLMLPStep&) = delete;

    // Adds it behind all other fixes, for a run that is being set up; `id` is the pair style's own.
    static void add_last(const char* id, PairLMLP* pair, LAMMPS* lmp);
    static void remove(const char* id, LAMMPS* lmp);

    int setmask() override;
    void post_integrate() override;
    void pre_exchange() override;
    void setup_pre_force(int vflag) override;
    void pre_force(int vflag) override;
    void min_pre_force(int vflag) override;
    void min_setup(int vflag) override;
    void min_post_force(int vflag) override;
    void post_run() override;
    // As in fix_lmlp_select.h.
    void set_molecule(int, tagint, int, double*, double*, double*) override {}

  private:
    PairLMLP* pair_ = nullptr;
};

}  // namespace LAMMPS_NS

#endif
