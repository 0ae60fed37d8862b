// One center: features, reverse and forward derivative. The ladder is
//   vectors -> (R, u) -> f(R) -> sums per element or element pair -> weighted sums -> scaling -> features.
#pragma once

#include "kernels/descriptor/correlations.hpp"
#include "kernels/descriptor/moment_gradients.hpp"
#include "kernels/descriptor/moment_tangents.hpp"
#include "kernels/descriptor/path.hpp"
#include "kernels/descriptor/radials.hpp"
#include "kernels/descriptor/slots.hpp"
#include "kernels/descriptor/triples.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

struct Geometry {
    Neighborhood nb;
    ElementPairs pairs;
    Moments moments;
};

// Correlation functions have no other path.
inline bool needs_moments(const PlanView& plan, const Geometry& geometry) {
    return plan.correlation.n > 0 || any_by_moments(geometry.pairs);
}

inline Outcome make_geometry(const PlanView& plan, const Center& center, Arena& arena, AngularPath path,
                             Geometry& geometry) {
    const Outcome outcome = make_neighborhood(plan, center, arena, geometry.nb);
    if (outcome.fault != Fault::none) return outcome;
    evaluate_radials(plan, arena, geometry.nb);
    if (plan.n_combos > 0) {
        geometry.pairs = make_element_pairs(geometry.nb, arena);
        choose_paths(plan, geometry.nb, path, geometry.pairs);
    }
    if (needs_moments(plan, geometry)) geometry.moments = make_moments(plan, geometry.nb, arena);
    return outcome;
}

inline void angular_sums(const PlanView& plan, const Geometry& geometry, Arena& arena, double* sums) {
    if (any_by_moments(geometry.pairs)) moment_sums(plan, geometry.pairs, geometry.moments, arena, sums);
    if (!any_by_triples(geometry.pairs)) return;
    with_angular_form(plan.angular_form, [&](auto form) {
        triple_sums<decltype(form)>(plan, geometry.nb, geometry.pairs, arena, sums);
    });
}

// m: moments or their changes.
inline CorrelationState make_state(const PlanView& plan, const Geometry& geometry, double* m, Arena& arena) {
    return make_correlation_state(plan, geometry.nb, m, arena);
}

// Weighted sums of all slots -> slots [n_slots]
inline void compute_slots(const PlanView& plan, const Geometry& geometry, Arena& arena, double* slots) {
    const Arena::Mark mark = arena.mark();
    double* angular = arena.doubles(static_cast<std::size_t>(geometry.pairs.n) * plan.combo_stride);
    angular_sums(plan, geometry, arena, angular);
    weighted_sums(plan, geometry.nb, geometry.pairs, {geometry.nb.sums, angular}, slots);
    arena.release(mark);
}

// T' of all slots, or nullptr where T is linear and no sum is needed.
inline double* scaling_slopes(const PlanView& plan, const Geometry& geometry, Arena& arena) {
    if (plan.scaling_form == ScalingForm::linear) return nullptr;
    double* slots = allocate_doubles(arena, plan.n_slots);
    compute_slots(plan, geometry, arena, slots);
    slope_of_scale(plan.scaling_form, plan.n_slots, slots);
    return slots;
}

struct Kept {
    Geometry geometry;
    double* slopes;  // as of scaling_slopes()
};

// For `linear` backward() takes the paths that the cost model chose, without looking at sums: kept states
// must give the same bits.
inline Kept* keep(const PlanView& plan, const Geometry& geometry, Arena& arena) {
    auto* kept = static_cast<Kept*>(arena.allocate(sizeof(Kept)));
    kept->geometry = geometry;
    kept->slopes = nullptr;
    if (plan.scaling_form == ScalingForm::linear) {
        int* chosen = arena.integers(geometry.pairs.n);
        for (int p = 0; p < geometry.pairs.n; ++p) chosen[p] = geometry.pairs.by_moments[p];
        kept->geometry.pairs.by_moments = chosen;
    } else {
        kept->slopes = allocate_doubles(arena, plan.n_slots);
    }
    return kept;
}

Outcome features(const PlanView& plan, const Center& center, Arena& arena, AngularPath path, double* result,
                 KeptCenter** kept) {
    Geometry geometry;
    const Outcome outcome = make_geometry(plan, center, arena, path, geometry);
    if (outcome.fault != Fault::none) return outcome;
    Kept* state = kept != nullptr ? keep(plan, geometry, arena) : nullptr;
    const Arena::Mark mark = arena.mark();
    double* slots = allocate_doubles(arena, plan.n_slots);
    compute_slots(plan, geometry, arena, slots);
    if (state != nullptr && state->slopes != nullptr) {
        for (int i = 0; i < plan.n_slots; i += W) store(state->slopes + i, load(slots + i));
        slope_of_scale(plan.scaling_form, plan.n_slots, state->slopes);
    }
    scale(plan.scaling_form, plan.n_slots, slots);
    features_of_slots(plan, slots, result);
    if (plan.correlation.n > 0)
        correlation_features(plan, make_state(plan, geometry, geometry.moments.m, arena), arena, result);
    arena.release(mark);
    if (kept != nullptr) *kept = reinterpret_cast<KeptCenter*>(state);
    return outcome;
}

// What goes through the moments: angular functions (grads) and correlation functions (features).
inline void gradients_by_moments(const PlanView& plan, const Geometry& geometry, Arena& arena,
                                 const Sides& features, const double* grads, const NeighborGradients* out) {
    CorrelationState state{};
    if (plan.correlation.n > 0) state = make_state(plan, geometry, geometry.moments.m, arena);
    const auto add = [&](int s, const MomentGradients& side) {
        if (plan.correlation.n == 0) return;
        const double* grad = features.in + s * features.in_stride;
        add_correlation_gradients(plan, geometry.nb, state, grad, arena, side.m);
    };
    moment_gradients(plan, geometry.nb, geometry.pairs, geometry.moments, arena, features.n, grads, out, add);
}

inline void angular_gradients(const PlanView& plan, const Geometry& geometry, Arena& arena,
                              const Sides& features, const double* grads, const NeighborGradients* out) {
    const Neighborhood& nb = geometry.nb;
    const ElementPairs& pairs = geometry.pairs;
    const int n_sides = features.n;
    if (needs_moments(plan, geometry)) gradients_by_moments(plan, geometry, arena, features, grads, out);
    if (!any_by_triples(pairs)) return;
    with_angular_form(plan.angular_form, [&](auto form) {
        triple_gradients<decltype(form)>(plan, nb, pairs, arena, n_sides, grads, out);
    });
}

// (dE/df, dE/du) of the neighbors -> dE/dr_ij [n_pairs, 3]; grad_radial [n_groups, radial_stride] = dE/dS.
inline void gather_gradients(const PlanView& plan, const Neighborhood& nb, const double* grad_radial,
                             const NeighborGradients& in, double* result) {
    for (int g = 0; g < nb.n_groups; ++g) {
        for (int j = nb.begin[g]; j < nb.begin[g + 1]; j += W) {
            Vec along{};  // dE/dR
            for (int k = 0; k < plan.n_radials; ++k) {
                const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(k) * nb.size + j;
                Vec grad = fill(grad_radial[g * plan.radial_stride + k]);
                if (k < plan.n_angular_radials) grad += load(in.f + at);
                along += grad * load(nb.df + at);
            }
            const Vec x = load(nb.x + j), y = load(nb.y + j), z = load(nb.z + j),
                      inverse = load(nb.inverse_r + j);
            const Vec gx = load(in.x + j), gy = load(in.y + j), gz = load(in.z + j);
            // du/dr = (1 - u u^T) / R
            along -= (gx * x + gy * y + gz * z) * inverse;
            const Vec rx = gx * inverse + along * x, ry = gy * inverse + along * y,
                      rz = gz * inverse + along * z;
            const int end = nb.begin[g] + nb.n_all[g] - j;
            for (int i = 0; i < W && i < end; ++i) {
                double* out = result + 3 * static_cast<std::ptrdiff_t>(nb.pair[j + i]);
                out[0] = rx[i];
                out[1] = ry[i];
                out[2] = rz[i];
            }
        }
    }
}

void gradients_of_sides(const PlanView& plan, const Center& center, Arena& arena, const Sides& sides,
                        Geometry& geometry, const double* slopes) {
    const Neighborhood& nb = geometry.nb;
    double* slots = allocate_doubles(arena, plan.n_slots);
    const Sums sums = make_sums(plan, nb, geometry.pairs, arena, sides.n);
    auto* gradients = static_cast<NeighborGradients*>(arena.allocate(sides.n * sizeof(NeighborGradients)));
    for (int s = 0; s < sides.n; ++s) {
        slots_of_features(plan, sides.in + s * sides.in_stride, slopes, slots);
        spread_gradients(plan, nb, geometry.pairs, slots, side_of(plan, nb, geometry.pairs, sums, s));
        gradients[s] = make_gradients(plan, nb, arena);
    }
    angular_gradients(plan, geometry, arena, sides, sums.angular, gradients);
    for (int s = 0; s < sides.n; ++s) {
        double* result = sides.out + s * sides.out_stride;
        for (std::int64_t i = 0; i < 3 * center.n_pairs; ++i) result[i] = 0;
        gather_gradients(plan, nb, side_of(plan, nb, geometry.pairs, sums, s).radial, gradients[s], result);
    }
}

Outcome backward(const PlanView& plan, const Center& center, Arena& arena, AngularPath path,
                 const Sides& sides, KeptCenter* kept) {
    if (kept != nullptr) {
        Kept state = *reinterpret_cast<Kept*>(kept);
        gradients_of_sides(plan, center, arena, sides, state.geometry, state.slopes);
        return {};
    }
    Geometry geometry;
    const Outcome outcome = make_geometry(plan, center, arena, path, geometry);
    if (outcome.fault != Fault::none) return outcome;
    const double* slopes = scaling_slopes(plan, geometry, arena);
    gradients_of_sides(plan, center, arena, sides, geometry, slopes);
    return outcome;
}

// dr_ij [n_pairs, 3] -> changes of R and u of the neighbors
inline NeighborTangents make_tangents(const Neighborhood& nb, Arena& arena, const double* d_vectors) {
    const NeighborTangents d{arena.doubles(nb.size), arena.doubles(nb.size), arena.doubles(nb.size),
                             arena.doubles(nb.size)};
    for (int j = 0; j < nb.size; ++j) {
        if (nb.pair[j] < 0) continue;
        const double* v = d_vectors + 3 * static_cast<std::ptrdiff_t>(nb.pair[j]);
        d.r[j] = v[0] * nb.x[j] + v[1] * nb.y[j] + v[2] * nb.z[j];
        d.x[j] = (v[0] - d.r[j] * nb.x[j]) * nb.inverse_r[j];
        d.y[j] = (v[1] - d.r[j] * nb.y[j]) * nb.inverse_r[j];
        d.z[j] = (v[2] - d.r[j] * nb.z[j]) * nb.inverse_r[j];
    }
    return d;
}

// d_features: changes of the correlation functions are written there, d_sums: those of the angular sums.
inline void tangents_by_moments(const PlanView& plan, const Geometry& geometry, Arena& arena,
                                const Sides& d_features, const NeighborTangents* d, double* d_sums) {
    CorrelationState state{};
    if (plan.correlation.n > 0) state = make_state(plan, geometry, geometry.moments.m, arena);
    const auto use = [&](int s, const MomentTangents& change) {
        if (plan.correlation.n == 0) return;
        correlation_tangents(plan, state, make_state(plan, geometry, change.m, arena), arena,
                             d_features.out + s * d_features.out_stride);
    };
    moment_tangents(plan, geometry.nb, geometry.pairs, geometry.moments, arena, d_features.n, d, d_sums, use);
}

inline void angular_tangents(const PlanView& plan, const Geometry& geometry, Arena& arena,
                             const Sides& d_features, const NeighborTangents* d, double* d_sums) {
    const Neighborhood& nb = geometry.nb;
    const ElementPairs& pairs = geometry.pairs;
    const int n_sides = d_features.n;
    if (needs_moments(plan, geometry)) tangents_by_moments(plan, geometry, arena, d_features, d, d_sums);
    if (!any_by_triples(pairs)) return;
    with_angular_form(plan.angular_form, [&](auto form) {
        triple_tangents<decltype(form)>(plan, nb, pairs, arena, n_sides, d, d_sums);
    });
}

Outcome tangent(const PlanView& plan, const Center& center, Arena& arena, AngularPath path,
                const Sides& sides) {
    Geometry geometry;
    const Outcome outcome = make_geometry(plan, center, arena, path, geometry);
    if (outcome.fault != Fault::none) return outcome;
    const Neighborhood& nb = geometry.nb;
    const double* slopes = scaling_slopes(plan, geometry, arena);
    const Sums sums = make_sums(plan, nb, geometry.pairs, arena, sides.n);
    auto* tangents = static_cast<NeighborTangents*>(arena.allocate(sides.n * sizeof(NeighborTangents)));
    for (int s = 0; s < sides.n; ++s) tangents[s] = make_tangents(nb, arena, sides.in + s * sides.in_stride);
    angular_tangents(plan, geometry, arena, sides, tangents, sums.angular);
    double* slots = allocate_doubles(arena, plan.n_slots);
    for (int s = 0; s < sides.n; ++s) {
        const Sums side = side_of(plan, nb, geometry.pairs, sums, s);
        radial_tangents(plan, nb, tangents[s].r, arena, side.radial);
        weighted_sums(plan, nb, geometry.pairs, side, slots);
        for (int i = 0; i < plan.n_slots && slopes != nullptr; i += W)
            store(slots + i, load(slopes + i) * load(slots + i));
        features_of_slots(plan, slots, sides.out + s * sides.out_stride);
    }
    return outcome;
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
