// Results must be numbers: overflowing weights must not become forces.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "lmlp/environments.hpp"
#include "lmlp/error.hpp"
#include "lmlp/potential.hpp"

namespace lmlp {

inline bool all_finite(const double* values, std::int64_t n) {
    int bad = 0;
    for (std::int64_t k = 0; k < n; ++k) bad |= !(std::abs(values[k]) <= std::numeric_limits<double>::max());
    return bad == 0;
}

// Name of the first result of a center that is not finite, or nullptr.
inline const char* find_not_finite(const Environments& all, std::int64_t center, int n_members,
                                   const PotentialResults& results) {
    const std::int64_t first = 3 * all.offsets[center], n = 3 * all.offsets[center + 1] - first;
    if (results.distances != nullptr && !all_finite(results.distances + center, 1)) return "distance";
    if (results.energies != nullptr && !all_finite(results.energies + center, 1)) return "energy";
    if (results.pair_gradients != nullptr && !all_finite(results.pair_gradients + first, n))
        return "gradient";
    for (std::int64_t m = 0; m < n_members; ++m) {
        if (results.member_energies != nullptr &&
            !all_finite(results.member_energies + m * all.n_centers + center, 1))
            return "energy of a member";
        if (results.member_pair_gradients != nullptr &&
            !all_finite(results.member_pair_gradients + 3 * m * all.n_pairs() + first, n))
            return "gradient of a member";
    }
    return nullptr;
}

[[noreturn]] inline void fail_not_finite(const char* what, std::int64_t center, const std::string& symbol,
                                         const char* how = "") {
    throw Error(ErrorCode::not_finite,
                std::string("the ") + what + " of center " + std::to_string(center) + " (" + symbol +
                    ") is not a finite number: the weights of the model overflow" + how);
}

}  // namespace lmlp
