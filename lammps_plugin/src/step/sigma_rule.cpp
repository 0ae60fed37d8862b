#include "step/sigma_rule.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lmlp_plugin {
namespace {

constexpr double kNotKnown = std::numeric_limits<double>::quiet_NaN();

bool is_test_error(double rmse) {
    return std::isfinite(rmse) && rmse > 0.0;
}

// The map of one atom's spread, for a spread that `weight` atoms have together, or that is `weight` times as
// large: both halves of sigma grow with it.
template <class Map>
double weighted(const Map& map, double spread, double weight) {
    const auto sigma_of = [&map](double value) {
        double sigma = kNotKnown;
        if (!std::isfinite(value)) return value;
        return map(value, &sigma) == LMLP_OK ? sigma : kNotKnown;
    };
    if (weight > 0.0) return weight * sigma_of(std::abs(spread) / weight);
    // no floor is left; other atoms may still make the spread
    const double floor = sigma_of(0.0);
    const double sigma = sigma_of(std::abs(spread));
    return std::sqrt((sigma - floor) * (sigma + floor));
}

}  // namespace

double SigmaRule::force(int species, double weight, const double* spread, double* components) const {
    if (!has_maps()) {
        double largest = 0.0;
        for (int k = 0; k < 3; ++k) {
            components[k] = model_.force_uncertainty_factor * spread[k];
            largest = std::max(largest, components[k]);
        }
        return largest;
    }
    const double length = std::hypot(spread[0], spread[1], spread[2]);
    const double sigma = weighted(
        [&](double value, double* result) { return lmlp_sigma_force(potential_, species, value, result); },
        length, weight);
    std::fill(components, components + 3, sigma / std::sqrt(3.0));
    return sigma;
}

double SigmaRule::energy(double spread, double weight) const {
    if (!has_maps()) return model_.energy_uncertainty_factor * spread;
    return weighted(
        [this](double value, double* result) { return lmlp_sigma_energy(potential_, value, result); }, spread,
        weight);
}

double SigmaRule::trace(double spread, double weight, int dimension) const {
    if (!has_maps()) return kNotKnown;
    return weighted(
        [this](double value, double* result) { return lmlp_sigma_virial(potential_, value, result); }, spread,
        dimension * weight);
}

// The stored error is that of components; that of vectors is sqrt(3) times it.
double SigmaRule::force_grade(double sigma) const {
    if (!is_test_error(model_.force_rmse)) return kNotKnown;
    if (has_maps()) return sigma / (std::sqrt(3.0) * model_.force_rmse);
    return std::max(1.0, sigma / model_.force_rmse);
}

double SigmaRule::energy_grade(double sigma, double n_atoms) const {
    if (!is_test_error(model_.energy_rmse) || !(n_atoms > 0.0)) return kNotKnown;
    const double grade = sigma / (n_atoms * model_.energy_rmse);
    return has_maps() ? grade : std::max(1.0, grade);
}

}  // namespace lmlp_plugin
