// What steps may show without a word: how close atoms come, and how far they leave the training range.
#ifndef LMLP_LAMMPS_LIMITS_H
#define LMLP_LAMMPS_LIMITS_H

#include <string>

#include "atoms/environment_blocks.h"
#include "common/settings.h"
#include "common/units.h"
#include "model/distance_limits.h"
#include "model/typed_model.h"
#include "pointers.h"
#include "step/answers.h"

namespace lmlp_plugin {

// What the settings rmin and extrapolation mean for a model.
struct Thresholds {
    Reaction too_close = Reaction::kOff;
    Reaction extrapolation = Reaction::kOff;
    DistanceLimits distances;
    double angstrom_per_length = 1.0;
};

// Owns the thresholds, what a step has shown, and how many steps were beyond them; it warns, stops, and
// counts. Says nothing of trial configurations: it only ever looks at steps.
class Limits : protected LAMMPS_NS::Pointers {
  public:
    explicit Limits(LAMMPS_NS::LAMMPS* lmp) : Pointers(lmp) {}

    // An error where the model lacks what the settings need; without a model, no distances. Changes nothing.
    Thresholds find_thresholds(const Settings& settings, const TypedModel& model, const Units& units) const;
    void use(const Thresholds& thresholds) { thresholds_ = thresholds; }
    const DistanceLimits& distances() const { return thresholds_.distances; }  // empty: not looked at
    bool watches_extrapolation() const { return thresholds_.extrapolation != Reaction::kOff; }

    void begin_run();
    // Once per evaluation of a step, after Answers::finish_atoms. All ranks together.
    void look(const EnvironmentBlocks& block, const TypedModel& model, const Answers& answers);
    // The last step is over.
    void end_run();
    // For an evaluation that failed: atoms that are too close are the cause, where they are to stop the run.
    void stop_where_too_close(const EnvironmentBlocks& block, const TypedModel& model) const;
    // How many steps were beyond the limits, on rank 0: the warnings speak once per run.
    void log_counts() const;

  private:
    // The same on all ranks: a text where something was found.
    struct Findings {
        LAMMPS_NS::bigint step = -1;
        std::string too_close;
        std::string extrapolating;
    };
    struct Counts {
        LAMMPS_NS::bigint evaluations = 0;
        LAMMPS_NS::bigint too_close = 0;
        LAMMPS_NS::bigint extrapolating = 0;
    };

    DistanceLimits find_distances(const Settings& settings, const Model& model, const Units& units) const;
    std::string describe_distance(int type_i, int type_j, const TypedModel& model) const;
    std::string find_too_close(const EnvironmentBlocks& block, const TypedModel& model) const;
    std::string find_extrapolating(const TypedModel& model, const Answers& answers) const;
    void judge(const Findings& findings);

    Thresholds thresholds_;
    Findings findings_;  // of a step that may not be over, in a minimization
    Counts counts_;      // of this run
};

}  // namespace lmlp_plugin

#endif
