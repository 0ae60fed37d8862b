// Angular sums by a loop over triples, one element pair at a time: each distinct angular function is
// evaluated once per triple, in vectors over k, and shared by all combinations and right-hand sides.
#pragma once

#include "functions/angular.hpp"
#include "kernels/descriptor/element_pairs.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

// Neighbors k in [begin, end) of one j, and the angular functions of their triples.
struct AngleRow {
    int begin = 0, end = 0;
    int stride = 0;
    double* a = nullptr;   // [n_angulars, stride], entry k - begin
    double* da = nullptr;  // derivative by cos(theta)
};

inline AngleRow make_angle_row(const PlanView& plan, const Neighborhood& nb, Arena& arena) {
    AngleRow row;
    for (int g = 0; g < nb.n_groups; ++g) {
        const int n = round_up(nb.n_angular[g]);
        row.stride = n > row.stride ? n : row.stride;
    }
    const std::size_t n = static_cast<std::size_t>(plan.n_angulars) * row.stride;
    row.a = static_cast<double*>(arena.allocate(n * sizeof(double)));
    row.da = static_cast<double*>(arena.allocate(n * sizeof(double)));
    return row;
}

// Fills the row of neighbor j with group h; within one group only k > j counts.
template <class Form>
void fill_angle_row(const PlanView& plan, const Neighborhood& nb, int j, int g, int h, AngleRow& row) {
    row.begin = g == h ? (j + 1) / W * W : nb.begin[h];
    row.end = nb.begin[h] + round_up(nb.n_angular[h]);
    const Vec x = fill(nb.x[j]), y = fill(nb.y[j]), z = fill(nb.z[j]);
    for (int k = row.begin; k < row.end; k += W) {
        Vec c = x * load(nb.x + k) + y * load(nb.y + k) + z * load(nb.z + k);
        c = choose(c > fill(1.0), fill(1.0), c);  // rounding
        c = choose(c < fill(-1.0), fill(-1.0), c);
        const auto shared = Form::prepare(c);
        for (int n = 0; n < plan.n_angulars; ++n) {
            Vec a, da;
            Form::value(shared, plan.angular[n], a, da);
            if (g == h && k <= j) {
                a = keep_from(a, j + 1 - k);
                da = keep_from(da, j + 1 - k);
            }
            store(row.a + n * row.stride + k - row.begin, a);
            store(row.da + n * row.stride + k - row.begin, da);
        }
    }
}

inline void add_row_sums(const PlanView& plan, const Neighborhood& nb, int j, const AngleRow& row,
                         double* sums) {
    for (int r = 0; r < plan.n_angular_radials; ++r) {
        const double* f = nb.f + static_cast<std::ptrdiff_t>(r) * nb.size;
        const Vec f_j = fill(f[j]);
        for (int c = plan.combo_begin[r]; c < plan.combo_begin[r + 1]; ++c) {
            const double* a = row.a + plan.combo_angular[c] * row.stride - row.begin;
            Vec total{};
            for (int k = row.begin; k < row.end; k += W) total += load(f + k) * load(a + k);
            add_to(sums + c * W, f_j * total);
        }
    }
}

// sums [pairs.n, combo_stride] of the element pairs that take the triple path
template <class Form>
void triple_sums(const PlanView& plan, const Neighborhood& nb, const ElementPairs& pairs, Arena& arena,
                 double* sums) {
    AngleRow row = make_angle_row(plan, nb, arena);
    double* lanes = arena.doubles(static_cast<std::size_t>(plan.n_combos) * W);
    for (int p = 0; p < pairs.n; ++p) {
        if (pairs.by_moments[p]) continue;
        for (int i = 0; i < plan.n_combos * W; ++i) lanes[i] = 0;
        const int g = pairs.first[p], h = pairs.second[p];
        for (int j = nb.begin[g]; j < nb.begin[g] + nb.n_angular[g]; ++j) {
            fill_angle_row<Form>(plan, nb, j, g, h, row);
            add_row_sums(plan, nb, j, row, lanes);
        }
        for (int c = 0; c < plan.n_combos; ++c) sums[p * plan.combo_stride + c] = sum(load(lanes + c * W));
    }
}

// grad [n_combos]: dE/dS of the element pair; grad_cosine [stride] is scratch
inline void add_row_gradients(const PlanView& plan, const Neighborhood& nb, int j, const AngleRow& row,
                              const double* grad, double* grad_cosine, const NeighborGradients& out) {
    for (int k = 0; k < row.end - row.begin; ++k) grad_cosine[k] = 0;
    for (int r = 0; r < plan.n_angular_radials; ++r) {
        const double* f = nb.f + static_cast<std::ptrdiff_t>(r) * nb.size;
        double* grad_f = out.f + static_cast<std::ptrdiff_t>(r) * nb.size;
        const Vec f_j = fill(f[j]);
        Vec total{};
        for (int k = row.begin; k < row.end; k += W) {
            Vec a{}, da{};
            for (int c = plan.combo_begin[r]; c < plan.combo_begin[r + 1]; ++c) {
                const int at = plan.combo_angular[c] * row.stride + k - row.begin;
                a += fill(grad[c]) * load(row.a + at);
                da += fill(grad[c]) * load(row.da + at);
            }
            const Vec f_k = load(f + k);
            total += a * f_k;
            add_to(grad_f + k, a * f_j);
            add_to(grad_cosine + k - row.begin, da * f_j * f_k);
        }
        grad_f[j] += sum(total);
    }
    Vec x{}, y{}, z{};
    const Vec x_j = fill(nb.x[j]), y_j = fill(nb.y[j]), z_j = fill(nb.z[j]);
    for (int k = row.begin; k < row.end; k += W) {
        const Vec g = load(grad_cosine + k - row.begin);
        x += g * load(nb.x + k);
        y += g * load(nb.y + k);
        z += g * load(nb.z + k);
        add_to(out.x + k, g * x_j);
        add_to(out.y + k, g * y_j);
        add_to(out.z + k, g * z_j);
    }
    out.x[j] += sum(x);
    out.y[j] += sum(y);
    out.z[j] += sum(z);
}

// grads [n_sides][pairs.n, combo_stride] -> out [n_sides]
template <class Form>
void triple_gradients(const PlanView& plan, const Neighborhood& nb, const ElementPairs& pairs, Arena& arena,
                      int n_sides, const double* grads, const NeighborGradients* out) {
    AngleRow row = make_angle_row(plan, nb, arena);
    double* grad_cosine = arena.doubles(row.stride);
    for (int p = 0; p < pairs.n; ++p) {
        if (pairs.by_moments[p]) continue;
        const int g = pairs.first[p], h = pairs.second[p];
        for (int j = nb.begin[g]; j < nb.begin[g] + nb.n_angular[g]; ++j) {
            fill_angle_row<Form>(plan, nb, j, g, h, row);
            for (int s = 0; s < n_sides; ++s) {
                const double* grad =
                    grads + (static_cast<std::ptrdiff_t>(s) * pairs.n + p) * plan.combo_stride;
                add_row_gradients(plan, nb, j, row, grad, grad_cosine, out[s]);
            }
        }
    }
}

// Adds the change of the sums of one j: d(f f a) = (df_j f_k + f_j df_k) a + f_j f_k a' dc
inline void add_row_tangents(const PlanView& plan, const Neighborhood& nb, int j, const AngleRow& row,
                             const NeighborTangents& d, double* scratch, double* sums) {
    double* d_cosine = scratch;
    double* outer = scratch + row.stride;
    double* inner = scratch + 2 * row.stride;
    const Vec x = fill(nb.x[j]), y = fill(nb.y[j]), z = fill(nb.z[j]);
    const Vec dx = fill(d.x[j]), dy = fill(d.y[j]), dz = fill(d.z[j]);
    for (int k = row.begin; k < row.end; k += W)
        store(d_cosine + k - row.begin, dx * load(nb.x + k) + dy * load(nb.y + k) + dz * load(nb.z + k) +
                                            x * load(d.x + k) + y * load(d.y + k) + z * load(d.z + k));
    for (int r = 0; r < plan.n_angular_radials; ++r) {
        const double* f = nb.f + static_cast<std::ptrdiff_t>(r) * nb.size;
        const double* df = nb.df + static_cast<std::ptrdiff_t>(r) * nb.size;
        const Vec f_j = fill(f[j]), df_j = fill(df[j] * d.r[j]);
        for (int k = row.begin; k < row.end; k += W) {
            const Vec f_k = load(f + k);
            store(outer + k - row.begin, df_j * f_k + f_j * load(df + k) * load(d.r + k));
            store(inner + k - row.begin, f_j * f_k * load(d_cosine + k - row.begin));
        }
        for (int c = plan.combo_begin[r]; c < plan.combo_begin[r + 1]; ++c) {
            const int at = plan.combo_angular[c] * row.stride;
            Vec total{};
            for (int k = 0; k < row.end - row.begin; k += W)
                total += load(outer + k) * load(row.a + at + k) + load(inner + k) * load(row.da + at + k);
            add_to(sums + c * W, total);
        }
    }
}

// d [n_sides] -> d_sums [n_sides][pairs.n, combo_stride]
template <class Form>
void triple_tangents(const PlanView& plan, const Neighborhood& nb, const ElementPairs& pairs, Arena& arena,
                     int n_sides, const NeighborTangents* d, double* d_sums) {
    AngleRow row = make_angle_row(plan, nb, arena);
    double* scratch = arena.doubles(3 * static_cast<std::size_t>(row.stride));
    const int n_lanes = plan.n_combos * W;
    double* lanes = arena.doubles(static_cast<std::size_t>(n_sides) * n_lanes);
    for (int p = 0; p < pairs.n; ++p) {
        if (pairs.by_moments[p]) continue;
        for (int i = 0; i < n_sides * n_lanes; ++i) lanes[i] = 0;
        const int g = pairs.first[p], h = pairs.second[p];
        for (int j = nb.begin[g]; j < nb.begin[g] + nb.n_angular[g]; ++j) {
            fill_angle_row<Form>(plan, nb, j, g, h, row);
            for (int s = 0; s < n_sides; ++s)
                add_row_tangents(plan, nb, j, row, d[s], scratch,
                                 lanes + static_cast<std::ptrdiff_t>(s) * n_lanes);
        }
        for (int s = 0; s < n_sides; ++s)
            for (int c = 0; c < plan.n_combos; ++c)
                d_sums[(static_cast<std::ptrdiff_t>(s) * pairs.n + p) * plan.combo_stride + c] =
                    sum(load(lanes + static_cast<std::ptrdiff_t>(s) * n_lanes + c * W));
    }
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
