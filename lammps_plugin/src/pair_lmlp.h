// pair_style lmlp: lifelong machine learning potentials in LAMMPS. See docs/lammps.md for users.
#ifndef LMP_PAIR_LMLP_H
#define LMP_PAIR_LMLP_H

#include <string>
#include <vector>

#include "distance_limits.h"
#include "environment_blocks.h"
#include "model.h"
#include "pair.h"
#include "settings.h"
#include "uncertainty.h"
#include "units.h"
#include "virial.h"

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
    int pack_reverse_comm(int n, int first, double* buffer) override;
    void unpack_reverse_comm(int n, int* list, double* buffer) override;
    double memory_usage() override;

    // For fix lmlp/select. want_reading(1) makes the following compute() evaluate the uncertainties; then all
    // ranks together may call read_uncertainty().
    void want_reading(int yes) { wanted_.reading = yes; }
    lmlp_plugin::UncertaintyReading read_uncertainty() const;
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
    };
    // What is counted from one run's start to its end.
    struct RunCounts {
        bigint evaluations = 0;
        bigint too_close = 0;
        bigint extrapolating = 0;
    };
    struct ResultArrays {
        std::vector<double> energies, gradients, member_energies, member_gradients, scale;
        std::vector<int32_t> extrapolating;
    };

    // pair_lmlp_setup.cpp
    void allocate();
    void choose_engine();
    std::string load_model(const std::string& file);
    void map_types(const std::vector<std::string>& symbols);
    void use_model(const std::string& file, const std::vector<std::string>& symbols);
    void log_model() const;
    void setup_vector();
    void check_neighbors();
    void require_members(const char* wanted) const;
    void require_test_errors(const char* wanted) const;
    void require_feature_ranges() const;

    // pair_lmlp_restart.cpp
    std::string find_stored_model(const std::vector<std::string>& paths, const std::string& checksum);

    // pair_lmlp_closeness.cpp
    void set_distance_limits();
    std::string describe_limit(int type_i, int type_j) const;
    std::string find_closeness_problem(const lmlp_plugin::EnvironmentBlocks& block) const;
    void warn_if_too_close(const lmlp_plugin::EnvironmentBlocks& block);

    // pair_lmlp.cpp
    Request make_request(int eflag) const;
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
    void react_to_extrapolation();
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
    double cutoff_ = 0.0;  // LAMMPS length units
    int n_members_ = 0;
    double** scale_ = nullptr;  // fix adapt; the diagonal counts, per type of the center
    bool neighbors_checked_ = false;

    FieldFlags wanted_;
    bool sigma_valid_ = false;          // of the latest compute()
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
