// Functions by their names in a descriptor spec or model file. Not for kernels: inline library code, whatever
// the instruction set.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "functions/forms.hpp"
#include "lmlp/symmetry_functions.hpp"

namespace lmlp {

// Index of a row; the first one for a name that check_header() refuses, and for the empty one of a spec
// without angular functions.
template <class Facts, std::size_t n>
std::size_t form_index(const Facts (&facts)[n], const std::string& name) {
    for (std::size_t i = 0; i < n; ++i)
        if (name == facts[i].name) return i;
    return 0;
}

template <class Facts, std::size_t n>
std::vector<std::string> form_names(const Facts (&facts)[n]) {
    std::vector<std::string> names;
    for (const Facts& row : facts) names.emplace_back(row.name);
    return names;
}

inline RadialForm radial_form(const DescriptorSpec& spec) {
    return static_cast<RadialForm>(form_index(radial_facts, spec.radial));
}
inline AngularForm angular_form(const DescriptorSpec& spec) {
    return static_cast<AngularForm>(form_index(angular_facts, spec.angular));
}
inline ScalingForm scaling_form(const DescriptorSpec& spec) {
    return static_cast<ScalingForm>(form_index(scaling_facts, spec.scaling));
}

inline const RadialFacts& facts(RadialForm form) {
    return radial_facts[static_cast<std::size_t>(form)];
}
inline const AngularFacts& facts(AngularForm form) {
    return angular_facts[static_cast<std::size_t>(form)];
}
inline const ActivationFacts& facts(Activation activation) {
    return activation_facts[static_cast<std::size_t>(activation)];
}

}  // namespace lmlp
