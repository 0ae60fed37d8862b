// The descriptor: checks its input, spreads centers over threads, and names what is wrong.
#include "lmlp/descriptor.hpp"

#include <atomic>

#include "descriptor/plan.hpp"
#include "functions/form_names.hpp"
#include "kernels/dispatch.hpp"
#include "lmlp/error.hpp"
#include "threads/arena.hpp"
#include "threads/parallel.hpp"
#include "threads/scratch_pool.hpp"

namespace lmlp {

namespace {

using Arenas = std::vector<std::unique_ptr<Arena>>;

}  // namespace

struct Descriptor::Plan {
    Plan(DescriptorSpec given, std::span<const int> atomic_numbers)
        : spec(std::move(given)), plan(spec, atomic_numbers) {}
    DescriptorSpec spec;
    lmlp::Plan plan;
    mutable ScratchPool<Arenas> scratch;  // of calls without a state
};

namespace {

AngularPath check_path(const PlanView& plan, AngularPath path) {
    if (path == AngularPath::moments && plan.n_angulars > 0 && !plan.has_moments)
        throw Error(
            ErrorCode::invalid_argument,
            std::string("path moments needs angular functions that are polynomials in cos(theta) of degree "
                        "64 at most; use triples or automatic for the angular form ") +
                facts(plan.angular_form).name + " with these parameters");
    return path;
}

void check_environments(const Environments& environments) {
    if (environments.n_centers < 0)
        throw Error(ErrorCode::invalid_argument,
                    "n_centers is negative: " + std::to_string(environments.n_centers));
    if (environments.n_centers == 0) return;
    if (environments.offsets == nullptr) throw Error(ErrorCode::invalid_argument, "offsets are missing");
    for (std::int64_t i = 0; i < environments.n_centers; ++i)
        if (environments.offsets[i + 1] < environments.offsets[i] || environments.offsets[i] < 0)
            throw Error(ErrorCode::invalid_argument,
                        "offsets decrease or are negative at center " + std::to_string(i));
    if (environments.n_pairs() > 0 &&
        (environments.neighbor_species == nullptr || environments.vectors == nullptr))
        throw Error(ErrorCode::invalid_argument, "neighbor_species or vectors are missing");
}

Center center_of(const Environments& environments, std::int64_t i) {
    const std::int64_t begin = environments.offsets[i];
    return {environments.offsets[i + 1] - begin, environments.neighbor_species + begin,
            environments.vectors + 3 * begin};
}

// The fault of one center, looked up again so that threads need not store messages.
[[noreturn]] void report(const PlanView& plan, const Environments& environments, std::int64_t i,
                         std::int64_t first_center) {
    const Center center = center_of(environments, i);
    const std::int64_t begin = environments.offsets[i];
    for (std::int64_t p = 0; p < center.n_pairs; ++p) {
        const std::string where = "center " + std::to_string(first_center + i) + ", pair " +
                                  std::to_string(begin + p) + " (its neighbor " + std::to_string(p) + "): ";
        if (center.species[p] < 0 || center.species[p] >= plan.n_species)
            throw Error(ErrorCode::unknown_element, where + "species " + std::to_string(center.species[p]) +
                                                        ", allowed are 0 to " +
                                                        std::to_string(plan.n_species - 1));
        Arena arena;
        const Center one{1, center.species + p, center.vectors + 3 * p};
        std::vector<double> features(plan.n_features);
        const Fault fault =
            kernels().features(plan, one, arena, AngularPath::triples, features.data(), nullptr).fault;
        if (fault == Fault::not_finite)
            throw Error(ErrorCode::geometry, where + "the vector to the neighbor is NaN or infinite");
        if (fault == Fault::coincident)
            throw Error(ErrorCode::geometry,
                        where + "two atoms at the same place (closer than 1e-6 Angstrom)");
    }
    throw Error(ErrorCode::internal,
                "center " + std::to_string(first_center + i) + " failed for an unknown reason");
}

// work(arena, i) for every center, with one of the arenas per thread, which are reset before.
template <class Work>
void for_each_center(const PlanView& plan, const Environments& environments, const ComputeOptions& options,
                     Arenas& arenas, Work work) {
    const int threads = thread_count(options.n_threads, environments.n_centers);
    while (static_cast<int>(arenas.size()) < threads) arenas.push_back(std::make_unique<Arena>());
    std::atomic<int> next{0};
    const std::int64_t failed = parallel_for(
        environments.n_centers, threads,
        [&] {
            Arena* arena = arenas[next++].get();
            arena->reset();
            return arena;
        },
        [&](Arena* arena, std::int64_t i) { return work(*arena, i).fault == Fault::none; });
    if (failed >= 0) report(plan, environments, failed, options.first_center);
}

// The right-hand sides of one center.
Sides backward_sides(const PlanView& plan, const Environments& environments, std::int64_t i,
                     const double* grad_features, int n_rhs, double* pair_gradients) {
    const std::int64_t begin = environments.offsets[i] - environments.offsets[0];
    return {n_rhs, grad_features + i * plan.n_features, environments.n_centers * plan.n_features,
            pair_gradients + 3 * begin, 3 * environments.n_pairs()};
}

}  // namespace

Descriptor::Descriptor(DescriptorSpec spec, std::span<const int> atomic_numbers)
    : plan_(std::make_unique<const Plan>(std::move(spec), atomic_numbers)) {}
Descriptor::~Descriptor() = default;
Descriptor::Descriptor(Descriptor&&) noexcept = default;
Descriptor& Descriptor::operator=(Descriptor&&) noexcept = default;

int Descriptor::n_features() const {
    return plan_->plan.view().n_features;
}
int Descriptor::n_species() const {
    return plan_->plan.view().n_species;
}
double Descriptor::cutoff() const {
    return plan_->spec.cutoff;
}
const DescriptorSpec& Descriptor::spec() const {
    return plan_->spec;
}

void Descriptor::features(const Environments& environments, double* features,
                          const ComputeOptions& options) const {
    const PlanView& plan = plan_->plan.view();
    const AngularPath path = check_path(plan, options.path);
    check_environments(environments);
    const Kernels& kernel = kernels();
    const auto arenas = plan_->scratch.take();
    for_each_center(plan, environments, options, *arenas, [&](Arena& arena, std::int64_t i) {
        arena.reset();
        return kernel.features(plan, center_of(environments, i), arena, path, features + i * plan.n_features,
                               nullptr);
    });
}

// Kept states lie in one arena per thread, one center after the other, so that little memory is touched.
struct DescriptorState::Centers {
    Arenas arenas, scratch;
    std::vector<KeptCenter*> kept;
    std::int64_t n = 0;  // filled by the last features()
};

DescriptorState::DescriptorState() : centers_(std::make_unique<Centers>()) {}
DescriptorState::~DescriptorState() = default;
DescriptorState::DescriptorState(DescriptorState&&) noexcept = default;
DescriptorState& DescriptorState::operator=(DescriptorState&&) noexcept = default;

void Descriptor::features(const Environments& environments, double* features, DescriptorState& state,
                          const ComputeOptions& options) const {
    const PlanView& plan = plan_->plan.view();
    const AngularPath path = check_path(plan, options.path);
    check_environments(environments);
    auto& centers = *state.centers_;
    centers.n = 0;
    if (static_cast<std::int64_t>(centers.kept.size()) < environments.n_centers)
        centers.kept.resize(environments.n_centers);
    const Kernels& kernel = kernels();
    for_each_center(plan, environments, options, centers.arenas, [&](Arena& arena, std::int64_t i) {
        return kernel.features(plan, center_of(environments, i), arena, path, features + i * plan.n_features,
                               &centers.kept[i]);
    });
    centers.n = environments.n_centers;
}

void Descriptor::backward(const Environments& environments, const double* grad_features, int n_rhs,
                          double* pair_gradients, DescriptorState& state,
                          const ComputeOptions& options) const {
    const PlanView& plan = plan_->plan.view();
    check_environments(environments);
    auto& centers = *state.centers_;
    if (centers.n != environments.n_centers)
        throw Error(ErrorCode::invalid_argument, "the state holds " + std::to_string(centers.n) +
                                                     " centers, the environments have " +
                                                     std::to_string(environments.n_centers));
    const Kernels& kernel = kernels();
    for_each_center(plan, environments, options, centers.scratch, [&](Arena& arena, std::int64_t i) {
        arena.reset();
        const Sides sides = backward_sides(plan, environments, i, grad_features, n_rhs, pair_gradients);
        return kernel.backward(plan, center_of(environments, i), arena, options.path, sides, centers.kept[i]);
    });
}

void Descriptor::backward(const Environments& environments, const double* grad_features, int n_rhs,
                          double* pair_gradients, const ComputeOptions& options) const {
    const PlanView& plan = plan_->plan.view();
    const AngularPath path = check_path(plan, options.path);
    check_environments(environments);
    const Kernels& kernel = kernels();
    const auto arenas = plan_->scratch.take();
    for_each_center(plan, environments, options, *arenas, [&](Arena& arena, std::int64_t i) {
        arena.reset();
        const Sides sides = backward_sides(plan, environments, i, grad_features, n_rhs, pair_gradients);
        return kernel.backward(plan, center_of(environments, i), arena, path, sides, nullptr);
    });
}

void Descriptor::tangent(const Environments& environments, const double* d_vectors, int n_rhs,
                         double* d_features, const ComputeOptions& options) const {
    const PlanView& plan = plan_->plan.view();
    const AngularPath path = check_path(plan, options.path);
    check_environments(environments);
    const Kernels& kernel = kernels();
    const auto arenas = plan_->scratch.take();
    for_each_center(plan, environments, options, *arenas, [&](Arena& arena, std::int64_t i) {
        arena.reset();
        const std::int64_t begin = environments.offsets[i] - environments.offsets[0];
        const Sides sides{n_rhs, d_vectors + 3 * begin, 3 * environments.n_pairs(),
                          d_features + i * plan.n_features, environments.n_centers * plan.n_features};
        return kernel.tangent(plan, center_of(environments, i), arena, path, sides);
    });
}

}  // namespace lmlp
