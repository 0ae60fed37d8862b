#include "descriptor/newton_basis.hpp"

#include <cmath>

namespace lmlp {

std::vector<double> leja_points(int m, int n) {
    constexpr int last = 800;
    constexpr double pi = 3.14159265358979323846;
    std::vector<double> candidates, distance;  // weight times the distances from all nodes so far
    for (int i = 0; i <= last; ++i) {
        const double angle = pi * i / last;
        candidates.push_back(std::cos(angle));
        distance.push_back(std::pow(std::sin(angle), m));
    }
    std::vector<double> nodes;
    while (static_cast<int>(nodes.size()) < n) {
        int best = 0;
        for (int i = 1; i <= last; ++i)  // the margin decides between points that differ by rounding only
            if (distance[i] > distance[best] * (1 + 1e-9)) best = i;
        nodes.push_back(candidates[best]);
        for (int i = 0; i <= last; ++i) distance[i] *= 2 * std::abs(candidates[i] - nodes.back());
    }
    return nodes;
}

// z q = q shifted by one place + the node of each place times q
std::vector<double> newton_coefficients(std::span<const double> nodes, std::span<const double> beta) {
    const std::size_t n = nodes.size();
    std::vector<double> t(n * n, 0.0);
    t[0] = 1;
    for (std::size_t l = 1; l < n; ++l) {
        for (std::size_t i = 0; i <= l; ++i) {
            double total = nodes[i] * t[i * n + l - 1];
            if (i > 0) total += t[(i - 1) * n + l - 1];
            if (l > 1) total -= beta[l] * t[i * n + l - 2];
            t[i * n + l] = total;
        }
    }
    return t;
}

}  // namespace lmlp
