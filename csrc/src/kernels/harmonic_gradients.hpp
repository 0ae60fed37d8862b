// Gradients of sums over real spherical harmonics by the direction and the weight of each neighbor, for
// vectors of neighbors. See PlanView for the recurrences and for the order of the tables.
#pragma once

#include "kernels/kernel_api.hpp"
#include "kernels/vec.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

// dE/dM of N radial functions, split for the gradient: rows of n_harmonics each, row m of `slope` belongs to
// the harmonics of m - 1 (through dq_l,m-1/dz = (l - m + 1) q_lm); there is no row 0.
template <int N>
struct MomentSlopes {
    const double *cosine[N], *sine[N], *cosine_slope[N], *sine_slope[N];
};

// n vectors of neighbors and what they get: dE/df for N radial functions and dE/du.
template <int N, int n>
struct HarmonicGradient {
    Vec f[N * n], x[n], y[n], z[n];
};

template <int N, int n>
struct HarmonicInput {
    Vec f[N * n], x[n], y[n], z[n];
};

// Row 0: no sines, no slopes.
template <int N, int n>
inline void zonal_gradient(const PlanView& plan, const MomentSlopes<N>& in, const HarmonicInput<N, n>& u,
                           HarmonicGradient<N, n>& out) {
    const int top = plan.harmonic_row[0] + plan.degree;
    Vec q[n], before[n], total[N * n];
    unrolled<n>([&](auto v) { q[v] = fill(1.0), before[v] = Vec{}; });
    unrolled<N * n>([&](auto i) { total[i] = Vec{}; });
    for (int l = 0; l <= plan.degree; ++l) {
        const Vec next_beta = fill(plan.harmonic_beta[l + 1]);
        unrolled<N>([&](auto k) {
            const Vec c = fill(in.cosine[k][top - l]);
            unrolled<n>([&](auto v) { total[k * n + v] += c * q[v]; });
        });
        unrolled<n>([&](auto v) {
            const Vec next = u.z[v] * q[v] - next_beta * before[v];
            before[v] = q[v];
            q[v] = next;
        });
    }
    unrolled<N * n>([&](auto i) { out.f[i] = total[i]; });
    unrolled<n>([&](auto v) { out.x[v] = out.y[v] = out.z[v] = Vec{}; });
}

template <int N, int n>
inline HarmonicGradient<N, n> harmonic_gradient(const PlanView& plan, const MomentSlopes<N>& in,
                                                const HarmonicInput<N, n>& u) {
    HarmonicGradient<N, n> out;
    zonal_gradient(plan, in, u, out);
    Vec a[n], b[n], a_before[n], b_before[n];
    unrolled<n>([&](auto v) {
        a[v] = u.x[v];
        b[v] = u.y[v];
        a_before[v] = fill(1.0);
        b_before[v] = Vec{};
    });
    for (int m = 1; m <= plan.degree; ++m) {
        const int top = plan.harmonic_row[m] + plan.degree;
        const double* beta = plan.harmonic_beta + m * (plan.degree + 2);
        Vec q[n], before[n], cosine[N * n], sine[N * n], cosine_slope[N * n], sine_slope[N * n];
        unrolled<n>([&](auto v) { q[v] = fill(1.0), before[v] = Vec{}; });
        unrolled<N * n>([&](auto i) { cosine[i] = sine[i] = cosine_slope[i] = sine_slope[i] = Vec{}; });
        for (int l = m; l <= plan.degree; ++l) {
            const Vec next_beta = fill(beta[l + 1]);
            unrolled<N>([&](auto k) {
                const Vec c = fill(in.cosine[k][top - l]), s = fill(in.sine[k][top - l]);
                const Vec cs = fill(in.cosine_slope[k][top - l]), ss = fill(in.sine_slope[k][top - l]);
                unrolled<n>([&](auto v) {
                    cosine[k * n + v] += c * q[v];
                    sine[k * n + v] += s * q[v];
                    cosine_slope[k * n + v] += cs * q[v];
                    sine_slope[k * n + v] += ss * q[v];
                });
            });
            unrolled<n>([&](auto v) {
                const Vec next = u.z[v] * q[v] - next_beta * before[v];
                before[v] = q[v];
                q[v] = next;
            });
        }
        const Vec factor = fill(m);
        unrolled<n>([&](auto v) {
            Vec c{}, s{}, cs{}, ss{};
            unrolled<N>([&](auto k) {
                constexpr int i = k * n + v;
                out.f[i] += a[v] * cosine[i] + b[v] * sine[i];
                c += u.f[i] * cosine[i];
                s += u.f[i] * sine[i];
                cs += u.f[i] * cosine_slope[i];
                ss += u.f[i] * sine_slope[i];
            });
            out.x[v] += factor * (a_before[v] * c + b_before[v] * s);
            out.y[v] += factor * (a_before[v] * s - b_before[v] * c);
            out.z[v] += a_before[v] * cs + b_before[v] * ss;
            const Vec a_next = u.x[v] * a[v] - u.y[v] * b[v];
            b_before[v] = b[v];
            b[v] = u.x[v] * b[v] + u.y[v] * a[v];
            a_before[v] = a[v];
            a[v] = a_next;
        });
    }
    return out;
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
