#include "model/zbl.hpp"

#include <cmath>

namespace lmlp {

namespace {

constexpr double coulomb = 27.211386245988 * 0.529177210903;  // e^2 / (4 pi eps_0), eV Angstrom
constexpr double screening_length = 0.46850;                  // Angstrom
constexpr double screening_power = 0.23;
constexpr double amplitudes[4] = {0.02817, 0.28022, 0.50986, 0.18175};
constexpr double decays[4] = {0.20162, 0.40290, 0.94229, 3.19980};

struct Derivatives {
    double value, first, second;
};

// factor / r phi(r inverse_length)
Derivatives screened_coulomb(double factor, double inverse_length, double r) {
    double phi = 0.0, first = 0.0, second = 0.0;
    for (int k = 0; k < 4; ++k) {
        const double rate = decays[k] * inverse_length;
        const double term = amplitudes[k] * std::exp(-rate * r);
        phi += term;
        first -= rate * term;
        second += rate * rate * term;
    }
    const double scale = factor / r;
    return {scale * phi, scale * (first - phi / r), scale * (second - 2.0 * first / r + 2.0 * phi / (r * r))};
}

}  // namespace

Zbl::Zbl(const std::vector<int>& atomic_numbers, const std::vector<double>& inner,
         const std::vector<double>& outer)
    : n_elements_(static_cast<int>(atomic_numbers.size())) {
    for (int i = 0; i < n_elements_; ++i)
        for (int j = 0; j < n_elements_; ++j) {
            const double z_i = atomic_numbers[i], z_j = atomic_numbers[j];
            const std::size_t at = static_cast<std::size_t>(i) * n_elements_ + j;
            Pair pair{};
            pair.inner = inner[at];
            pair.outer = outer[at];
            pair.factor = coulomb * z_i * z_j;
            pair.inverse_length =
                (std::pow(z_i, screening_power) + std::pow(z_j, screening_power)) / screening_length;
            const Derivatives end = screened_coulomb(pair.factor, pair.inverse_length, pair.outer);
            const double width = pair.outer - pair.inner;
            pair.cubic = (width * end.second - 3.0 * end.first) / (3.0 * width * width);
            pair.quartic = (2.0 * end.first - width * end.second) / (4.0 * width * width * width);
            pair.constant = -end.value + 0.5 * width * end.first - width * width * end.second / 12.0;
            pairs_.push_back(pair);
        }
}

Zbl::Value Zbl::evaluate(const Pair& pair, double r) {
    const Derivatives bare = screened_coulomb(pair.factor, pair.inverse_length, r);
    Value value{bare.value + pair.constant, bare.first};
    if (r > pair.inner) {
        const double t = r - pair.inner;
        value.energy += t * t * t * (pair.cubic + pair.quartic * t);
        value.slope += t * t * (3.0 * pair.cubic + 4.0 * pair.quartic * t);
    }
    return value;
}

void Zbl::add(const Environments& all, const std::int32_t* species, std::int64_t center, int n_members,
              const PotentialResults& results) const {
    const Pair* row = pairs_.data() + static_cast<std::ptrdiff_t>(species[center]) * n_elements_;
    const std::int64_t n_pairs = all.n_pairs();
    double energy = 0.0;
    for (std::int64_t p = all.offsets[center]; p < all.offsets[center + 1]; ++p) {
        const Pair& pair = row[all.neighbor_species[p]];
        const double* v = all.vectors + 3 * p;
        const double squared = v[0] * v[0] + v[1] * v[1] + v[2] * v[2];
        if (squared >= pair.outer * pair.outer) continue;
        const double r = std::sqrt(squared);
        const Value value = evaluate(pair, r);
        energy += 0.5 * value.energy;
        for (int k = 0; k < 3; ++k) {
            const double gradient = 0.5 * value.slope * v[k] / r;
            if (results.pair_gradients != nullptr) results.pair_gradients[3 * p + k] += gradient;
            for (int m = 0; m < n_members && results.member_pair_gradients != nullptr; ++m)
                results.member_pair_gradients[3 * (m * n_pairs + p) + k] += gradient;
        }
    }
    if (results.energies != nullptr) results.energies[center] += energy;
    for (int m = 0; m < n_members && results.member_energies != nullptr; ++m)
        results.member_energies[m * all.n_centers + center] += energy;
}

}  // namespace lmlp
