// Scaling T of a sum: value and derivative, one struct each, for vectors of sums.
#pragma once

#include "functions/forms.hpp"
#include "kernels/vec.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

struct ScalingLinear {
    static Vec value(Vec s) { return s; }
    static Vec slope(Vec) { return fill(1.0); }
};

// derivative 0 where the sum is 0
struct ScalingSqrt {
    static Vec value(Vec s) { return square_root(choose(s > Vec{}, s, Vec{})); }
    static Vec slope(Vec s) {
        const Bits positive = s > Vec{};
        return choose(positive, fill(0.5) / square_root(choose(positive, s, fill(1.0))), Vec{});
    }
};

// 3 [ (s + 1)^(1/3) - 1 ], written so that a small s keeps its digits
struct ScalingCrss {
    static Vec root(Vec s) {
        double t[W];
        store(t, s + fill(1.0));
        for (int i = 0; i < W; ++i) t[i] = __builtin_cbrt(t[i]);
        return load(t);
    }
    static Vec value(Vec s) {
        const Vec r = root(s);
        return fill(3.0) * s / (r * r + r + fill(1.0));
    }
    static Vec slope(Vec s) {
        const Vec r = root(s);
        return fill(1.0) / (r * r);
    }
};

// Calls `use` with the struct of a form.
template <class Use>
void with_scaling_form(ScalingForm form, Use use) {
    switch (form) {
#define LMLP_CASE(name, Form, ...) \
    case ScalingForm::name:        \
        return use(Form{});
        LMLP_SCALING_FORMS(LMLP_CASE)
#undef LMLP_CASE
    }
}

// sums <- T(sums); n, a multiple of W, of them
inline void scale(ScalingForm form, int n, double* sums) {
    if (form == ScalingForm::linear) return;
    with_scaling_form(form, [=](auto scaling) {
        for (int i = 0; i < n; i += W) store(sums + i, scaling.value(load(sums + i)));
    });
}

// sums <- T'(sums)
inline void slope_of_scale(ScalingForm form, int n, double* sums) {
    with_scaling_form(form, [=](auto scaling) {
        for (int i = 0; i < n; i += W) store(sums + i, scaling.slope(load(sums + i)));
    });
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
