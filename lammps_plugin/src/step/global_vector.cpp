#include "step/global_vector.h"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace lmlp_plugin {
namespace {

// The order of the entries; energies and pressures of the members follow.
struct Entry {
    enum : std::size_t {
        kSigmaEnergy,
        kMaxSigmaForce,
        kRmsSigmaForce,
        kGrade,
        kExtrapolating,
        kStep,
        kMembers
    };
};

}  // namespace

// A compute pair may know the length of an earlier model's vector.
void GlobalVector::set_members(int n_members, bool is_first_rank) {
    length_ = n_members > 1 ? static_cast<int>(Entry::kMembers) + 2 * n_members : 0;
    const double not_known = is_first_rank ? std::numeric_limits<double>::quiet_NaN() : 0.0;
    values_.assign(std::max(values_.size(), static_cast<std::size_t>(length_)), not_known);
    if (length_ > 0 && is_first_rank) values_[Entry::kStep] = -1.0;  // no step yet
}

void GlobalVector::write(const GlobalUncertainty& values, double n_extrapolating, LAMMPS_NS::bigint step,
                         double pressure_per_virial) {
    values_[Entry::kSigmaEnergy] = values.sigma_energy;
    values_[Entry::kMaxSigmaForce] = values.max_sigma_force;
    values_[Entry::kRmsSigmaForce] = values.rms_sigma_force;
    values_[Entry::kGrade] = values.grade;
    values_[Entry::kExtrapolating] = n_extrapolating;
    values_[Entry::kStep] = static_cast<double>(step);
    const std::size_t n_members = values.member_energies.size();
    for (std::size_t m = 0; m < n_members; ++m) {
        values_[Entry::kMembers + m] = values.member_energies[m];
        values_[Entry::kMembers + n_members + m] = pressure_per_virial * values.member_virials[m];
    }
}

}  // namespace lmlp_plugin
