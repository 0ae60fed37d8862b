// Distances of one tile from the training atoms, in blocks of a few vectors of atoms as the networks are.
// Included once by each kernels/<isa>.cpp.
#pragma once

#include "kernels/network/dense.hpp"
#include "kernels/network/network_api.hpp"
#include "kernels/reals.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

// sums [N vectors] <- sums over n rows of the squares of x [n][N * lanes].
template <int N>
inline void sum_squares(int n, const double* x, Vec (&sums)[N]) {
    for (int v = 0; v < N; ++v) sums[v] = Vec{};
    for (int k = 0; k < n; ++k)
        for (int v = 0; v < N; ++v, x += W) {
            const Vec value = load(x);
            sums[v] += value * value;
        }
}

// N vectors of atoms; y and along have a row per feature and per axis.
template <int N>
void distance_block(const ElementDistance& element, int n_atoms, const double* features, double* y,
                    double* along, double* distances) {
    constexpr int B = N * W;
    const int n_features = element.axes.n_in;
    for (int lane = 0; lane < B; ++lane) {
        const double* row = features + static_cast<std::ptrdiff_t>(lane) * n_features;
        for (int k = 0; k < n_features; ++k)
            y[k * B + lane] = lane < n_atoms ? (row[k] - element.shift[k]) * element.scale[k] : 0.0;
    }
    forward_product<double, N>(element.axes, y, along);
    Vec all[N], taken[N];
    sum_squares<N>(n_features, y, all);
    sum_squares<N>(element.axes.n_out, along, taken);
    for (int v = 0; v < N; ++v) {
        double squares[W];
        store(squares, all[v] - taken[v]);
        for (int lane = 0; lane < W && v * W + lane < n_atoms; ++lane) {
            const double square = squares[lane];
            // the difference of two squares may be a little below zero; infinities are no distances
            const bool finite = square - square == 0.0;
            distances[v * W + lane] =
                finite ? __builtin_sqrt(square > 0.0 ? square : 0.0) : __builtin_nan("");
        }
    }
}

void distance(const ElementDistance& element, int n_atoms, const double* features, double* distances,
              double* scratch) {
    constexpr int most = block_vectors * W;
    const int n_features = element.axes.n_in;
    double* along = scratch + element.axes.panel_size / panel_rows * most;
    for (int first = 0; first < n_atoms; first += most) {
        const int n = n_atoms - first < most ? n_atoms - first : most;
        const double* from = features + static_cast<std::ptrdiff_t>(first) * n_features;
        if (n > 2 * W)
            distance_block<3>(element, n, from, scratch, along, distances + first);
        else if (n > W)
            distance_block<2>(element, n, from, scratch, along, distances + first);
        else
            distance_block<1>(element, n, from, scratch, along, distances + first);
    }
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
