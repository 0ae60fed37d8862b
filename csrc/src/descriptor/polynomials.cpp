// Legendre expansions by Gauss quadrature, exact for these degrees up to rounding in long double.
#include "descriptor/polynomials.hpp"

#include <cmath>
#include <numbers>
#include <stdexcept>

namespace lmlp {

namespace {

using Real = long double;

// P_0 .. P_n at c.
std::vector<Real> legendre_values(int n, Real c) {
    std::vector<Real> p(n + 1, 1);
    if (n > 0) p[1] = c;
    for (int l = 2; l <= n; ++l) p[l] = ((2 * l - 1) * c * p[l - 1] - (l - 1) * p[l - 2]) / l;
    return p;
}

Real chebyshev(int n, Real c) {
    Real before = 1, now = c;
    for (int i = 1; i < n; ++i) {
        const Real next = 2 * c * now - before;
        before = now;
        now = next;
    }
    return n == 0 ? 1 : now;
}

Real value(AngularForm form, const AngularParameters& a, Real c) {
    const Real half = 0.5L;
    switch (form) {
        case AngularForm::cos_int:
            return std::pow(half + half * a.lambda * c, a.zeta);
        case AngularForm::cos:
            return std::pow(half + half * a.lambda * chebyshev(a.zeta, c), static_cast<int>(a.xi));
        case AngularForm::legendre:
            return legendre_values(a.l, c)[a.l];
        case AngularForm::bump:
            break;
    }
    throw std::logic_error("an angular form that is no polynomial");
}

}  // namespace

int polynomial_degree(AngularForm form, const AngularParameters& a) {
    switch (form) {
        case AngularForm::cos_int:
            return a.zeta;
        case AngularForm::cos:
            return a.zeta * static_cast<int>(a.xi);
        case AngularForm::legendre:
            return a.l;
        case AngularForm::bump:
            break;
    }
    throw std::logic_error("an angular form that is no polynomial");
}

double polynomial_value(AngularForm form, const AngularParameters& a, double cosine) {
    return static_cast<double>(value(form, a, cosine));
}

std::vector<double> legendre_expansion(AngularForm form, const AngularParameters& a, int degree) {
    std::vector<double> expansion(degree + 1, 0.0);
    const int top = polynomial_degree(form, a);
    if (form == AngularForm::legendre) {
        expansion[a.l] = 1.0;
        return expansion;
    }
    const int n = top + 1;  // nodes: exact for polynomials up to degree 2 n - 1
    std::vector<Real> sums(top + 1, 0);
    for (int i = 0; i < n; ++i) {
        Real c = std::cos(std::numbers::pi_v<Real> * (i + 0.75L) / (n + 0.5L));
        Real slope = 1;
        for (int step = 0; step < 8; ++step) {  // Newton: quadratic convergence from a good start
            const std::vector<Real> p = legendre_values(n, c);
            slope = n * (c * p[n] - p[n - 1]) / (c * c - 1);
            c -= p[n] / slope;
        }
        const Real weight = 2 / ((1 - c * c) * slope * slope);
        const std::vector<Real> p = legendre_values(top, c);
        for (int l = 0; l <= top; ++l) sums[l] += weight * value(form, a, c) * p[l];
    }
    for (int l = 0; l <= top; ++l) expansion[l] = static_cast<double>(sums[l] * (2 * l + 1) / 2);
    return expansion;
}

}  // namespace lmlp
