// Elementary functions of the kernels against long double (quadruple on arm64), compiled once per instruction
// set: the largest errors in units of the last place are those of docs/development.md.
#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

#define LMLP_KERNEL tested
#ifndef LMLP_WIDTH
#define LMLP_WIDTH 2
#endif
#include "check.h"
#include "kernels/network/activation.hpp"

namespace {

using namespace lmlp::tested;

bool is_supported() {
#if LMLP_WIDTH == 8 && defined(__x86_64__)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq");
#elif LMLP_WIDTH == 4 && defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return true;
#endif
}

template <class Real>
long double error_in_ulp(Real found, long double exact) {
    const Real rounded = static_cast<Real>(exact);
    const Real above = std::nextafter(std::fabs(rounded), std::numeric_limits<Real>::infinity());
    return std::fabs(static_cast<long double>(found) - exact) / (above - std::fabs(rounded));
}

// The largest error over points that fill [low, high] evenly, or by size where `logarithmic`.
template <class Real, class Function, class Exact>
double largest_error(long double low, long double high, bool logarithmic, Function function, Exact exact) {
#if defined(__x86_64__)
    constexpr int n = 1 << 18;
#else
    constexpr int n = 1 << 13;  // long double is software there, and the processor often emulated
#endif
    constexpr int lanes = Of<Real>::lanes;
    long double largest = 0;
    for (int i = 0; i < n; i += lanes) {
        Real x[lanes], y[lanes];
        for (int k = 0; k < lanes; ++k) {
            const long double t = (i + k + 0.5L) / n;
            x[k] = static_cast<Real>(logarithmic ? low * std::pow(high / low, t) : low + (high - low) * t);
        }
        store(y, function(load(x)));
        for (int k = 0; k < lanes; ++k) largest = std::fmax(largest, error_in_ulp(y[k], exact(x[k])));
    }
    return static_cast<double>(largest);
}

void expect_below(const char* name, double error, double bound) {
    std::printf("%-28s %.3f ulp (bound %.1f)\n", name, error, bound);
    CHECK(error > 0.4);  // rounding alone gives nearly half: less means that nothing was compared
    CHECK(error < bound);
}

template <class Real>
void check_hyperbolic_tangent(const char* name, double bound) {
    const auto function = [](auto x) { return hyperbolic_tangent<Real>(x); };
    const auto exact = [](Real x) { return std::tanh(static_cast<long double>(x)); };
    expect_below(name, largest_error<Real>(1e-30L, 1e-3L, true, function, exact), bound);
    expect_below(name, largest_error<Real>(-1.0L, 1.0L, false, function, exact), bound);
    expect_below(name, largest_error<Real>(-25.0L, 25.0L, false, function, exact), bound);
    Real x[Of<Real>::lanes] = {std::numeric_limits<Real>::quiet_NaN(), std::numeric_limits<Real>::infinity()};
    store(x, function(load(x)));
    CHECK(std::isnan(x[0]));
    CHECK(x[1] == 1);
}

// x/(1 + exp(-x)) is as good as an ulp of x, not of itself: what a network adds up is no smaller than that.
template <class Real>
void check_logistic(lmlp::Activation activation, double bound) {
    constexpr int n = 4096;
    std::vector<Real> values(n), derivatives(n), x(n);
    for (int i = 0; i < n; ++i) x[i] = values[i] = Real(-30.0 + 60.0 * i / (n - 1));
    activate<Real>(activation, 0, n, values.data(), derivatives.data());
    const bool bounded = activation == lmlp::Activation::bounded_ssilu;
    double largest = 0.0;
    for (int i = 0; i < n; ++i) {
        const long double t = std::tanh(x[i] / 6.0L), slope = bounded ? 1.0L - t * t : 1.0L;
        const long double X = bounded ? 6.0L * t : static_cast<long double>(x[i]);
        const long double s = 1.0L / (1.0L + std::exp(-X)), scale = 1.67653L;
        const long double unit = std::numeric_limits<Real>::epsilon() * std::fmax(1.0L, std::fabs(X));
        const long double derivative = slope * scale * s * (1.0L + X * (1.0L - s));
        largest = std::fmax(largest, std::fabs((values[i] - scale * X * s) / unit));
        largest = std::fmax(largest, std::fabs((derivatives[i] - derivative) / unit));
    }
    expect_below(bounded ? "bounded x/(1 + exp(-x))" : "x/(1 + exp(-x))", largest, bound);
}

}  // namespace

int main() {
    if (!is_supported()) return 77;
    check_hyperbolic_tangent<double>("tanh, double", 3.0);
    check_hyperbolic_tangent<float>("tanh, single", 3.0);
    check_logistic<double>(lmlp::Activation::ssilu, 3.0);
    check_logistic<float>(lmlp::Activation::ssilu, 3.0);
    check_logistic<double>(lmlp::Activation::bounded_ssilu, 4.0);  // 2.5 and 2.9 measured
    check_logistic<float>(lmlp::Activation::bounded_ssilu, 4.0);
    const auto exponential = [](Vec x) { return exp_nonpositive(x); };
    const auto exact_exponential = [](double x) { return std::exp(static_cast<long double>(x)); };
    expect_below("exp", largest_error<double>(-708.0L, 0.0L, false, exponential, exact_exponential), 1.5);
    expect_below("exp", largest_error<double>(-1.0L, 0.0L, false, exponential, exact_exponential), 1.5);
    const auto arccos = [](Vec x) { return arccos_nonnegative(x); };
    const auto exact_arccos = [](double x) { return std::acos(static_cast<long double>(x)); };
    expect_below("arccos", largest_error<double>(0.0L, 1.0L, false, arccos, exact_arccos), 2.5);
    double below[W];
    for (double& x : below) x = -709.0;
    store(below, exp_nonpositive(load(below)));
    CHECK(below[0] == 0.0);  // a cutoff ends in true zeros
    return finish();
}
