// The hyperbolic tangent, in vectors of either precision.
#pragma once

#include "kernels/reals.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

// Constants of e^r - 1 = r + r^2 P(r) for |r| <= ln(2)/2, P interpolated at Chebyshev nodes (relative error
// 4e-17 and 5e-10 of the half-ulps 6e-17 and 3e-8), and of the split of an exponent into bits.
template <class Real>
struct Exponential;
template <>
struct Exponential<double> {
    static constexpr double coefficients[] = {0.50000000000000010221,     0.16666666666666667453,
                                              0.041666666666624127873,    0.0083333333333300618325,
                                              0.0013888888917213716901,   0.00019841269863053616878,
                                              0.000024801521295954375131, 2.7557268459997064772e-6,
                                              2.7620088445409748161e-7,   2.5100385495510319078e-8};
    static constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
    static constexpr double round = 0x1.8p52;  // adding it rounds to an integer, kept in the low bits
    static constexpr double saturated = 40.0;  // tanh 20 rounds to 1
    static constexpr long long bias = 1023;
    static constexpr int mantissa = 52;
};
template <>
struct Exponential<float> {
    static constexpr float coefficients[] = {0.5f,
                                             0.16666666681623231402f,
                                             0.041666464925285905408f,
                                             0.0083333109254809008349f,
                                             0.001393364999630925043f,
                                             0.00019890990824673653848f};
    static constexpr float ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f;
    static constexpr float round = 0x1.8p23f;
    static constexpr float saturated = 20.0f;
    static constexpr int bias = 127;
    static constexpr int mantissa = 23;
};

// c[0] + c[1] x + ... in pairs: half the latency of Horner's scheme, which is what limits a loop of these.
template <class Real, int n>
inline typename Of<Real>::V polynomial(const Real (&coefficients)[n], typename Of<Real>::V x) {
    typename Of<Real>::V c[n];
    for (int i = 0; i < n; ++i) c[i] = fill_as(coefficients[i]);
    for (int m = n; m > 1; m = (m + 1) / 2, x = x * x)
        for (int i = 0; i < m; i += 2) c[i / 2] = i + 1 < m ? c[i] + c[i + 1] * x : c[i];
    return c[0];
}

// tanh x to a few ulp (docs/development.md): tanh |x| = e / (e + 2) with e = exp(2|x|) - 1
// = 2^n (exp(r) - 1) + (2^n - 1), with its sign put back. NaN stays NaN.
template <class Real>
inline typename Of<Real>::V hyperbolic_tangent(typename Of<Real>::V x) {
    using V = typename Of<Real>::V;
    using Mask = typename Of<Real>::Mask;
    using C = Exponential<Real>;
    const V limit = fill_as(C::saturated);
    const Mask sign = as_bits(x) & as_bits(-V{});
    V y = as_vector(as_bits(x) ^ sign) * fill_as(Real(2));
    y = choose(y > limit, limit, y);
    const V shifted = y * fill_as(Real(1.44269504088896340736)) + fill_as(C::round);
    const V n = shifted - fill_as(C::round);
    V r = y - n * fill_as(C::ln2_high);
    r = r - n * fill_as(C::ln2_low);
    const V scale = as_vector((as_bits(shifted) + C::bias) << C::mantissa);
    const V e = scale * (polynomial<Real>(C::coefficients, r) * (r * r) + r) + (scale - fill_as(Real(1)));
    return as_vector(as_bits(e / (e + fill_as(Real(2)))) | sign);
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
