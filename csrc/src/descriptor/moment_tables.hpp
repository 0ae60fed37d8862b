// Tables of the moment path: Legendre expansions, harmonics, Newton's form of their polynomials.
#pragma once

#include <vector>

#include "descriptor/plan.hpp"

namespace lmlp {

// Adds what moments up to a degree need to a view, and tells correlation functions where their components
// are.
void add_moments(int degree, const std::vector<AngularParameters>& angulars, Correlations& correlations,
                 PlanView& view, Tables& tables);

}  // namespace lmlp
