#include "step/global_vector.h"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace lmlp_plugin {
namespace {

// The order of the entries; energies and pressures of the members follow, then those of Last.
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
struct Last {
    enum : std::size_t { kDistance, kSigmaPressure, kCount };
};

}  // namespace

// A compute pair may know the length of an earlier model's vector.
void GlobalVector::set_model(const lmlp_potential_info& model, bool is_first_rank) {
    const int n_members = model.n_members > 1 ? model.n_members : 0;
    const bool any = n_members > 0 || model.has_distance;
    length_ = any ? static_cast<int>(Entry::kMembers + Last::kCount) + 2 * n_members : 0;
    const double not_known = is_first_rank ? std::numeric_limits<double>::quiet_NaN() : 0.0;
    values_.assign(std::max(values_.size(), static_cast<std::size_t>(length_)), not_known);
    if (length_ > 0 && is_first_rank) values_[Entry::kStep] = -1.0;  // no step yet
}

void GlobalVector::write(const GlobalUncertainty& values, double n_extrapolating, double largest_distance,
                         LAMMPS_NS::bigint step, double pressure_per_virial) {
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
    double* last = &values_[Entry::kMembers + 2 * n_members];
    last[Last::kDistance] = largest_distance;
    last[Last::kSigmaPressure] = pressure_per_virial * values.sigma_trace;
}

}  // namespace lmlp_plugin
