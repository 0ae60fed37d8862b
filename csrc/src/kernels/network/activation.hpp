// Activation functions over the numbers of a hidden layer.
#pragma once

#include "functions/activation.hpp"
#include "kernels/reals.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

// Never inlined, one loop per formula: where the compiler sees t t beside 1 - t t it may round the product
// once more, in one copy of the loop and not in another.
template <class Real, class Function>
[[gnu::noinline]] void activate_as(int n, Real* values, Real* derivatives) {
    for (int i = 0; i < n; i += Of<Real>::lanes) {
        Reals<Real> a, da;
        Function::template value<Real>(load(values + i), a, da);
        store(values + i, a);
        store(derivatives + i, da);
    }
}

// values <- act(values), derivatives <- act'(values) in a hidden layer, the first is 0; n numbers, a multiple
// of the lanes.
template <class Real>
inline void activate(Activation activation, int layer, int n, Real* values, Real* derivatives) {
    with_activation(activation, [=]<class Function>(Function) {
        if (layer == 0)
            activate_as<Real, Function>(n, values, derivatives);
        else
            activate_as<Real, typename Function::Later>(n, values, derivatives);
    });
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
