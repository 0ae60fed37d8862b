// Angular functions that are polynomials in cos(theta), and their Legendre expansions.
#pragma once

#include <vector>

#include "descriptor/plan.hpp"

namespace lmlp {

int polynomial_degree(AngularForm form, const AngularParameters& parameters);
double polynomial_value(AngularForm form, const AngularParameters& parameters, double cosine);
// A_l of a(c) = sum_l A_l P_l(c), l = 0 .. degree.
std::vector<double> legendre_expansion(AngularForm form, const AngularParameters& parameters, int degree);

}  // namespace lmlp
