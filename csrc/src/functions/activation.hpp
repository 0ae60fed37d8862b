// Activation functions of the networks in either precision: value and derivative by x, one struct each.
// `Later` is the function of all hidden layers but the first.
#pragma once

#include "functions/forms.hpp"
#include "kernels/hyperbolic_tangent.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

template <class Real>
using Reals = typename Of<Real>::V;

// tanh x
struct ActivationTanh {
    using Later = ActivationTanh;
    template <class Real>
    static void value(Reals<Real> x, Reals<Real>& a, Reals<Real>& da) {
        a = hyperbolic_tangent<Real>(x);
        da = fill_as(Real(1)) - a * a;
    }
};

// 1.59223 tanh x: keeps unit variance
struct ActivationStanh {
    using Later = ActivationStanh;
    template <class Real>
    static void value(Reals<Real> x, Reals<Real>& a, Reals<Real>& da) {
        const Reals<Real> scale = fill_as(Real(1.59223)), t = hyperbolic_tangent<Real>(x);
        a = scale * t;
        da = scale * (fill_as(Real(1)) - t * t);
    }
};

// x - tanh x
struct ActivationTanhshrink {
    using Later = ActivationTanhshrink;
    template <class Real>
    static void value(Reals<Real> x, Reals<Real>& a, Reals<Real>& da) {
        const Reals<Real> t = hyperbolic_tangent<Real>(x);
        a = x - t;
        da = t * t;
    }
};

// 1.67653 x / (1 + exp(-x)): keeps the second moment of 1
struct ActivationSsilu {
    using Later = ActivationSsilu;
    template <class Real>
    static void value(Reals<Real> x, Reals<Real>& a, Reals<Real>& da) {
        // the logistic function is 1/2 + 1/2 tanh(x/2); x times it is off by a few ulp of x
        const Reals<Real> half = fill_as(Real(0.5)), s = half + half * hyperbolic_tangent<Real>(half * x),
                          y = fill_as(Real(1.67653)) * s;
        a = x * y;
        da = y + x * y * (fill_as(Real(1)) - s);
    }
};

// ssilu of 6 tanh(x/6) in the first hidden layer
struct ActivationBoundedSsilu {
    using Later = ActivationSsilu;
    static constexpr double bound = 6.0;
    template <class Real>
    static void value(Reals<Real> x, Reals<Real>& a, Reals<Real>& da) {
        const Reals<Real> t = hyperbolic_tangent<Real>(x * fill_as(Real(1.0 / bound)));
        Reals<Real> slope;
        ActivationSsilu::value<Real>(fill_as(Real(bound)) * t, a, slope);
        da = (fill_as(Real(1)) - t * t) * slope;
    }
};

// Calls `use` with the struct of an activation function.
template <class Use>
void with_activation(Activation activation, Use use) {
    switch (activation) {
#define LMLP_CASE(name, Function, ...) \
    case Activation::name:             \
        return use(Function{});
        LMLP_ACTIVATIONS(LMLP_CASE)
#undef LMLP_CASE
    }
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
