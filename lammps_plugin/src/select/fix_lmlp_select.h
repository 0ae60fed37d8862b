// fix lmlp/select: writes structures worth a label, and stops a run that has left what the model knows.
#ifndef LMP_FIX_LMLP_SELECT_H
#define LMP_FIX_LMLP_SELECT_H

#include <string>
#include <vector>

#include "fix.h"
#include "pair/pair_lmlp.h"
#include "select/candidate_file.h"
#include "select/select_settings.h"

namespace LAMMPS_NS {

class FixLMLPSelect : public Fix {
  public:
    FixLMLPSelect(class LAMMPS* lmp, int narg, char** arg);
    FixLMLPSelect(const FixLMLPSelect&) = delete;
    FixLMLPSelect& operator=(const FixLMLPSelect&) = delete;

    int setmask() override;
    void init() override;
    void setup_pre_force(int vflag) override;
    void setup(int vflag) override;
    void min_setup(int vflag) override;
    void pre_force(int vflag) override;
    void min_pre_force(int vflag) override;
    void post_force(int vflag) override;
    void min_post_force(int vflag) override;
    void post_run() override;
    double compute_vector(int n) override;
    // Fix's own, which does nothing either, has a name that depends on the integer sizes of LAMMPS: a plugin
    // that needs it cannot even be opened by a LAMMPS of other sizes, which then could not be told.
    void set_molecule(int, tagint, int, double*, double*, double*) override {}

  private:
    struct Counts {
        bigint evaluations = 0;
        bigint saved = 0;
        bigint too_close = 0;
        double largest_level = 0.0;
        bigint largest_step = 0;
    };

    // What an evaluation has shown. In a minimization it waits until the iteration is over: its last
    // evaluation is that of the step.
    struct Look {
        bool is_open = false;
        bigint step = -1;
        lmlp_plugin::UncertaintyReading reading;
        std::string candidate;  // on rank 0, where the level asks for it
        int n_atoms = 0;        // of the candidate
    };

    PairLMLP* find_pair() const;
    void open_file();
    void look();
    void finish_look();
    bool is_wanted();
    void save();
    void stop() const;
    std::vector<double> gather_atoms() const;
    lmlp_plugin::Candidate make_candidate(const std::vector<double>& rows, std::string& problem) const;
    // What the thresholds are for: the largest of the grades and the distance from the training data that are
    // known.
    double level() const;
    double force_factor() const;
    void end_all_ranks_if(const std::string& problem) const;

    double angstrom_per_length_ = 1.0;
    lmlp_plugin::SelectSettings settings_;
    lmlp_plugin::CandidateFile file_;  // open on rank 0 only
    PairLMLP* pair_ = nullptr;
    Look look_;
    bigint n_seen_ = 0;        // readings of the pair style
    bigint n_structures_ = 0;  // in the file
    bigint last_saved_ = -1;   // step; -1: none
    Counts counts_;            // of this fix
};

}  // namespace LAMMPS_NS

#endif
