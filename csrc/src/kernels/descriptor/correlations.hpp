// Correlation functions from moments, see correlations.hpp of the plan:
//   moments -> densities y -> fields rho at points -> products -> features,
// the transpose (dE/dG -> dE/dM) and the forward derivative. Lanes are points.
#pragma once

#include "kernels/descriptor/moments.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

// What the functions of one center are made of.
struct CorrelationState {
    double* density;  // y [n_components, stride], lanes are densities
    double** field;   // per group: rho [n_fields, n_points]
};

// Row of one component of all densities.
inline double* component_of(const CorrelationView& view, double* density, int c) {
    return density + static_cast<std::ptrdiff_t>(c) * view.stride;
}

// Moments (or their changes) of all groups -> y [n_components, stride]
inline double* sum_densities(const PlanView& plan, const Neighborhood& nb, double* m, Arena& arena) {
    const CorrelationView& view = plan.correlation;
    const int block = 2 * plan.n_harmonics;
    double* density = arena.doubles(static_cast<std::size_t>(view.n_components) * view.stride);
    double* total = arena.doubles(block);
    for (int r = 0; r < plan.n_angular_radials; ++r) {
        for (int d = view.density_begin[r]; d < view.density_begin[r + 1]; ++d) {
            const double* weight = view.density_weight + static_cast<std::ptrdiff_t>(d) * plan.n_species;
            for (int i = 0; i < block; i += W) {
                Vec sum{};
                for (int g = 0; g < nb.n_groups; ++g)
                    sum += fill(weight[nb.species[g]]) * load(moments_of(plan, m, g, r) + i);
                store(total + i, sum);
            }
            for (int c = 0; c < view.n_components; ++c)
                component_of(view, density, c)[d] = view.component_norm[c] * total[view.component_moment[c]];
        }
    }
    return density;
}

// rho [n_fields, n_points] of one group
inline double* sum_fields(const CorrelationView& view, const CorrelationGroup& group, double* density,
                          Arena& arena) {
    double* field = arena.doubles(static_cast<std::size_t>(group.n_fields) * group.n_points);
    for (int k = 0; k < group.n_fields; ++k) {
        const int l = group.field_l[k];
        const double* y = component_of(view, density, l * l) + group.field_density[k];
        const double* harmonic = group.harmonics + static_cast<std::ptrdiff_t>(l) * l * group.n_points;
        double* rho = field + static_cast<std::ptrdiff_t>(k) * group.n_points;
        for (int p = 0; p < group.n_points; p += W) {
            Vec sum{};
            for (int c = 0; c < 2 * l + 1; ++c)
                sum += fill(y[c * view.stride]) *
                       load(harmonic + static_cast<std::ptrdiff_t>(c) * group.n_points + p);
            store(rho + p, sum);
        }
    }
    return field;
}

inline CorrelationState make_correlation_state(const PlanView& plan, const Neighborhood& nb, double* m,
                                               Arena& arena) {
    const CorrelationView& view = plan.correlation;
    CorrelationState state{sum_densities(plan, nb, m, arena), nullptr};
    state.field = static_cast<double**>(arena.allocate((view.n_groups + 1) * sizeof(double*)));
    for (int i = 0; i < view.n_groups; ++i)
        state.field[i] = sum_fields(view, view.group[i], state.density, arena);
    return state;
}

// The N fields of one function.
template <int N>
inline void fields_of(const CorrelationGroup& group, int function, double* field, double** rho) {
    for (int k = 0; k < N; ++k)
        rho[k] = field + static_cast<std::ptrdiff_t>(group.field[function * N + k]) * group.n_points;
}

template <int N>
inline void group_values(const CorrelationView& view, const CorrelationGroup& group, double* field,
                         double* result) {
    for (int n = 0; n < group.n; ++n) {
        double* rho[N];
        fields_of<N>(group, n, field, rho);
        Vec total{};
        for (int p = 0; p < group.n_points; p += W) {
            Vec product = load(group.weight + p);
            for (int k = 0; k < N; ++k) product *= load(rho[k] + p);
            total += product;
        }
        result[view.feature[group.function[n]]] = sum(total);
    }
}

// Changes of the functions of one group with those of the fields.
template <int N>
inline void group_changes(const CorrelationView& view, const CorrelationGroup& group, double* field,
                          double* change, double* result) {
    for (int n = 0; n < group.n; ++n) {
        double *rho[N], *d_rho[N];
        fields_of<N>(group, n, field, rho);
        fields_of<N>(group, n, change, d_rho);
        Vec total{};
        for (int p = 0; p < group.n_points; p += W) {
            Vec product = load(group.weight + p), d_product{};
            for (int k = 0; k < N; ++k) {
                d_product = d_product * load(rho[k] + p) + product * load(d_rho[k] + p);
                product *= load(rho[k] + p);
            }
            total += d_product;
        }
        result[view.feature[group.function[n]]] = sum(total);
    }
}

// dE/dG [n_features] -> dE/drho [n_fields, n_points] of one group
template <int N>
inline void group_gradients(const CorrelationView& view, const CorrelationGroup& group, double* field,
                            const double* grad, double* out) {
    for (int n = 0; n < group.n; ++n) {
        double *rho[N], *d_rho[N];
        fields_of<N>(group, n, field, rho);
        fields_of<N>(group, n, out, d_rho);
        const Vec factor = fill(grad[view.feature[group.function[n]]]);
        for (int p = 0; p < group.n_points; p += W) {
            Vec value[N], after[N];  // after[k]: product of the factors beyond k
            for (int k = 0; k < N; ++k) value[k] = load(rho[k] + p);
            after[N - 1] = fill(1.0);
            for (int k = N - 1; k > 0; --k) after[k - 1] = after[k] * value[k];
            Vec before = factor * load(group.weight + p);
            for (int k = 0; k < N; ++k) {
                add_to(d_rho[k] + p, before * after[k]);
                before *= value[k];
            }
        }
    }
}

// Products of the densities of one degree, row `first` of the matrix: out[b] = sum_m a_m[first] b_m[b] in the
// vectors that functions ask for.
inline void add_pair_row(const CorrelationView& view, const PairRow& row, double* a, double* b, double* out) {
    for (int i = row.begin; i < row.end; i += W) {
        Vec total = load(out + i);
        for (int c = row.l * row.l; c < (row.l + 1) * (row.l + 1); ++c)
            total += fill(component_of(view, a, c)[row.first]) * load(component_of(view, b, c) + i);
        store(out + i, total);
    }
}

inline void clear_pair_row(const PairRow& row, double* out) {
    for (int i = row.begin; i < row.end; i += W) store(out + i, Vec{});
}

inline void pick_pairs(const CorrelationView& view, const PairRow& row, const double* in, double* result) {
    const double norm = 1.0 / (2 * row.l + 1);
    for (int n = row.pair_begin; n < row.pair_end; ++n)
        result[view.feature[view.pair_function[n]]] = norm * in[view.pair_second[n]];
}

inline void pair_values(const CorrelationView& view, double* density, Arena& arena, double* result) {
    double* out = allocate_doubles(arena, view.stride);
    for (int i = 0; i < view.n_pair_rows; ++i) {
        const PairRow& row = view.pair_row[i];
        clear_pair_row(row, out);
        add_pair_row(view, row, density, density, out);
        pick_pairs(view, row, out, result);
    }
}

inline void pair_changes(const CorrelationView& view, double* density, double* change, Arena& arena,
                         double* result) {
    double* out = allocate_doubles(arena, view.stride);
    for (int i = 0; i < view.n_pair_rows; ++i) {
        const PairRow& row = view.pair_row[i];
        clear_pair_row(row, out);
        add_pair_row(view, row, density, change, out);
        add_pair_row(view, row, change, density, out);
        pick_pairs(view, row, out, result);
    }
}

// dE/dy of both densities of every pair.
inline void pair_gradients(const CorrelationView& view, double* density, const double* grad, Arena& arena,
                           double* out) {
    double* factor = arena.doubles(view.stride);
    for (int k = 0; k < view.n_pair_rows; ++k) {
        const PairRow& row = view.pair_row[k];
        const double norm = 1.0 / (2 * row.l + 1);
        clear_pair_row(row, factor);
        for (int n = row.pair_begin; n < row.pair_end; ++n)
            factor[view.pair_second[n]] += norm * grad[view.feature[view.pair_function[n]]];
        for (int c = row.l * row.l; c < (row.l + 1) * (row.l + 1); ++c) {
            const double* y = component_of(view, density, c);
            double* d_y = component_of(view, out, c);
            const Vec first = fill(y[row.first]);
            Vec total{};
            for (int i = row.begin; i < row.end; i += W) {
                const Vec f = load(factor + i);
                total += f * load(y + i);
                add_to(d_y + i, f * first);
            }
            d_y[row.first] += sum(total);
        }
    }
}

// Features of all correlation functions; result [n_features], other features are left alone.
inline void correlation_features(const PlanView& plan, const CorrelationState& state, Arena& arena,
                                 double* result) {
    const CorrelationView& view = plan.correlation;
    pair_values(view, state.density, arena, result);
    for (int i = 0; i < view.n_groups; ++i) {
        const CorrelationGroup& group = view.group[i];
        if (group.n_factors == 3)
            group_values<3>(view, group, state.field[i], result);
        else
            group_values<4>(view, group, state.field[i], result);
    }
}

// Their changes, where `change` is the state made of the changes of the moments.
inline void correlation_tangents(const PlanView& plan, const CorrelationState& state,
                                 const CorrelationState& change, Arena& arena, double* result) {
    const CorrelationView& view = plan.correlation;
    pair_changes(view, state.density, change.density, arena, result);
    for (int i = 0; i < view.n_groups; ++i) {
        const CorrelationGroup& group = view.group[i];
        if (group.n_factors == 3)
            group_changes<3>(view, group, state.field[i], change.field[i], result);
        else
            group_changes<4>(view, group, state.field[i], change.field[i], result);
    }
}

// dE/drho of one group -> dE/dy, added
inline void add_field_gradients(const CorrelationView& view, const CorrelationGroup& group,
                                const double* field_gradient, double* out) {
    for (int k = 0; k < group.n_fields; ++k) {
        const int l = group.field_l[k];
        const double* rho = field_gradient + static_cast<std::ptrdiff_t>(k) * group.n_points;
        const double* harmonic = group.harmonics + static_cast<std::ptrdiff_t>(l) * l * group.n_points;
        double* y = component_of(view, out, l * l) + group.field_density[k];
        for (int c = 0; c < 2 * l + 1; ++c) {
            Vec total{};
            for (int p = 0; p < group.n_points; p += W)
                total += load(rho + p) * load(harmonic + static_cast<std::ptrdiff_t>(c) * group.n_points + p);
            y[c * view.stride] += sum(total);
        }
    }
}

// dE/dG [n_features] -> dE/dy [n_components, stride]
inline double* density_gradients(const PlanView& plan, const CorrelationState& state, const double* grad,
                                 Arena& arena) {
    const CorrelationView& view = plan.correlation;
    double* out = arena.doubles(static_cast<std::size_t>(view.n_components) * view.stride);
    pair_gradients(view, state.density, grad, arena, out);
    for (int i = 0; i < view.n_groups; ++i) {
        const CorrelationGroup& group = view.group[i];
        double* field = arena.doubles(static_cast<std::size_t>(group.n_fields) * group.n_points);
        if (group.n_factors == 3)
            group_gradients<3>(view, group, state.field[i], grad, field);
        else
            group_gradients<4>(view, group, state.field[i], grad, field);
        add_field_gradients(view, group, field, out);
    }
    return out;
}

// dE/dG [n_features] -> dE/dM, added to that of other functions
inline void add_correlation_gradients(const PlanView& plan, const Neighborhood& nb,
                                      const CorrelationState& state, const double* grad, Arena& arena,
                                      double* out) {
    const CorrelationView& view = plan.correlation;
    const int block = 2 * plan.n_harmonics;
    double* y = density_gradients(plan, state, grad, arena);
    double* spread = arena.doubles(block);
    for (int r = 0; r < plan.n_angular_radials; ++r) {
        for (int d = view.density_begin[r]; d < view.density_begin[r + 1]; ++d) {
            const double* weight = view.density_weight + static_cast<std::ptrdiff_t>(d) * plan.n_species;
            for (int c = 0; c < view.n_components; ++c)
                spread[view.component_moment[c]] = view.component_norm[c] * component_of(view, y, c)[d];
            for (int g = 0; g < nb.n_groups; ++g) {
                double* m = moments_of(plan, out, g, r);
                const Vec w = fill(weight[nb.species[g]]);
                for (int i = 0; i < block; i += W) add_to(m + i, w * load(spread + i));
            }
        }
    }
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
