// Ensemble evaluation of one tile in blocks of a few vectors of atoms: a member's weights are read for all
// blocks before the next member's. Included once by each kernels/<isa>.cpp.
#pragma once

#include "kernels/network/activation.hpp"
#include "kernels/network/dense.hpp"
#include "kernels/network/network_api.hpp"
#include "kernels/reals.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

// N vectors of atoms, arrays are [rows][N * lanes]. What all blocks share is overwritten by each.
template <class Real>
struct Block {
    int first, n_atoms;
    Real* inputs;
    double* mean_gradient;
    Real *gradient, *error, *next_error;  // shared
    Real* layers;                         // shared: values, then derivatives of each layer
    std::ptrdiff_t layer_size;

    Real* values(int layer) const { return layers + 2 * layer * layer_size; }
    Real* derivatives(int layer) const { return layers + (2 * layer + 1) * layer_size; }
};

// Energies of one member for the lanes of a block, summed in double.
template <class Real, int N>
inline void forward(const ElementNetwork<Real>& network, const MemberNetwork<Real>& member,
                    const Block<Real>& block, double* energies) {
    constexpr int B = N * Of<Real>::lanes;
    const Real* x = block.inputs;
    int n = network.n_features;
    for (int l = 0; l < network.n_layers; ++l) {
        const DenseLayer<Real>& layer = member.layers[l];
        forward_product<Real, N>(layer, x, block.values(l));
        activate<Real>(network.activation, l, layer.n_out * B, block.values(l), block.derivatives(l));
        x = block.values(l);
        n = layer.n_out;
    }
    for (int lane = 0; lane < B; lane += W) {
        Vec e = fill(member.output_bias);
        for (int k = 0; k < n; ++k) e += fill(member.output[k]) * load_wide(x + k * B + lane);
        store(energies + lane, e);
    }
}

// block.gradient <- dE/d(inputs) of one member, whose activations are in the block.
template <class Real, int N>
inline void reverse(const ElementNetwork<Real>& network, const MemberNetwork<Real>& member,
                    const Block<Real>& block) {
    constexpr int L = Of<Real>::lanes, B = N * L;
    const int last = network.n_layers - 1;
    const int n = last < 0 ? network.n_features : member.layers[last].n_out;
    Real *error = block.error, *next = block.next_error;
    for (int k = 0; k < n; ++k)
        for (int i = k * B; i < (k + 1) * B; i += L) {
            const auto w = fill_as(static_cast<Real>(member.output[k]));
            if (last < 0)
                store(block.gradient + i, w);
            else
                store(error + i, w * load(block.derivatives(last) + i));
        }
    for (int l = last; l >= 0; --l) {
        backward_product<Real, N>(member.layers[l], error, l > 0 ? block.derivatives(l - 1) : nullptr,
                                  l > 0 ? next : block.gradient);
        Real* swap = error;
        error = next;
        next = swap;
    }
}

// inputs <- transposed scaled features less the center; lanes without an atom are zero.
template <class Real, int N>
inline void gather(const ElementNetwork<Real>& network, const double* features, const Block<Real>& block) {
    constexpr int B = N * Of<Real>::lanes;
    for (int lane = 0; lane < B; ++lane) {
        const double* row = features + static_cast<std::ptrdiff_t>(lane) * network.n_features;
        for (int k = 0; k < network.n_features; ++k)
            block.inputs[k * B + lane] =
                lane < block.n_atoms
                    ? static_cast<Real>((row[k] - network.center[k]) * network.input_scale[k])
                    : Real(0);
    }
}

// out [atoms of the block, n_features] <- gradient by the features, from that by the inputs.
template <class Number>
inline void scatter(const double* input_scale, int n_features, int n_atoms, int stride,
                    const Number* gradient, double* out) {
    for (int lane = 0; lane < n_atoms; ++lane, out += n_features)
        for (int k = 0; k < n_features; ++k)
            out[k] = input_scale[k] * static_cast<double>(gradient[k * stride + lane]);
}

template <class Real>
inline void accumulate(int n, const Real* from, double* to, bool first) {
    for (int i = 0; i < n; i += W) {
        const Vec x = load_wide(from + i);
        store(to + i, first ? x : load(to + i) + x);
    }
}

template <class Real, int N>
void member_of_block(const ElementNetwork<Real>& network, int m, const Block<Real>& block,
                     const NetworkTile& tile, double* sums) {
    constexpr int B = N * Of<Real>::lanes;
    const NetworkResults& out = tile.results;
    const int n_features = network.n_features;
    if (m == 0) gather<Real, N>(network, tile.features + block.first * n_features, block);
    double energies[B];
    forward<Real, N>(network, network.members[m], block, energies);
    for (int lane = 0; lane < block.n_atoms; ++lane) {
        const int atom = block.first + lane;
        sums[atom] = m == 0 ? energies[lane] : sums[atom] + energies[lane];
        if (out.member_energies != nullptr) out.member_energies[m * tile.n_atoms + atom] = energies[lane];
    }
    if (out.gradients == nullptr && out.member_gradients == nullptr) return;
    reverse<Real, N>(network, network.members[m], block);
    // the mean is made of whole members, so that asking for them does not change its bits
    accumulate(n_features * B, block.gradient, block.mean_gradient, m == 0);
    if (out.member_gradients != nullptr)
        scatter(network.input_scale, n_features, block.n_atoms, B, block.gradient,
                out.member_gradients +
                    (static_cast<std::ptrdiff_t>(m) * tile.n_atoms + block.first) * n_features);
    if (out.gradients == nullptr || m + 1 < network.n_members) return;
    const Vec n_members = fill(network.n_members);
    for (int i = 0; i < n_features * B; i += W)
        store(block.mean_gradient + i, load(block.mean_gradient + i) / n_members);
    scatter(network.input_scale, n_features, block.n_atoms, B, block.mean_gradient,
            out.gradients + block.first * n_features);
}

template <class Real>
inline void network_tile(const ElementNetwork<Real>& network, const NetworkTile& tile, double* scratch) {
    constexpr int L = Of<Real>::lanes, most = block_vectors * L;
    const std::ptrdiff_t rows = network.widest;
    // whole vectors of either kind; the caller left room for it
    const auto offset = reinterpret_cast<std::uintptr_t>(scratch) % 64;
    if (offset != 0) scratch += (64 - offset) / sizeof(double);
    double* inputs = scratch;
    double* mean_gradients = inputs + rows * tile_atoms;
    Real* shared = reinterpret_cast<Real*>(mean_gradients + rows * tile_atoms);
    const std::ptrdiff_t size = rows * most;
    double sums[tile_atoms];
    for (int m = 0; m < network.n_members; ++m)
        for (int first = 0; first < tile.n_atoms; first += most) {
            const int n = tile.n_atoms - first < most ? tile.n_atoms - first : most;
            const Block<Real> block{first,
                                    n,
                                    reinterpret_cast<Real*>(inputs + rows * first),
                                    mean_gradients + rows * first,
                                    shared,
                                    shared + size,
                                    shared + 2 * size,
                                    shared + 3 * size,
                                    size};
            if (n > 2 * L)
                member_of_block<Real, 3>(network, m, block, tile, sums);
            else if (n > L)
                member_of_block<Real, 2>(network, m, block, tile, sums);
            else
                member_of_block<Real, 1>(network, m, block, tile, sums);
        }
    for (int i = 0; tile.results.energies != nullptr && i < tile.n_atoms; ++i)
        tile.results.energies[i] = sums[i] / network.n_members;
}

void network(const ElementNetwork<double>& network, const NetworkTile& tile, double* scratch) {
    network_tile(network, tile, scratch);
}

void network_single(const ElementNetwork<float>& network, const NetworkTile& tile, double* scratch) {
    network_tile(network, tile, scratch);
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
