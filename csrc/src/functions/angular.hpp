// Angular functions of c = cos(theta_jik), c in [-1, 1]: value and derivative by c, one struct each.
// prepare() is what functions with different parameters share at one angle.
#pragma once

#include "descriptor/plan.hpp"
#include "functions/forms.hpp"
#include "kernels/vec.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

inline Vec integer_power(Vec x, int n) {
    Vec result = fill(1.0);
    for (; n > 0; n >>= 1) {
        if (n & 1) result *= x;
        x *= x;
    }
    return result;
}

// Rounding may leave 1/2 + 1/2 lambda T just below 0; a sum of such terms must stay nonnegative.
inline Vec half_range(double lambda, Vec t) {
    const Vec x = fill(0.5) + fill(0.5 * lambda) * t;
    return choose(x < Vec{}, Vec{}, x);
}

// X^zeta, X = 1/2 + 1/2 lambda c
struct AngularCosInt {
    static Vec prepare(Vec c) { return c; }
    static void value(Vec c, const AngularParameters& p, Vec& a, Vec& da) {
        const Vec x = half_range(p.lambda, c);
        const Vec power = integer_power(x, p.zeta - 1);
        a = power * x;
        da = fill(0.5 * p.lambda * p.zeta) * power;
    }
};

// X^xi, X = 1/2 + 1/2 lambda cos(zeta theta); derivative through X^(xi - 1), never a / X: X is 0 at some
// angles
struct AngularCos {
    static Vec prepare(Vec c) { return c; }
    static void value(Vec c, const AngularParameters& p, Vec& a, Vec& da) {
        Vec t_before = fill(1.0), t = c;      // Chebyshev polynomials of the first kind
        Vec u_before = Vec{}, u = fill(1.0);  // second kind, one degree below
        for (int i = 1; i < p.zeta; ++i) {
            const Vec t_next = fill(2.0) * c * t - t_before;
            const Vec u_next = fill(2.0) * c * u - u_before;
            t_before = t;
            t = t_next;
            u_before = u;
            u = u_next;
        }
        const Vec x = half_range(p.lambda, t);
        const Vec power = integer_power(x, static_cast<int>(p.xi) - 1);
        a = power * x;
        da = fill(0.5 * p.lambda * p.zeta * p.xi) * power * u;
    }
};

// exp(xi - xi/y), y = 1 - x^2, x = lambda - theta/pi. At theta = 0 and pi da/dc is finite only for lambda 0
// or 1: x / sin(theta) -> -1/pi (lambda = 0, theta = 0) and +1/pi (lambda = 1, theta = pi); elsewhere taken
// as 0 there.
struct AngularBump {
    struct Shared {
        Bits obtuse;
        Vec fraction;  // angle to the nearer end, over pi: accurate where it vanishes
        Vec sine;
    };
    static Shared prepare(Vec c) {
        const Bits obtuse = c < Vec{};
        const Vec size = choose(obtuse, -c, c);
        constexpr double inverse_pi = 0.31830988618379067154;
        return {obtuse, arccos_nonnegative(size) * fill(inverse_pi),
                square_root((fill(1.0) - size) * (fill(1.0) + size))};
    }
    static void value(const Shared& angle, const AngularParameters& p, Vec& a, Vec& da) {
        constexpr double pi = 3.14159265358979323846;
        const Vec one = fill(1.0);
        const Vec x =
            choose(angle.obtuse, fill(p.lambda - 1) + angle.fraction, fill(p.lambda) - angle.fraction);
        const Vec y = (one - x) * (one + x);
        const Bits inside = y * fill(700.0) >= fill(p.xi);  // beyond, a is below exp(-690)
        const Vec inverse_y = one / choose(inside, y, one);
        a = choose(inside, exp_nonpositive(fill(p.xi) - fill(p.xi) * inverse_y), Vec{});
        const Bits straight = angle.sine == Vec{};
        const Vec at_end = choose(x == Vec{}, choose(angle.obtuse, fill(1 / pi), fill(-1 / pi)), Vec{});
        const Vec x_over_sine = choose(straight, at_end, x / choose(straight, one, angle.sine));
        da = a * fill(-2 * p.xi / pi) * x_over_sine * inverse_y * inverse_y;
    }
};

// Extension: P_l(c)
struct AngularLegendre {
    static Vec prepare(Vec c) { return c; }
    static void value(Vec c, const AngularParameters& p, Vec& a, Vec& da) {
        Vec before = Vec{}, now = fill(1.0);      // P_{l-1}, P_l
        Vec slope_before = Vec{}, slope = Vec{};  // their derivatives
        for (int l = 1; l <= p.l; ++l) {
            const Vec next = (fill(2.0 * l - 1) * c * now - fill(l - 1.0) * before) / fill(l);
            const Vec slope_next = slope_before + fill(2.0 * l - 1) * now;
            before = now;
            now = next;
            slope_before = slope;
            slope = slope_next;
        }
        a = now;
        da = slope;
    }
};

// Calls `use` with the struct of a form.
template <class Use>
void with_angular_form(AngularForm form, Use use) {
    switch (form) {
#define LMLP_CASE(name, Form, ...) \
    case AngularForm::name:        \
        return use(Form{});
        LMLP_ANGULAR_FORMS(LMLP_CASE)
#undef LMLP_CASE
    }
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
