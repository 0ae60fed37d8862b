// Whether networks could overflow on the way to their results.
#pragma once

#include <vector>

#include "lmlp/network.hpp"

namespace lmlp {

// For each element: whether any number on the way from features to energies and gradients could pass 1e250,
// with features of up to 1e9; where networks are in single 1e36, with features of up to 1e5. Decided from
// sums of absolute values, so that nothing depends on the order in which a library adds, or on what it makes
// of 0 times infinity. The formulas are those of lmlp.model.number_range, so that all engines refuse the same
// elements.
std::vector<bool> find_overflowing(const NetworkParameters& parameters, Precision precision);

}  // namespace lmlp
