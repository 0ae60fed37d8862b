// lmlp_styles.so: registers the styles with a LAMMPS that lmlpplugin.so has found to be the right one.
#include <string>

#include "entry/plugin_interface.h"
#include "lmlp/lmlp.h"
#include "pair/pair_lmlp.h"
#include "select/fix_lmlp_select.h"

using namespace LAMMPS_NS;

namespace {

void* create_pair(void* lammps) {
    return static_cast<Pair*>(new PairLMLP(static_cast<LAMMPS*>(lammps)));
}

void* create_fix(void* lammps, int narg, char** arg) {
    return static_cast<Fix*>(new FixLMLPSelect(static_cast<LAMMPS*>(lammps), narg, arg));
}

// What the styles have in common.
lmlp_lammps_plugin describe(const lmlp_styles_host& host) {
    static const std::string version = host.compiled_version;
    static const std::string info =
        std::string("lmlp ") + lmlp_version() + ": lifelong machine learning potentials";
    lmlp_lammps_plugin plugin{};
    plugin.version = version.c_str();
    plugin.info = info.c_str();
    plugin.author = "the lmlp developers";
    plugin.handle = host.handle;
    return plugin;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void lmlp_register_styles(const lmlp_styles_host* host) {
    const auto register_style = reinterpret_cast<lmlp_lammps_register>(host->register_function);
    lmlp_lammps_plugin plugin = describe(*host);
    plugin.style = "pair";
    plugin.name = "lmlp";
    plugin.creator.v1 = &create_pair;
    register_style(&plugin, host->lammps);
    plugin.style = "fix";
    plugin.name = "lmlp/select";
    plugin.creator.v2 = &create_fix;
    register_style(&plugin, host->lammps);
}
