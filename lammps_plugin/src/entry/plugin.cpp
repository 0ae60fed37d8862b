// lmlpplugin.so: what LAMMPS opens. It needs no symbol of LAMMPS or MPI, so that any LAMMPS can open it; it
// checks the host, and only then opens the library with the styles beside it, which needs many.
#include <dlfcn.h>

#include <cstdio>
#include <string>

#include "entry/host_check.h"
#include "entry/plugin_interface.h"

namespace {

std::string path_of_styles() {
    Dl_info info{};
    if (dladdr(reinterpret_cast<void*>(&path_of_styles), &info) == 0 || info.dli_fname == nullptr) return "";
    const std::string path = info.dli_fname;
    const std::size_t slash = path.find_last_of('/');
    return (slash == std::string::npos ? "." : path.substr(0, slash)) + "/" + LMLP_STYLES_FILE;
}

// The library stays open: objects of its classes may outlive `plugin unload`.
lmlp_register_styles_function find_styles(std::string& problem) {
    const std::string path = path_of_styles();
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == nullptr) {
        const char* reason = dlerror();
        problem =
            std::string(reason == nullptr ? path : reason) +
            "; the file belongs beside lmlpplugin.so; where a symbol with __cxx11 is undefined, this LAMMPS "
            "was compiled with the old C++ ABI: rebuild the plugin with "
            "-DCMAKE_CXX_FLAGS=-D_GLIBCXX_USE_CXX11_ABI=0";
        return nullptr;
    }
    const auto function =
        reinterpret_cast<lmlp_register_styles_function>(dlsym(library, "lmlp_register_styles"));
    if (function == nullptr) problem = path + " is not of this plugin";
    return function;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void lammpsplugin_init(void* lammps, void* handle,
                                                                         void* register_function) {
    // A host that the plugin was not built for is left alone: it may not even want this style. pair_style
    // lmlp is then unknown to it, and the reason stands above in its output.
    std::string problem = lmlp_plugin::find_host_problem(lammps);
    lmlp_register_styles_function register_styles = nullptr;
    if (problem.empty()) register_styles = find_styles(problem);
    if (!problem.empty()) {
        if (lmlp_plugin::is_first_rank(lammps))
            std::fprintf(stderr, "lmlp: pair_style lmlp is not available: %s\n", problem.c_str());
        return;
    }
    const std::string version = lmlp_plugin::compiled_version_text();
    const lmlp_styles_host host{lammps, handle, register_function, version.c_str()};
    register_styles(&host);
}
