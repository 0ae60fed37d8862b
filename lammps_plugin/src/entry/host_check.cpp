#include "entry/host_check.h"

#include <dlfcn.h>
#include <lmptype.h>
#include <mpi.h>

#include <array>
#include <cstring>

#ifndef LMLP_LAMMPS_VERSION
#define LMLP_LAMMPS_VERSION 0
#endif

namespace lmlp_plugin {
namespace {

constexpr const char* kRebuild =
    "rebuild the plugin for this LAMMPS (cmake -S lammps_plugin -DLAMMPS_SOURCE_DIR=... or "
    "-DLAMMPS_INCLUDE_DIR=...), or install the LAMMPS it was built for";

template <typename Function>
Function find_symbol(const char* name) {
    return reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
}

using VersionFunction = int (*)(void*);
using SettingFunction = int (*)(void*, const char*);
using LibraryVersionFunction = int (*)(char*, int*);

std::string date_text(int date) {
    static constexpr std::array<const char*, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const int month = date / 100 % 100;
    if (date <= 0 || month < 1 || month > 12) return "unknown";
    return std::to_string(date % 100) + " " + months[month - 1] + " " + std::to_string(date / 10000);
}

std::string find_version_problem(void* lammps) {
    const auto version = find_symbol<VersionFunction>("lammps_version");
    if (version == nullptr || LMLP_LAMMPS_VERSION == 0) return "";
    const int host = version(lammps);
    if (host == LMLP_LAMMPS_VERSION) return "";
    return "this is LAMMPS " + date_text(host) + ", the plugin was built for LAMMPS " +
           date_text(LMLP_LAMMPS_VERSION);
}

std::string find_size_problem(void* lammps) {
    const auto setting = find_symbol<SettingFunction>("lammps_extract_setting");
    if (setting == nullptr) return "";
    const int host_tag = setting(lammps, "tagint");
    const int host_image = setting(lammps, "imageint");
    const int host_big = setting(lammps, "bigint");
    if (host_tag == static_cast<int>(sizeof(LAMMPS_NS::tagint)) &&
        host_image == static_cast<int>(sizeof(LAMMPS_NS::imageint)) &&
        host_big == static_cast<int>(sizeof(LAMMPS_NS::bigint)))
        return "";
    const auto name = [](int tag) { return tag == 8 ? "BIGBIG" : "SMALLBIG"; };
    return std::string("this LAMMPS was built with -DLAMMPS_") + name(host_tag) +
           ", the plugin with -DLAMMPS_" + name(sizeof(LAMMPS_NS::tagint)) +
           " (option -DLAMMPS_SIZES=smallbig|bigbig)";
}

// MPICH and Open MPI define MPI_Comm and the data types differently: a mixture would crash.
std::string find_mpi_problem() {
#if defined(MPICH_VERSION) || defined(OMPI_MPI_H) || defined(OPEN_MPI)
    const auto library_version = find_symbol<LibraryVersionFunction>("MPI_Get_library_version");
    if (library_version == nullptr) return "";
    // Of the host's length, which is 8192 with MPICH; this mpi.h may say 256.
    std::array<char, 65536> text{};
    int length = 0;
    library_version(text.data(), &length);
    const bool host_is_open_mpi = std::strstr(text.data(), "Open MPI") != nullptr;
#if defined(MPICH_VERSION)
    if (host_is_open_mpi)
        return "this LAMMPS runs on Open MPI, the plugin was built with MPICH's mpi.h (option "
               "-DLAMMPS_MPI_INCLUDE_DIR)";
#else
    if (!host_is_open_mpi)
        return "this LAMMPS does not run on Open MPI, the plugin was built with its mpi.h (option "
               "-DLAMMPS_MPI_INCLUDE_DIR)";
#endif
#endif
    return "";
}

}  // namespace

std::string compiled_version_text() {
    return date_text(LMLP_LAMMPS_VERSION);
}

std::string find_host_problem(void* lammps) {
    std::string all;
    for (const std::string& problem :
         {find_version_problem(lammps), find_size_problem(lammps), find_mpi_problem()})
        if (!problem.empty()) all += problem + "; ";
    return all.empty() ? "" : all + kRebuild;
}

bool is_first_rank(void* lammps) {
    const auto setting = find_symbol<SettingFunction>("lammps_extract_setting");
    return setting == nullptr || setting(lammps, "universe_rank") <= 0;
}

}  // namespace lmlp_plugin
