// What the network kernels of one instruction set work on.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lmlp/network.hpp"

namespace lmlp {

// Weights are packed in panels of this many rows: for each panel, for each column, its rows. A broadcast
// reads any of them, so the transposed product uses the same panels.
inline constexpr int panel_rows = 8;
// Atoms of one tile at most: whole blocks of three vectors for every instruction set and both precisions.
inline constexpr int tile_atoms = 48;

template <class Real>
struct DenseLayer {
    int n_in, n_out;
    std::ptrdiff_t panel_size;  // numbers from one panel to the next: panel_rows * padded n_in
    const Real* weight;         // panels of W [n_out, n_in], both padded with zeros
    const Real* bias;           // [n_out, padded]
};

template <class Real>
struct MemberNetwork {
    const DenseLayer<Real>* layers;  // hidden layers; scale and shift are folded into the first
    const double* output;            // [size of the last hidden layer], or [n_features] without hidden layers
    double output_bias;
};

// All members of one element, in one precision; the inputs of the first layers are
// input_scale (features - center), computed in double.
template <class Real>
struct ElementNetwork {
    int n_members, n_features, n_layers;
    int widest;  // padded rows of the widest layer, features included
    Activation activation;
    const double* center;       // [n_features]
    const double* input_scale;  // [n_features], powers of two
    const MemberNetwork<Real>* members;
};

// Doubles that the scratch of a kernel holds: per lane inputs, mean gradient, gradient, two errors on their
// way back, activations and their derivatives; and some to align it.
inline std::size_t network_scratch(int widest, int n_layers) {
    return static_cast<std::size_t>(tile_atoms) * widest * (5 + 2 * n_layers) + 8;
}

// Of one element: y = scale o (features - shift), in a product with the axes that are a layer without bias.
struct ElementDistance {
    DenseLayer<double> axes;
    const double *shift, *scale;  // [n_features]
};

// Doubles that the scratch of the distance kernel holds: y and its parts along the axes of one block.
inline std::size_t distance_scratch(int padded_features, int padded_axes) {
    return static_cast<std::size_t>(tile_atoms) * (padded_features + padded_axes);
}

// Atoms of one element; null arrays are not computed.
struct NetworkTile {
    const double* features;  // [n_atoms, n_features]
    int n_atoms;             // <= tile_atoms
    NetworkResults results;  // of n_atoms
};

}  // namespace lmlp
