#include "model/evaluation.hpp"

#include <algorithm>
#include <cstddef>

namespace lmlp {

namespace {

constexpr std::int64_t report_centers = 2048;

template <class T>
T* sized(Buffer<T>& buffer, std::int64_t n) {
    if (static_cast<std::int64_t>(buffer.size()) < n) buffer.resize(static_cast<std::size_t>(n));
    return buffer.data();
}

}  // namespace

void Evaluation::gather(const std::int64_t* centers, std::int64_t n, TileState& tile) const {
    std::int64_t n_pairs = 0;
    std::int64_t* offsets = sized(tile.offsets, n + 1);
    for (std::int64_t t = 0; t < n; ++t) {
        offsets[t] = n_pairs;
        n_pairs += count(centers[t]);
    }
    offsets[n] = n_pairs;
    std::int32_t* neighbor_species = sized(tile.neighbor_species, n_pairs);
    double* vectors = sized(tile.vectors, 3 * n_pairs);
    for (std::int64_t t = 0; t < n; ++t) {
        const std::int64_t from = all_.offsets[centers[t]];
        std::copy_n(all_.neighbor_species + from, count(centers[t]), neighbor_species + offsets[t]);
        std::copy_n(all_.vectors + 3 * from, 3 * count(centers[t]), vectors + 3 * offsets[t]);
    }
    tile.environments = {n, offsets, neighbor_species, vectors};
}

void Evaluation::features(TileState& tile) const {
    double* out = sized(tile.features, tile.environments.n_centers * info_.n_features);
    if (results_.pair_gradients != nullptr || results_.member_pair_gradients != nullptr)
        descriptor_.features(tile.environments, out, tile.kept, options_);
    else
        descriptor_.features(tile.environments, out, options_);
}

void Evaluation::extrapolating(const std::int64_t* centers, const TileState& tile,
                               const std::vector<double>& low, const std::vector<double>& high) const {
    for (std::int64_t t = 0; t < tile.environments.n_centers; ++t) {
        const double* g = tile.features.data() + t * info_.n_features;
        const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(species_[centers[t]]) * info_.n_features;
        std::int32_t n = 0;
        for (int k = 0; k < info_.n_features; ++k) n += g[k] < low[row + k] || g[k] > high[row + k];
        results_.extrapolating[centers[t]] = n;
    }
}

void Evaluation::distances(const std::int64_t* centers, const FeatureDistance& distance,
                           TileState& tile) const {
    const std::int64_t n = tile.environments.n_centers;
    double* out = sized(tile.distances, n);
    distance.evaluate(species_[centers[0]], static_cast<int>(n), tile.features.data(), out, tile.squares);
    for (std::int64_t t = 0; t < n; ++t) results_.distances[centers[t]] = out[t];
}

void Evaluation::networks(const std::int64_t* centers, TileState& tile) const {
    const std::int64_t n = tile.environments.n_centers, m = info_.n_members, f = info_.n_features;
    NetworkResults out;
    if (results_.energies != nullptr) out.energies = sized(tile.energies, n);
    if (results_.pair_gradients != nullptr) out.gradients = sized(tile.gradients, n * f);
    if (results_.member_energies != nullptr) out.member_energies = sized(tile.member_energies, m * n);
    if (results_.member_pair_gradients != nullptr)
        out.member_gradients = sized(tile.member_gradients, m * n * f);
    ensemble_.evaluate(species_[centers[0]], static_cast<int>(n), tile.features.data(), out, precision_,
                       tile.networks);
    for (std::int64_t t = 0; t < n; ++t) {
        const std::int64_t i = centers[t];
        const double atomic = info_.atomic_energies[species_[i]];
        if (out.energies != nullptr) results_.energies[i] = out.energies[t] + atomic;
        for (std::int64_t k = 0; k < m && out.member_energies != nullptr; ++k)
            results_.member_energies[k * all_.n_centers + i] = out.member_energies[k * n + t] + atomic;
    }
}

void Evaluation::pair_gradients(const std::int64_t* centers, const double* gradients, std::int64_t n_sides,
                                TileState& tile, double* out) const {
    const std::int64_t n = tile.environments.n_pairs(), n_all = all_.n_pairs();
    double* pairs = sized(tile.pairs, n_sides * 3 * n);
    descriptor_.backward(tile.environments, gradients, static_cast<int>(n_sides), pairs, tile.kept, options_);
    for (std::int64_t s = 0; s < n_sides; ++s)
        for (std::int64_t t = 0; t < tile.environments.n_centers; ++t)
            std::copy_n(pairs + 3 * (s * n + tile.offsets.data()[t]), 3 * count(centers[t]),
                        out + 3 * (s * n_all + all_.offsets[centers[t]]));
}

void Evaluation::report() const {
    Buffer<double> features;
    for (std::int64_t begin = 0; begin < all_.n_centers; begin += report_centers) {
        const std::int64_t n = std::min(report_centers, all_.n_centers - begin);
        ComputeOptions options;
        options.n_threads = 1;
        options.first_center = begin;
        descriptor_.features({n, all_.offsets + begin, all_.neighbor_species, all_.vectors},
                             sized(features, n * info_.n_features), options);
    }
}

}  // namespace lmlp
