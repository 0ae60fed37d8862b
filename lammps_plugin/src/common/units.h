// LAMMPS unit styles seen from the model's units (Angstrom, eV).
#ifndef LMLP_LAMMPS_UNITS_H
#define LMLP_LAMMPS_UNITS_H

#include <optional>
#include <string>

namespace lmlp_plugin {

// Exactly 1 for `units metal`, so that nothing is rounded there.
struct Units {
    double angstrom_per_length = 1.0;  // multiply a LAMMPS length by it
    double energy_per_ev = 1.0;        // multiply an energy in eV by it
    // Multiply a force in eV/Angstrom by it.
    double force_per_model_unit() const { return energy_per_ev * angstrom_per_length; }
};

// nullopt for `lj` and unknown styles: there is no length or energy to convert to.
std::optional<Units> find_units(const std::string& unit_style);

// For messages: the styles that find_units knows.
std::string list_unit_styles();

}  // namespace lmlp_plugin

#endif
