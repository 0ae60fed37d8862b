// pair_style lmlp: lifelong machine learning potentials in LAMMPS. See docs/lammps.md for users.
#ifndef LMP_PAIR_LMLP_H
#define LMP_PAIR_LMLP_H

#include <string>
#include <vector>

#include "atoms/exclusions.h"
#include "common/settings.h"
#include "common/units.h"
#include "model/typed_model.h"
#include "pair.h"
#include "pair/step_watch.h"
#include "step/answers.h"
#include "step/evaluation.h"
#include "step/fix_pair_fields.h"
#include "step/limits.h"
#include "step/wishes.h"

// LAMMPS before the end of 2022 knows neither fix pair nor Pair::finish(): nobody calls these functions
// there.
#ifdef LMLP_HAVE_FIX_PAIR
#define LMLP_OVERRIDE_OF_FIX_PAIR override
#else
#define LMLP_OVERRIDE_OF_FIX_PAIR
#endif
#ifdef LMLP_HAVE_PAIR_FINISH
#define LMLP_OVERRIDE_OF_FINISH override
#else
#define LMLP_OVERRIDE_OF_FINISH
#endif

namespace LAMMPS_NS {

// The face that LAMMPS sees: it hands each call to the part that owns what the call is about. Its own are the
// settings, the arrays that LAMMPS asks a pair style for, and the order in which a step is evaluated.
class PairLMLP : public Pair {
  public:
    explicit PairLMLP(class LAMMPS* lmp);
    ~PairLMLP() override;
    PairLMLP(const PairLMLP&) = delete;
    PairLMLP& operator=(const PairLMLP&) = delete;

    void compute(int eflag, int vflag) override;
    void settings(int narg, char** arg) override;
    void coeff(int narg, char** arg) override;
    void init_style() override;
    double init_one(int i, int j) override;
    void finish() LMLP_OVERRIDE_OF_FINISH;
    void write_restart(FILE* file) override;
    void read_restart(FILE* file) override;
    void write_restart_settings(FILE* file) override;
    void read_restart_settings(FILE* file) override;

    void* extract(const char* name, int& dim) override;
    void* extract_peratom(const char* name, int& n_columns) LMLP_OVERRIDE_OF_FIX_PAIR;
    void modify_params(int narg, char** arg) override;
    int pack_reverse_comm(int n, int first, double* buffer) override;
    void unpack_reverse_comm(int n, int* list, double* buffer) override;
    double memory_usage() override;

    // For fix LMLP/STEP.
    lmlp_plugin::StepWatch& step_watch() { return step_watch_; }
    void fill_fields_of_fix_pair() { fix_pair_fields_.fill(answers_); }
    void end_run() { limits_.end_run(); }

    // For fix lmlp/select. After want_reading() the next step evaluates the uncertainties, and answers() has
    // one more reading.
    void want_reading() { wishes_.want_reading(); }
    const lmlp_plugin::Answers& answers() const { return answers_; }
    // Whether a reading tells of the members' forces.
    bool reads_forces() const {
        return settings_.sigma == lmlp_plugin::SigmaOf::kForces && model_.info().n_members > 1;
    }
    const lmlp_plugin::TypedModel& model() const { return model_; }
    // Neither a center nor a neighbor in the latest evaluation; index of a local atom.
    bool is_left_out(int i) const { return exclusions_.is_left_out(i); }

  private:
    // pair_lmlp_setup.cpp
    void allocate();
    void use_model(lmlp_plugin::TypedModel& loaded, const std::vector<std::string>& symbols);

    // pair_lmlp.cpp
    lmlp_plugin::Request make_request(int eflag, bool is_step);
    void check_surroundings();
    std::string evaluate(lmlp_plugin::EnvironmentBlocks& block, const lmlp_plugin::Request& request);
    std::string evaluate_block(const lmlp_plugin::EnvironmentBlocks& block,
                               const lmlp_plugin::Request& request);
    void finish_step(const lmlp_plugin::Request& request, const lmlp_plugin::EnvironmentBlocks& block);
    void exchange_forces(int n_values);

    lmlp_plugin::Settings settings_;
    std::vector<std::string> settings_words_;  // of the pair_style line, for restart files
    lmlp_plugin::Units units_;
    double cutoff_ = 0.0;  // LAMMPS length units; extracted by pointer, as are the next two
    int n_members_ = 0;
    double** scale_ = nullptr;  // fix adapt; the diagonal counts, per type of the center
    std::string step_fix_id_;
    bool surroundings_checked_ = false;  // in this run

    lmlp_plugin::TypedModel model_;
    lmlp_plugin::Exclusions exclusions_;
    lmlp_plugin::StepWatch step_watch_;
    lmlp_plugin::Wishes wishes_;
    lmlp_plugin::Evaluation evaluation_;
    lmlp_plugin::Answers answers_;
    lmlp_plugin::FixPairFields fix_pair_fields_;
    lmlp_plugin::Limits limits_;
};

}  // namespace LAMMPS_NS

#endif
