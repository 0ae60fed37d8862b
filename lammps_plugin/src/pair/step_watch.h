// Which calls of a pair style are those of a step, and which ones try another configuration.
#ifndef LMLP_LAMMPS_STEP_WATCH_H
#define LMLP_LAMMPS_STEP_WATCH_H

namespace lmlp_plugin {

// Monte Carlo fixes (gcmc, widom, atom/swap, charge/regulation, ...) evaluate trials before the forces of a
// step, while atoms are exchanged; compute fep, fix numdiff, dynamical_matrix and others evaluate perturbed
// ones after them. LAMMPS tells a pair style nothing of that. A fix that is the last one can tell: trials of
// the exchange are over when its own turn comes in it, and the next forces are those of the step.
class StepWatch {
  public:
    void begin_step() { phase_ = Phase::kBegun; }
    void end_exchange() {
        if (phase_ == Phase::kBegun) phase_ = Phase::kExchanged;
    }
    // Called before the forces of steps and of some trials. Steps without an exchange keep the lists; trials
    // of the exchange build them first.
    void before_forces(bool lists_are_new) {
        if (phase_ == Phase::kExchanged || (phase_ == Phase::kBegun && !lists_are_new)) expect_step();
    }
    // The next call is that of a step: the start of a run, the evaluations of minimizers.
    void expect_step() { phase_ = Phase::kForces; }
    // For each call of the pair style; true once per step.
    bool is_step() {
        if (phase_ != Phase::kForces) return false;
        phase_ = Phase::kDone;
        return true;
    }

  private:
    enum class Phase { kBegun, kExchanged, kForces, kDone };
    Phase phase_ = Phase::kDone;
};

}  // namespace lmlp_plugin

#endif
