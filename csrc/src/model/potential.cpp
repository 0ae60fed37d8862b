#include "lmlp/potential.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "lmlp/descriptor.hpp"
#include "lmlp/error.hpp"
#include "lmlp/network.hpp"
#include "model/evaluation.hpp"
#include "model/feature_distance.hpp"
#include "model/finite.hpp"
#include "model/free_atoms.hpp"
#include "model/model_file.hpp"
#include "model/zbl.hpp"
#include "names.hpp"
#include "threads/parallel.hpp"
#include "threads/scratch_pool.hpp"

namespace lmlp {

double SpreadMap::sigma(double spread) const {
    return std::hypot(floor, factor * spread);
}

namespace {

// Centers are evaluated in tiles of one element, each by one thread from the descriptor to its gradients:
// what the descriptor keeps in between (60 KiB per center at 100 neighbors) stays in the cache.
constexpr std::int64_t largest_tile = Ensemble::most_atoms;
constexpr std::int64_t smallest_tile = 8;
// Fewer centers are not worth waking a thread, which costs more than it saves where cores are busy.
constexpr std::int64_t centers_per_thread = 16;

PotentialInfo make_info(const ModelContent& model, double cutoff) {
    PotentialInfo info;
    info.elements = model.elements;
    info.atomic_numbers = model.atomic_numbers;
    info.atomic_energies = model.atomic_energies;
    info.n_members = model.network.n_members;
    info.n_features = model.network.n_features;
    info.cutoff = cutoff;
    info.energy_rmse = model.energy_rmse;
    info.force_rmse = model.force_rmse;
    info.energy_uncertainty_factor = model.energy_uncertainty_factor;
    info.force_uncertainty_factor = model.force_uncertainty_factor;
    info.has_feature_ranges = !model.feature_min.empty();
    info.spread_maps = model.spread_maps;
    info.has_distance = model.distance.has_value();
    info.shortest_distances = model.shortest_distances;
    info.checksum = model.checksum;
    info.header = model.header;
    return info;
}

std::optional<Zbl> make_baseline(const ModelContent& model) {
    if (!model.baseline) return std::nullopt;
    return Zbl(model.atomic_numbers, model.baseline->inner, model.baseline->outer);
}

std::optional<FeatureDistance> make_distance(const ModelContent& model) {
    if (!model.distance) return std::nullopt;
    return FeatureDistance(*model.distance);
}

std::optional<FreeAtoms> make_free_atoms(const ModelContent& model, const Ensemble& ensemble, double cutoff) {
    if (!model.free_atoms) return std::nullopt;
    return FreeAtoms(*model.free_atoms, model.atomic_energies, ensemble, cutoff);
}

void check_centers(const Environments& environments, const std::int32_t* center_species, int n_species) {
    if (environments.n_centers < 0)
        throw Error(ErrorCode::invalid_argument, "n_centers is " + std::to_string(environments.n_centers) +
                                                     ", allowed is 0 or a positive number");
    if (environments.n_centers == 0) return;
    if (environments.offsets == nullptr || center_species == nullptr)
        throw Error(ErrorCode::invalid_argument, "offsets or center_species are missing");
    if (environments.offsets[0] != 0)
        throw Error(ErrorCode::invalid_argument,
                    "offsets[0] is " + std::to_string(environments.offsets[0]) + ", must be 0");
    for (std::int64_t i = 0; i < environments.n_centers; ++i) {
        if (environments.offsets[i + 1] < environments.offsets[i])
            throw Error(ErrorCode::invalid_argument, "offsets decrease at center " + std::to_string(i));
        if (center_species[i] < 0 || center_species[i] >= n_species)
            throw Error(ErrorCode::unknown_element,
                        "center " + std::to_string(i) + " has species " + std::to_string(center_species[i]) +
                            ", allowed are 0 to " + std::to_string(n_species - 1));
    }
    if (environments.n_pairs() > 0 &&
        (environments.neighbor_species == nullptr || environments.vectors == nullptr))
        throw Error(ErrorCode::invalid_argument, "neighbor_species or vectors are missing");
}

// Saturated units can hide infinite weights: such an element has no results, whatever is asked for.
void check_numbers(const Ensemble& ensemble, const PotentialInfo& info, const std::int32_t* species,
                   std::int64_t n, Precision precision) {
    for (std::int64_t i = 0; i < n; ++i)
        if (ensemble.overflows(species[i], precision))
            fail_not_finite("energy", i, info.elements[species[i]],
                            ensemble.overflows(species[i], Precision::full)
                                ? ""
                                : " in single precision, use precision double");
}

// The centers by element.
struct Tiles {
    struct Range {
        std::int64_t begin, end;
    };
    std::vector<std::int64_t> start, next, order;
    std::vector<Range> ranges;
};

void make_tiles(const std::int32_t* species, std::int64_t n, int n_species, int n_threads, Tiles& tiles) {
    tiles.start.assign(n_species + 1, 0);
    for (std::int64_t i = 0; i < n; ++i) ++tiles.start[species[i] + 1];
    for (int s = 0; s < n_species; ++s) tiles.start[s + 1] += tiles.start[s];
    tiles.next = tiles.start;
    tiles.order.resize(n);
    for (std::int64_t i = 0; i < n; ++i) tiles.order[tiles.next[species[i]]++] = i;
    const std::int64_t share = (n + n_threads - 1) / n_threads;
    const std::int64_t size = std::clamp((share + 7) / 8 * 8, smallest_tile, largest_tile);
    tiles.ranges.clear();
    for (int s = 0; s < n_species; ++s)
        for (std::int64_t at = tiles.start[s]; at < tiles.start[s + 1]; at += size)
            tiles.ranges.push_back({at, std::min(at + size, tiles.start[s + 1])});
}

// Nothing is allocated in a step after the first ones.
struct Scratch {
    ScratchPool<Tiles> tiles;
    ScratchPool<TileState> states;
};

}  // namespace

struct Potential::Parts {
    PotentialInfo info;
    Descriptor descriptor;
    Ensemble ensemble;
    std::vector<double> feature_min, feature_max;
    std::optional<Zbl> baseline;
    std::optional<FreeAtoms> free_atoms;
    std::optional<FeatureDistance> distance;
    std::unique_ptr<Scratch> scratch = std::make_unique<Scratch>();
};

Potential::Potential(std::unique_ptr<const Parts> parts) : parts_(std::move(parts)) {}
Potential::~Potential() = default;
Potential::Potential(Potential&&) noexcept = default;
Potential& Potential::operator=(Potential&&) noexcept = default;

Potential Potential::load(const std::string& path) {
    ModelContent model = read_model_file(path);
    try {
        Descriptor descriptor(model.descriptor, model.atomic_numbers);
        PotentialInfo info = make_info(model, descriptor.cutoff());
        Ensemble ensemble(model.network);
        std::optional<FreeAtoms> free_atoms = make_free_atoms(model, ensemble, descriptor.cutoff());
        return Potential(std::make_unique<const Parts>(
            Parts{std::move(info), std::move(descriptor), std::move(ensemble), std::move(model.feature_min),
                  std::move(model.feature_max), make_baseline(model), std::move(free_atoms),
                  make_distance(model)}));
    } catch (const Error& error) {
        throw Error(ErrorCode::model_file, path + ": " + error.what());
    }
}

const PotentialInfo& Potential::info() const {
    return parts_->info;
}

int Potential::species(const std::string& symbol) const {
    const auto& elements = parts_->info.elements;
    const auto found = std::find(elements.begin(), elements.end(), symbol);
    if (found != elements.end()) return static_cast<int>(found - elements.begin());
    throw Error(ErrorCode::unknown_element,
                "the model has no element \"" + symbol + "\", it has " + join(elements));
}

void Potential::evaluate(const Environments& environments, const std::int32_t* center_species,
                         const PotentialResults& results, const EvaluationOptions& options) const {
    const PotentialInfo& info = parts_->info;
    const int n_species = static_cast<int>(info.elements.size());
    check_centers(environments, center_species, n_species);
    if (results.extrapolating != nullptr && !info.has_feature_ranges)
        throw Error(ErrorCode::uncertainty,
                    "the model file holds no feature ranges: extrapolation cannot be counted");
    if (results.distances != nullptr && !parts_->distance)
        throw Error(
            ErrorCode::uncertainty,
            "the model file holds no distances: how far atoms are from the training data is not known");
    const bool networks = results.energies != nullptr || results.pair_gradients != nullptr ||
                          results.member_energies != nullptr || results.member_pair_gradients != nullptr;
    if (!networks && results.extrapolating == nullptr && results.distances == nullptr) return;
    // distances alone need no networks
    if (networks || results.extrapolating != nullptr)
        check_numbers(parts_->ensemble, info, center_species, environments.n_centers, options.precision);
    const Evaluation evaluation(info, parts_->descriptor, parts_->ensemble, environments, center_species,
                                results, options.precision);
    const int threads = thread_count(options.n_threads, environments.n_centers / centers_per_thread);
    const auto lease = parts_->scratch->tiles.take();
    Tiles& tiles = *lease;
    make_tiles(center_species, environments.n_centers, n_species, threads, tiles);
    const auto evaluate_tile = [&](TileState& tile, std::int64_t index) {
        const auto [begin, end] = tiles.ranges[index];
        const std::int64_t* centers = tiles.order.data() + begin;
        evaluation.gather(centers, end - begin, tile);
        evaluation.features(tile);
        if (results.extrapolating != nullptr)
            evaluation.extrapolating(centers, tile, parts_->feature_min, parts_->feature_max);
        if (results.distances != nullptr) evaluation.distances(centers, *parts_->distance, tile);
        if (networks) evaluation.networks(centers, tile);
        if (results.pair_gradients != nullptr)
            evaluation.pair_gradients(centers, tile.gradients.data(), 1, tile, results.pair_gradients);
        if (results.member_pair_gradients != nullptr)
            evaluation.pair_gradients(centers, tile.member_gradients.data(), info.n_members, tile,
                                      results.member_pair_gradients);
        for (std::int64_t i = begin; i < end && networks && parts_->free_atoms; ++i)
            parts_->free_atoms->add(environments, center_species, tiles.order[i], results);
        for (std::int64_t i = begin; i < end && networks && parts_->baseline; ++i)
            parts_->baseline->add(environments, center_species, tiles.order[i], info.n_members, results);
        return std::all_of(centers, centers + (end - begin), [&](std::int64_t i) {
            return find_not_finite(environments, i, info.n_members, results) == nullptr;
        });
    };
    std::int64_t failed = -1;
    try {
        failed = parallel_for(
            static_cast<std::int64_t>(tiles.ranges.size()), threads,
            [&] { return parts_->scratch->states.take(); },
            [&](auto& tile, std::int64_t i) { return evaluate_tile(*tile, i); });
    } catch (const Error&) {
        evaluation.report();
        throw;
    }
    for (std::int64_t i = failed < 0 ? 0 : tiles.ranges[failed].begin; failed >= 0; ++i) {
        const std::int64_t center = tiles.order[i];
        const char* what = find_not_finite(environments, center, info.n_members, results);
        if (what != nullptr) fail_not_finite(what, center, info.elements[center_species[center]]);
    }
}

}  // namespace lmlp
