#include "common/units.h"

#include <array>

namespace lmlp_plugin {
namespace {

// CODATA 2018; the second is exact by definition of the SI (1 eV = 1.602176634e-19 J), as is the Avogadro
// constant.
constexpr double kBohr = 0.529177210903;  // Angstrom
constexpr double kJoulePerEv = 1.602176634e-19;
constexpr double kHartree = 27.211386245988;  // eV
constexpr double kAvogadro = 6.02214076e23;
constexpr double kJoulePerKcal = 4184.0;  // thermochemical

struct UnitStyle {
    const char* name;
    Units units;
};

constexpr std::array<UnitStyle, 7> kStyles{{
    {"metal", {1.0, 1.0}},
    {"real", {1.0, kJoulePerEv * kAvogadro / kJoulePerKcal}},
    {"electron", {kBohr, 1.0 / kHartree}},
    {"si", {1e10, kJoulePerEv}},
    {"cgs", {1e8, kJoulePerEv * 1e7}},
    {"micro", {1e4, kJoulePerEv * 1e15}},  // energy: pg um^2/us^2 = 1e-15 J
    {"nano", {1e1, kJoulePerEv * 1e21}},   // energy: ag nm^2/ns^2 = 1e-21 J
}};

}  // namespace

std::optional<Units> find_units(const std::string& unit_style) {
    for (const auto& style : kStyles)
        if (unit_style == style.name) return style.units;
    return std::nullopt;
}

std::string list_unit_styles() {
    std::string names;
    for (const auto& style : kStyles) names += (names.empty() ? "" : ", ") + std::string(style.name);
    return names;
}

}  // namespace lmlp_plugin
