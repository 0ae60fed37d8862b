// Command `energy_only`: calls the pair style as Monte Carlo fixes of later LAMMPS versions do, for the
// energy and nothing else, and prints energy and largest force. Compiled by test_lammps_plugin.py.
#include <cmath>

#include "atom.h"
#include "comm.h"
#include "command.h"
#include "entry/plugin_interface.h"
#include "force.h"
#include "lammps.h"
#include "pair.h"
#include "utils.h"

using namespace LAMMPS_NS;

namespace {

class EnergyOnly : public Command {
  public:
    explicit EnergyOnly(LAMMPS* lmp) : Command(lmp) {}

    void command(int, char**) override {
        for (const int flags : {ENERGY_GLOBAL | ENERGY_ONLY, static_cast<int>(ENERGY_GLOBAL)}) {
            const int n_all = atom->nlocal + atom->nghost;
            double largest = 0.0;
            for (int i = 0; i < 3 * n_all; ++i) atom->f[0][i] = 0.0;
            force->pair->compute(flags, 0);
            for (int i = 0; i < 3 * n_all; ++i) largest = std::max(largest, std::fabs(atom->f[0][i]));
            utils::logmesg(lmp, "{}: {:.17g} {:.17g}\n", flags == ENERGY_GLOBAL ? "both" : "only",
                           force->pair->eng_vdwl, largest);
        }
    }
};

}  // namespace

extern "C" void lammpsplugin_init(void* lammps, void* handle, void* register_function) {
    lmlp_lammps_plugin plugin{};
    plugin.version = "test";
    plugin.style = "command";
    plugin.name = "energy_only";
    plugin.info = "energy_only";
    plugin.author = "tests";
    plugin.creator.v1 = [](void* lmp) -> void* {
        return static_cast<Command*>(new EnergyOnly(static_cast<LAMMPS*>(lmp)));
    };
    plugin.handle = handle;
    reinterpret_cast<lmlp_lammps_register>(register_function)(&plugin, lammps);
}
