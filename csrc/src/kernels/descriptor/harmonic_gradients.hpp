// Sums over real spherical harmonics at the direction of each neighbor, with their gradients, for vectors of
// neighbors: sum_lm (c_lm A_m + s_lm B_m) q_lm(z), A_m + i B_m = (x + iy)^m, polynomials in Newton's form.
#pragma once

#include "kernels/kernel_api.hpp"
#include "kernels/vec.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

// Newton coefficients of N radial functions, cosines and sines [n_harmonics] each.
template <int N>
struct HarmonicCoefficients {
    const double *cosine[N], *sine[N];
};

// n vectors of neighbors: unit vectors and weights f.
template <int N, int n>
struct HarmonicInput {
    Vec f[N * n], x[n], y[n], z[n];
};

// What they get: the sums of each radial function (dE/df), and the gradient by the unit vector of all sums
// weighted with f.
template <int N, int n>
struct HarmonicGradient {
    Vec f[N * n], x[n], y[n], z[n];
};

// Values and slopes of K polynomials of one m at n vectors of z.
template <int K, int n>
struct Polynomials {
    Vec value[K * n], slope[K * n];
};

template <int K, int n>
inline Polynomials<K, n> evaluate_polynomials(const double* const* coefficient, const double* node, int size,
                                              const Vec* z) {
    Polynomials<K, n> p;
    unrolled<K>([&](auto k) {
        const Vec c = fill(coefficient[k][0]);
        unrolled<n>([&](auto v) {
            p.value[k * n + v] = c;
            p.slope[k * n + v] = Vec{};
        });
    });
    for (int i = 1; i < size; ++i) {
        Vec step[n];
        unrolled<n>([&](auto v) { step[v] = z[v] - fill(node[i]); });
        unrolled<K>([&](auto k) {
            const Vec c = fill(coefficient[k][i]);
            unrolled<n>([&](auto v) {
                constexpr int at = k * n + v;
                p.slope[at] = p.slope[at] * step[v] + p.value[at];
                p.value[at] = p.value[at] * step[v] + c;
            });
        });
    }
    return p;
}

template <int N, int n>
inline HarmonicGradient<N, n> harmonic_gradient(const PlanView& plan, const HarmonicCoefficients<N>& in,
                                                const HarmonicInput<N, n>& u) {
    HarmonicGradient<N, n> out;
    const Polynomials<N, n> zonal =
        evaluate_polynomials<N, n>(in.cosine, plan.newton_node, plan.degree + 1, u.z);
    unrolled<n>([&](auto v) {
        out.x[v] = out.y[v] = out.z[v] = Vec{};
        unrolled<N>([&](auto k) {
            out.f[k * n + v] = zonal.value[k * n + v];
            out.z[v] += u.f[k * n + v] * zonal.slope[k * n + v];
        });
    });
    Vec a[n], b[n], a_before[n], b_before[n];
    unrolled<n>([&](auto v) {
        a[v] = u.x[v];
        b[v] = u.y[v];
        a_before[v] = fill(1.0);
        b_before[v] = Vec{};
    });
    for (int m = 1; m <= plan.degree; ++m) {
        const int row = plan.harmonic_row[m];
        const double* coefficient[2 * N];
        unrolled<N>([&](auto k) {
            coefficient[2 * k] = in.cosine[k] + row;
            coefficient[2 * k + 1] = in.sine[k] + row;
        });
        const Polynomials<2 * N, n> p =
            evaluate_polynomials<2 * N, n>(coefficient, plan.newton_node + row, plan.degree - m + 1, u.z);
        const Vec factor = fill(m);
        unrolled<n>([&](auto v) {
            Vec c{}, s{}, cs{}, ss{};
            unrolled<N>([&](auto k) {
                constexpr int i = k * n + v, cosine = 2 * k * n + v, sine = cosine + n;
                out.f[i] += a[v] * p.value[cosine] + b[v] * p.value[sine];
                c += u.f[i] * p.value[cosine];
                s += u.f[i] * p.value[sine];
                cs += u.f[i] * p.slope[cosine];
                ss += u.f[i] * p.slope[sine];
            });
            out.x[v] += factor * (a_before[v] * c + b_before[v] * s);
            out.y[v] += factor * (a_before[v] * s - b_before[v] * c);
            out.z[v] += a[v] * cs + b[v] * ss;
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
