// The functions known to the core, a row each: name, struct in radial.hpp, angular.hpp, scaling.hpp or
// activation.hpp, and the facts that differ from the defaults. Enumerations, names, dispatch and checks
// follow from the rows.
#pragma once

namespace lmlp {

struct RadialFacts {
    const char* name;
    bool has_shift = false;
    bool zero_eta = true;     // eta = 0 is a function
    double smooth_eta = 0.0;  // below it the function jumps at the cutoff
    bool smooth_root = true;  // the root of a sum has no jump in its slope at the cutoff
};

// bump: values below x = 1e-3 count as 0, so that exp(-999 eta) must be nothing there.
#define LMLP_RADIAL_FORMS(ROW)                                   \
    ROW(bump, RadialBump, .zero_eta = false, .smooth_eta = 0.05) \
    ROW(gaussian_bump, RadialGaussianBump)                       \
    ROW(gaussian_cos, RadialGaussianCos, .smooth_root = false)   \
    ROW(gaussian_shift, RadialGaussianShift, .has_shift = true)

// Which parameters a form reads, in the order of its rows in a model file.
struct AngularFacts {
    const char* name;
    bool lambda = false, zeta = false, xi = false, l = false;
    bool polynomial = true;   // in cos(theta): sums by moments
    bool nonnegative = true;  // a small sum can be told from its terms
};

#define LMLP_ANGULAR_FORMS(ROW)                                             \
    ROW(cos_int, AngularCosInt, .lambda = true, .zeta = true)               \
    ROW(cos, AngularCos, .lambda = true, .zeta = true, .xi = true)          \
    ROW(bump, AngularBump, .lambda = true, .xi = true, .polynomial = false) \
    ROW(legendre, AngularLegendre, .l = true, .nonnegative = false)

struct ScalingFacts {
    const char* name;
};

#define LMLP_SCALING_FORMS(ROW) \
    ROW(linear, ScalingLinear)  \
    ROW(sqrt, ScalingSqrt)      \
    ROW(crss, ScalingCrss)

// Values and slopes are bounded by what network_range.cpp takes them to be: |a(x)| <= 1.6 where `bounded`,
// else 1.7 |x|; |a'(x)| <= 1.9.
struct ActivationFacts {
    const char* name;
    bool bounded = false;
};

#define LMLP_ACTIVATIONS(ROW)                                     \
    ROW(stanh, ActivationStanh, .name = "stanh", .bounded = true) \
    ROW(tanh, ActivationTanh, .name = "tanh", .bounded = true)    \
    ROW(tanhshrink, ActivationTanhshrink, .name = "tanhshrink")   \
    ROW(ssilu, ActivationSsilu, .name = "ssilu")                  \
    ROW(bounded_ssilu, ActivationBoundedSsilu, .name = "bounded-ssilu")

#define LMLP_ENUMERATOR(form, type, ...) form,
#define LMLP_FACTS(form, type, ...) {.name = #form __VA_OPT__(, ) __VA_ARGS__},
enum class RadialForm { LMLP_RADIAL_FORMS(LMLP_ENUMERATOR) };
enum class AngularForm { LMLP_ANGULAR_FORMS(LMLP_ENUMERATOR) };
enum class ScalingForm { LMLP_SCALING_FORMS(LMLP_ENUMERATOR) };
enum class Activation { LMLP_ACTIVATIONS(LMLP_ENUMERATOR) };
inline constexpr RadialFacts radial_facts[] = {LMLP_RADIAL_FORMS(LMLP_FACTS)};
inline constexpr AngularFacts angular_facts[] = {LMLP_ANGULAR_FORMS(LMLP_FACTS)};
inline constexpr ScalingFacts scaling_facts[] = {LMLP_SCALING_FORMS(LMLP_FACTS)};
#define LMLP_NAMED_FACTS(activation, type, ...) {__VA_ARGS__},
inline constexpr ActivationFacts activation_facts[] = {LMLP_ACTIVATIONS(LMLP_NAMED_FACTS)};
#undef LMLP_NAMED_FACTS
#undef LMLP_ENUMERATOR
#undef LMLP_FACTS

}  // namespace lmlp
