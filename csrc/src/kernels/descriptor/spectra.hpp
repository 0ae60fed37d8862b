// Power spectra of moments and the sums of all angular functions from them:
//   a(c) = sum_l A_l P_l(c),   p^ee'_l = sum_m M^e_lm M^e'_lm,
//   S^ee' = sum_l A_l p^ee'_l  (e != e'),   S^ee = 1/2 ( sum_l A_l p^ee_l - a(1) sum_j f_j^2 );
// and back: dE/dS -> dE/dM.
#pragma once

#include "kernels/descriptor/moments.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

// Where S is this much smaller than its terms, cancellation has cost more than three digits: the element pair
// is summed by triples instead. Matters for high powers of 1/2 - 1/2 cos(theta), and where sqrt amplifies a
// tiny sum.
constexpr double cancellation_limit = 1e-3;

// power[degree - l] += sum_m N^2 a_lm b_lm; power [stride], a and b: cosines and sines of one moment each.
inline void add_power_spectrum(const PlanView& plan, const double* a, const double* b, double* power) {
    for (int i = 0; i < plan.stride; i += W) {
        Vec cosine{}, sine{};
        for (int m = 0; m <= plan.degree - i; ++m) {
            const int at = plan.harmonic_row[m] + i;
            const Vec norm = load(plan.harmonic_norm + at);
            cosine += norm * load(a + at) * load(b + at);
            sine += norm * load(a + plan.n_harmonics + at) * load(b + plan.n_harmonics + at);
        }
        add_to(power + i, cosine + sine);
    }
}

inline void clear(double* p, int n) {
    for (int i = 0; i < n; i += W) store(p + i, Vec{});
}

// Sums of all angular functions from the power spectrum, and what size their terms have; [angular_stride].
struct ExpandedSums {
    double *sum, *size;
};

inline void expand_sums(const PlanView& plan, const double* power, const ExpandedSums& out) {
    for (int i = 0; i < plan.angular_stride; i += W) {
        Vec total{}, size{};
        for (int l = 0; l <= plan.degree; ++l) {  // in the order of the tables
            const Vec term = load(plan.legendre_by_degree + l * plan.angular_stride + i) * fill(power[l]);
            total += term;
            size += choose(term < Vec{}, -term, term);
        }
        store(out.sum + i, total);
        store(out.size + i, size);
    }
}

// One sum; false where it is lost to cancellation.
inline bool pick_sum(const PlanView& plan, int angular, const ExpandedSums& in, bool same, double self,
                     double* result) {
    double total = in.sum[angular], size = in.size[angular];
    if (same) {
        total = 0.5 * (total - plan.at_one[angular] * self);
        size = 0.5 * (size + plan.at_one[angular] * self);
    }
    *result = total;
    return !plan.nonnegative || total >= cancellation_limit * size;
}

inline ExpandedSums make_expanded_sums(const PlanView& plan, Arena& arena) {
    return {arena.doubles(plan.angular_stride), arena.doubles(plan.angular_stride)};
}

// sums [pairs.n, combo_stride]; a pair with a cancelled sum is handed over to the triple path.
inline void moment_sums(const PlanView& plan, const ElementPairs& pairs, const Moments& moments, Arena& arena,
                        double* sums) {
    double* power = arena.doubles(plan.stride);
    const ExpandedSums expanded = make_expanded_sums(plan, arena);
    for (int p = 0; p < pairs.n; ++p) {
        if (!pairs.by_moments[p]) continue;
        const int g = pairs.first[p], h = pairs.second[p];
        bool good = true;
        for (int r = 0; r < plan.n_angular_radials; ++r) {
            clear(power, plan.stride);
            add_power_spectrum(plan, moments_of(plan, moments.m, g, r), moments_of(plan, moments.m, h, r),
                               power);
            expand_sums(plan, power, expanded);
            const double self = moments.self[g * plan.n_angular_radials + r];
            for (int c = plan.combo_begin[r]; c < plan.combo_begin[r + 1]; ++c)
                good &= pick_sum(plan, plan.combo_angular[c], expanded, g == h, self,
                                 sums + p * plan.combo_stride + c);
        }
        if (!good) pairs.by_moments[p] = 0;
    }
}

// dE/dp_l of one element pair and radial function; spread [stride]
inline void power_gradients(const PlanView& plan, int r, const double* grad, double* spread) {
    for (int i = 0; i < plan.stride; i += W) {
        Vec total{};
        for (int c = plan.combo_begin[r]; c < plan.combo_begin[r + 1]; ++c)
            total += fill(grad[c]) * load(plan.legendre + plan.combo_angular[c] * plan.stride + i);
        store(spread + i, total);
    }
}

struct MomentGradients {
    double* m;     // dE/dM, as Moments::m
    double* self;  // dE/d(sum_j f_j^2) [n_groups, n_angular_radials]
};

// A term of dE/dM: spread^gh_l [stride] M^h_lm.
struct Partner {
    const double *spread, *moment;
};

// The terms of n partners, added to those before unless they are the `first`.
template <int n, bool first>
inline void add_partners(const PlanView& plan, const Partner* partner, double* grad) {
    for (int i = 0; i < plan.stride; i += W) {
        Vec spread[n];
        unrolled<n>([&](auto k) { spread[k] = load(partner[k].spread + i); });
        for (int m = 0; m <= plan.degree - i; ++m) {
            const int at = plan.harmonic_row[m] + i;
            Vec cosine{}, sine{};
            unrolled<n>([&](auto k) {
                cosine += spread[k] * load(partner[k].moment + at);
                sine += spread[k] * load(partner[k].moment + plan.n_harmonics + at);
            });
            const Vec norm = load(plan.harmonic_norm + at);
            cosine *= norm;
            sine *= norm;
            if (!first) cosine += load(grad + at), sine += load(grad + plan.n_harmonics + at);
            store(grad + at, cosine);
            store(grad + plan.n_harmonics + at, sine);
        }
    }
}

inline void sum_partners(const PlanView& plan, const Partner* partner, int n, double* grad) {
    if (n == 0)
        for (int i = 0; i < 2 * plan.n_harmonics; i += W) store(grad + i, Vec{});
    else if (n == 1)
        add_partners<1, true>(plan, partner, grad);
    else
        add_partners<2, true>(plan, partner, grad);
    for (int k = 2; k < n; ++k) add_partners<1, false>(plan, partner + k, grad);
}

// grads [pairs.n, combo_stride] -> dE/dM and dE/d(self terms)
inline MomentGradients moment_gradients_of_sums(const PlanView& plan, const Neighborhood& nb,
                                                const ElementPairs& pairs, const Moments& moments,
                                                Arena& arena, const double* grads) {
    const int n_radials = plan.n_angular_radials;
    const std::size_t n = static_cast<std::size_t>(nb.n_groups) * n_radials;
    const MomentGradients out{allocate_doubles(arena, n * 2 * plan.n_harmonics), arena.doubles(n)};
    double* spread = allocate_doubles(arena, static_cast<std::size_t>(pairs.n) * n_radials * plan.stride);
    auto* partner = static_cast<Partner*>(arena.allocate((nb.n_groups + 1) * sizeof(Partner)));
    for (int p = 0; p < pairs.n; ++p) {
        const double* grad = grads + static_cast<std::ptrdiff_t>(p) * plan.combo_stride;
        const int g = pairs.first[p];
        for (int r = 0; r < n_radials && pairs.by_moments[p]; ++r) {
            power_gradients(plan, r, grad, spread + (p * n_radials + r) * plan.stride);
            for (int c = plan.combo_begin[r]; g == pairs.second[p] && c < plan.combo_begin[r + 1]; ++c)
                out.self[g * n_radials + r] -= 0.5 * grad[c] * plan.at_one[plan.combo_angular[c]];
        }
    }
    for (int g = 0; g < nb.n_groups; ++g) {
        for (int r = 0; r < n_radials; ++r) {
            int n_partners = 0;
            for (int p = 0; p < pairs.n; ++p) {
                if (!pairs.by_moments[p] || (pairs.first[p] != g && pairs.second[p] != g)) continue;
                const int other = pairs.first[p] == g ? pairs.second[p] : pairs.first[p];
                partner[n_partners++] = {spread + (p * std::ptrdiff_t{n_radials} + r) * plan.stride,
                                         moments_of(plan, moments.m, other, r)};
            }
            sum_partners(plan, partner, n_partners, moments_of(plan, out.m, g, r));
        }
    }
    return out;
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
