// Radial functions with their cutoff: value and derivative by R, one struct each. x = 1 - (R/R_c)^2.
// All are 1 at R = 0 (gaussian_shift: at R = shift, before the cutoff), and exactly 0 from R_c on.
#pragma once

#include "functions/forms.hpp"
#include "kernels/vec.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

// What functions of one cutoff share: a and its derivative b. Bump: exponent 1 - 1/x; cosine: 1/2 (1 + cos).
struct Cutoff {
    Vec a, b;
};

struct BumpCutoff {
    static Cutoff value(Vec r, double r_c) {
        // (R_c - R)(R_c + R) keeps x accurate near the cutoff; below 1e-3 the bump is nothing (exp(-999))
        const Vec x = (fill(r_c) - r) * (fill(r_c) + r) / fill(r_c * r_c);
        const Bits inside = (r < fill(r_c)) & (x >= fill(1e-3));
        const Vec safe = choose(inside, x, fill(1.0));
        const Vec slope = fill(-2.0 / (r_c * r_c)) * r / (safe * safe);
        return {choose(inside, fill(1.0) - fill(1.0) / safe, fill(-1e300)), choose(inside, slope, Vec{})};
    }
};

struct CosineCutoff {
    static Cutoff value(Vec r, double r_c) {
        constexpr double pi = 3.14159265358979323846;
        Cutoff cutoff;
        for (int i = 0; i < W; ++i) {
            const bool inside = r[i] < r_c;
            cutoff.a[i] = inside ? 0.5 * (1 + __builtin_cos(pi * r[i] / r_c)) : 0.0;
            cutoff.b[i] = inside ? -0.5 * pi / r_c * __builtin_sin(pi * r[i] / r_c) : 0.0;
        }
        return cutoff;
    }
};

// exp(eta - eta/x)
struct RadialBump {
    using CutoffType = BumpCutoff;
    static void value(Vec, const Cutoff& cutoff, double eta, double, Vec& f, Vec& df) {
        f = exp_nonpositive(fill(eta) * cutoff.a);
        df = f * fill(eta) * cutoff.b;
    }
};

// exp(-eta R^2) exp(1 - 1/x)
struct RadialGaussianBump {
    using CutoffType = BumpCutoff;
    static void value(Vec r, const Cutoff& cutoff, double eta, double, Vec& f, Vec& df) {
        f = exp_nonpositive(cutoff.a - fill(eta) * r * r);
        df = f * (cutoff.b - fill(2 * eta) * r);
    }
};

// exp(-eta R^2) 1/2 (1 + cos(pi R / R_c))
struct RadialGaussianCos {
    using CutoffType = CosineCutoff;
    static void value(Vec r, const Cutoff& cutoff, double eta, double, Vec& f, Vec& df) {
        const Vec gaussian = exp_nonpositive(-fill(eta) * r * r);
        f = gaussian * cutoff.a;
        df = gaussian * (cutoff.b - fill(2 * eta) * r * cutoff.a);
    }
};

// Extension: exp(-eta (R - shift)^2) exp(1 - 1/x)
struct RadialGaussianShift {
    using CutoffType = BumpCutoff;
    static void value(Vec r, const Cutoff& cutoff, double eta, double shift, Vec& f, Vec& df) {
        const Vec d = r - fill(shift);
        f = exp_nonpositive(cutoff.a - fill(eta) * d * d);
        df = f * (cutoff.b - fill(2 * eta) * d);
    }
};

// Calls `use` with the struct of a form.
template <class Use>
void with_radial_form(RadialForm form, Use use) {
    switch (form) {
#define LMLP_CASE(name, Form, ...) \
    case RadialForm::name:         \
        return use(Form{});
        LMLP_RADIAL_FORMS(LMLP_CASE)
#undef LMLP_CASE
    }
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
