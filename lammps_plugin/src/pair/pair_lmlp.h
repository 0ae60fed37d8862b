// pair_style lmlp: lifelong machine learning potentials in LAMMPS. See docs/lammps.md for users.
#ifndef LMP_PAIR_LMLP_H
#define LMP_PAIR_LMLP_H

#include <string>
#include <vector>

#include "atoms/environment_blocks.h"
#include "atoms/exclusions.h"
#include "common/settings.h"
#include "common/units.h"
#include "model/distance_limits.h"
#include "model/model.h"
#include "pair.h"
#include "pair/step_watch.h"
#include "step/uncertainty.h"
#include "step/virial.h"

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
    void fill_fields_of_fix_pair();
    void finish_steps();

    // For fix lmlp/select. After want_reading() the next step evaluates the uncertainties; then
    // count_readings() has grown, and all ranks together may call read_uncertainty().
    void want_reading() { wanted_.reading = 1; }
    bigint count_readings() const { return n_readings_; }
    lmlp_plugin::UncertaintyReading read_uncertainty() const;
    // Neither a center nor a neighbor in the latest evaluation; index of a local atom.
    bool is_left_out(int i) const { return exclusions_.is_left_out(i); }
    // [nlocal, 3] of the latest evaluation, eV/Angstrom.
    const double* sigma_components() const { return uncertainty_.components.data(); }
    // Ends the run with an error that names who wants it, unless the model has members and test errors.
    void require_grade(const char* wanted_by) const;
    const std::string& symbol_of_type(int type) const { return symbol_of_type_[type]; }  // "" for NULL
    const std::string& model_path() const { return model_path_; }
    const lmlp_potential_info& model_info() const { return model_.info(); }

  private:
    // What one call of compute() has to produce.
    struct Request {
        bool energies = false;
        bool forces = false;
        bool sigma = false;
        bool extrapolation = false;
    };
    // 1 while fix pair (LAMMPS holds pointers to them) or fix lmlp/select asks.
    struct FieldFlags {
        int sigma_f = 0;
        int sigma_e = 0;
        int grade = 0;
        int ew = 0;
        int reading = 0;
        void add(const FieldFlags& other) {
            sigma_f |= other.sigma_f;
            sigma_e |= other.sigma_e;
            grade |= other.grade;
            ew |= other.ew;
            reading |= other.reading;
        }
    };
    // What one step has shown, the same on all ranks: a text where something was found.
    struct Findings {
        bigint step = -1;
        std::string too_close;
        std::string extrapolating;
    };
    // A column of a fix pair, to be filled with the values of the step.
    struct FieldColumn {
        class Fix* fix;
        int column;
        int field;
    };
    // What is counted from one run's start to its end: steps, not trials.
    struct RunCounts {
        bigint evaluations = 0;
        bigint too_close = 0;
        bigint extrapolating = 0;
    };
    // A model before it is used: nothing of the pair style has changed yet.
    struct LoadedModel {
        lmlp_plugin::Model model;
        std::string path;
        std::string found_path;
        std::vector<int> species_of_type;
        std::vector<std::string> symbol_of_type;
    };
    static constexpr int kFieldCount = 4;
    struct ResultArrays {
        std::vector<double> energies, gradients, member_energies, member_gradients, scale;
        std::vector<int32_t> extrapolating;
    };

    // pair_lmlp_setup.cpp
    void allocate();
    void choose_engine(const lmlp_plugin::Settings& settings, lmlp_plugin::Model& model) const;
    std::string load_model(const std::string& file, LoadedModel& loaded) const;
    void map_types(const std::vector<std::string>& symbols, LoadedModel& loaded) const;
    void use_model(LoadedModel& loaded, const std::vector<std::string>& symbols);
    void log_model() const;
    void setup_vector();
    void check_surroundings();
    void require_members(const char* wanted) const;
    void require_test_errors(const char* wanted) const;
    void require_feature_ranges(const lmlp_plugin::Model& model) const;

    // pair_lmlp_restart.cpp
    std::string find_stored_model(const std::vector<std::string>& paths, const std::string& checksum,
                                  LoadedModel& loaded) const;

    // pair_lmlp_closeness.cpp
    lmlp_plugin::DistanceLimits make_distance_limits(const lmlp_plugin::Settings& settings,
                                                     const lmlp_plugin::Model& model) const;
    std::string describe_limit(int type_i, int type_j) const;
    std::string find_same_place(const lmlp_plugin::EnvironmentBlocks& block) const;
    std::string find_too_close(const lmlp_plugin::EnvironmentBlocks& block) const;

    // pair_lmlp_pairs.cpp
    std::string find_special_problem() const;
    void check_bond_fixes() const;
    void warn_of_exclusions();

    // pair_lmlp_step.cpp
    Findings look_for_findings(const lmlp_plugin::EnvironmentBlocks& block) const;
    std::string describe_extrapolation() const;
    void take_findings(const Findings& findings);
    void judge(const Findings& findings);
    double* values_of_field(int field);
    bool is_polled_early() const;
    void find_marked_columns();

    // pair_lmlp.cpp
    Request make_request(int eflag, bool is_step);
    void finish_step(const Request& request, const lmlp_plugin::EnvironmentBlocks& block);
    bool is_vector_wanted() const;
    std::string find_position_problem() const;
    void end_all_ranks_if(const std::string& problem) const;
    std::string evaluate(const lmlp_plugin::EnvironmentBlocks& block, const Request& request);
    void add_energies(const lmlp_plugin::EnvironmentBlocks& block);
    void add_forces(const lmlp_plugin::EnvironmentBlocks& block,
                    const lmlp_plugin::VirialTargets& virial_targets);
    void add_extrapolation(const lmlp_plugin::EnvironmentBlocks& block);
    void finish_sigma();
    void write_vector();
    long long atom_id(int i) const;

    lmlp_plugin::Settings settings_;
    std::vector<std::string> settings_words_;  // of the pair_style line, for restart files
    lmlp_plugin::Units units_;
    lmlp_plugin::Model model_;
    lmlp_plugin::DistanceLimits limits_;
    std::string model_path_;            // as pair_coeff names it
    std::string found_path_;            // where it was found
    std::vector<int> species_of_type_;  // [ntypes + 1]
    std::vector<std::string> symbol_of_type_;
    std::string step_fix_id_;
    double cutoff_ = 0.0;  // LAMMPS length units
    int n_members_ = 0;
    double** scale_ = nullptr;  // fix adapt; the diagonal counts, per type of the center
    bool surroundings_checked_ = false;
    lmlp_plugin::Exclusions exclusions_;
    bool exclusions_told_ = false;

    lmlp_plugin::StepWatch step_watch_;
    bigint values_step_ = -1;  // the latest step that was evaluated in this run
    Findings findings_;        // of a step that may not be over, in a minimization
    bigint n_readings_ = 0;
    FieldFlags wanted_;
    FieldFlags asked_;  // during this step, by trials before it, too
    bigint asked_step_ = -1;
    std::vector<double> marks_[kFieldCount];
    bool has_new_marks_ = false;
    bigint columns_step_ = -1;
    std::vector<FieldColumn> columns_;
    bool sigma_valid_ = false;          // of the latest step
    bool extrapolation_valid_ = false;  // likewise
    lmlp_plugin::Uncertainty uncertainty_;
    lmlp_plugin::GlobalUncertainty global_;  // of the latest evaluation, on rank 0
    double shortest_squared_ = 0.0;          // likewise, of this rank's pairs, Angstrom^2
    std::vector<double> extrapolating_;  // [nlocal] number of symmetry functions outside the training range
    int first_member_ = 0;               // of the reverse communication under way
    int member_count_ = 0;
    std::vector<double> vector_;  // compute pair's
    RunCounts counts_;
    ResultArrays results_;
};

}  // namespace LAMMPS_NS

#endif
