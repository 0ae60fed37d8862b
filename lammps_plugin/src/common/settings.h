// Keywords of the pair_style line.
#ifndef LMLP_LAMMPS_SETTINGS_H
#define LMLP_LAMMPS_SETTINGS_H

namespace LAMMPS_NS {
class LAMMPS;
}

namespace lmlp_plugin {

enum class Precision { kDouble, kMixed };  // of the networks
enum class Reaction { kOff, kWarn, kStop };

enum class Backend { kNative, kTorchScript };
enum class SigmaOf { kForces, kEnergies };  // of the whole system; kForces: both

struct Settings {
    Backend backend = Backend::kNative;
    const char* device = "cpu";  // or "cuda"
    int n_threads = 1;           // per MPI rank
    Precision precision = Precision::kDouble;
    double rmin = 0.0;  // LAMMPS length units; 0: from the training data, where the model knows them
    bool rmin_given = false;
    Reaction rmin_reaction = Reaction::kWarn;
    Reaction extrapolation = Reaction::kOff;
    SigmaOf sigma = SigmaOf::kForces;
};

// Ends the run with an error that lists what is allowed when a keyword or value is not.
Settings parse_settings(int narg, char** arg, LAMMPS_NS::LAMMPS* lmp);

}  // namespace lmlp_plugin

#endif
