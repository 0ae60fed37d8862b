#include "model/free_atoms.hpp"

#include <algorithm>

#include "lmlp/buffer.hpp"

namespace lmlp {

FreeAtoms::FreeAtoms(const FreeAtomTable& table, const std::vector<double>& atomic_energies,
                     const Ensemble& ensemble, double cutoff)
    : table_(table), n_members_(ensemble.n_members()), inverse_square_(1.0 / (cutoff * cutoff)) {
    const std::vector<double> nothing(static_cast<std::size_t>(ensemble.n_features()), 0.0);
    std::vector<double> alone(static_cast<std::size_t>(n_members_));
    Buffer<double> scratch;
    for (std::size_t e = 0; e < table.energies.size(); ++e) {
        double mean = 0.0;
        NetworkResults results;
        results.energies = &mean;
        results.member_energies = alone.data();
        ensemble.evaluate(static_cast<int>(e), 1, nothing.data(), results, Precision::full, scratch);
        const double difference = table.energies[e] - atomic_energies[e];
        for (const double energy : alone) delta_.push_back(difference - energy);
        mean_.push_back(difference - mean);
    }
}

double FreeAtoms::overlap(const double* v) const {
    return std::max(0.0, 1.0 - (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]) * inverse_square_);
}

void FreeAtoms::add(const Environments& all, const std::int32_t* species, std::int64_t center,
                    const PotentialResults& results) const {
    const int element = species[center];
    const double full = table_.densities[element];
    double density = 0.0;
    for (std::int64_t p = all.offsets[center]; p < all.offsets[center + 1] && density < full; ++p) {
        const double x = overlap(all.vectors + 3 * p);
        density += x * x * x;
    }
    if (density >= full) return;
    const double* delta = delta_.data() + static_cast<std::ptrdiff_t>(element) * n_members_;
    const double rest = 1.0 - density / full, share = rest * rest * rest;
    // without neighbors the number of the file itself: members differ not even by rounding
    const bool alone = density == 0.0;
    if (results.energies != nullptr) {
        double& energy = results.energies[center];
        energy = alone ? table_.energies[element] : energy + share * mean_[element];
    }
    for (int m = 0; m < n_members_ && results.member_energies != nullptr; ++m) {
        double& energy = results.member_energies[m * all.n_centers + center];
        energy = alone ? table_.energies[element] : energy + share * delta[m];
    }
    if (!alone) add_gradients(all, center, element, -3.0 * rest * rest / full, results);
}

// `slope`: derivative of g by the density
void FreeAtoms::add_gradients(const Environments& all, std::int64_t center, int element, double slope,
                              const PotentialResults& results) const {
    const double* delta = delta_.data() + static_cast<std::ptrdiff_t>(element) * n_members_;
    const std::int64_t n_pairs = all.n_pairs();
    for (std::int64_t p = all.offsets[center]; p < all.offsets[center + 1]; ++p) {
        const double* v = all.vectors + 3 * p;
        const double x = overlap(v);
        const double factor = -6.0 * slope * x * x * inverse_square_;
        for (int k = 0; k < 3; ++k) {
            if (results.pair_gradients != nullptr)
                results.pair_gradients[3 * p + k] += mean_[element] * factor * v[k];
            for (int m = 0; m < n_members_ && results.member_pair_gradients != nullptr; ++m)
                results.member_pair_gradients[3 * (m * n_pairs + p) + k] += delta[m] * factor * v[k];
        }
    }
}

}  // namespace lmlp
