// The fields per atom that fix pair can ask for.
#ifndef LMLP_LAMMPS_FIELDS_H
#define LMLP_LAMMPS_FIELDS_H

namespace lmlp_plugin {

enum Field { kSigmaForce, kSigmaEnergy, kGrade, kExtrapolating, kDistance, kFieldCount };

inline constexpr const char* kFieldNames[kFieldCount] = {"sigma_f", "sigma_e", "grade", "ew", "distance"};

}  // namespace lmlp_plugin

#endif
