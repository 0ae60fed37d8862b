// Products of a weight matrix with a block of atoms: lanes of vectors are atoms, weights are broadcast, sums
// stay in registers. Both directions read the same packed weights. Every number of an atom is computed by the
// same sequence of operations whatever lane and block it is in.
#pragma once

#include "kernels/network/network_api.hpp"
#include "kernels/reals.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

// Rows whose sums are kept at once: with block_vectors vectors of atoms, as many as there are registers.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int rows_at_once = 8;
#else
constexpr int rows_at_once = 4;
#endif
constexpr int block_vectors = 3;

// A weight in all lanes, loaded once: left to itself the compiler loads it again for every vector of atoms.
template <class Real>
inline typename Of<Real>::V broadcast(Real x) {
    typename Of<Real>::V v = fill_as(x);
#if defined(__x86_64__)
    __asm__("" : "+v"(v));
#elif defined(__aarch64__)
    __asm__("" : "+w"(v));
#endif
    return v;
}

// y [R rows] = bias + W x for R rows of one panel and N vectors of atoms.
template <class Real, int R, int N>
inline void panel_forward(const Real* panel, int n_in, const Real* x, const Real* bias, Real* y) {
    using V = typename Of<Real>::V;
    constexpr int L = Of<Real>::lanes;
    V sums[R][N];
    for (int r = 0; r < R; ++r)
        for (int v = 0; v < N; ++v) sums[r][v] = fill_as(bias[r]);
    for (int k = 0; k < n_in; ++k, panel += panel_rows, x += N * L) {
        V column[N];
        for (int v = 0; v < N; ++v) column[v] = load(x + v * L);
        for (int r = 0; r < R; ++r) {
            const V weight = broadcast<Real>(panel[r]);
            for (int v = 0; v < N; ++v) sums[r][v] += weight * column[v];
        }
    }
    for (int r = 0; r < R; ++r)
        for (int v = 0; v < N; ++v) store(y + (r * N + v) * L, sums[r][v]);
}

// One row of the packed matrix, seen from R of its columns.
template <class Real, int R, int N>
inline void add_row(const Real* tile, const Real* error, typename Of<Real>::V (&sums)[R][N]) {
    using V = typename Of<Real>::V;
    V row[N];
    for (int v = 0; v < N; ++v) row[v] = load(error + v * Of<Real>::lanes);
    for (int j = 0; j < R; ++j) {
        const V weight = broadcast<Real>(tile[j * panel_rows]);
        for (int v = 0; v < N; ++v) sums[j][v] += weight * row[v];
    }
}

// y [R columns] = W^T error for R columns; `tile`: the first of them in the first panel.
template <class Real, int R, int N>
inline void panel_backward(const Real* tile, std::ptrdiff_t panel_size, int n_out, const Real* error,
                           const Real* factor, Real* y) {
    using V = typename Of<Real>::V;
    constexpr int L = Of<Real>::lanes;
    V sums[R][N] = {};
    int row = 0;
    for (; row + panel_rows <= n_out; row += panel_rows, tile += panel_size)
        for (int r = 0; r < panel_rows; ++r, error += N * L) add_row<Real, R, N>(tile + r, error, sums);
    for (int r = 0; row < n_out; ++r, ++row, error += N * L) add_row<Real, R, N>(tile + r, error, sums);
    for (int j = 0; j < R; ++j)
        for (int v = 0; v < N; ++v) {
            const int at = (j * N + v) * L;
            store(y + at, factor != nullptr ? sums[j][v] * load(factor + at) : sums[j][v]);
        }
}

// Calls work.run<R>(first) for groups of R rows that cover n; the last may be smaller.
template <class Work>
inline void for_row_groups(int n, Work work) {
    int row = 0;
    for (; row + rows_at_once <= n; row += rows_at_once) work.template operator()<rows_at_once>(row);
    if constexpr (rows_at_once == 8)
        if (n - row > 4) {
            if (n - row > 6)
                work.template operator()<8>(row);
            else
                work.template operator()<6>(row);
            return;
        }
    if (n - row > 2)
        work.template operator()<4>(row);
    else if (n > row)
        work.template operator()<2>(row);
}

// y [n_out] = bias + W x; rows are written up to a multiple of panel_rows.
template <class Real, int N>
inline void forward_product(const DenseLayer<Real>& layer, const Real* x, Real* y) {
    for_row_groups(layer.n_out, [&]<int R>(int row) {
        const Real* panel = layer.weight + row / panel_rows * layer.panel_size + row % panel_rows;
        panel_forward<Real, R, N>(panel, layer.n_in, x, layer.bias + row, y + row * N * Of<Real>::lanes);
    });
}

// y [n_in] = factor * (W^T error), without a factor where it is null; rows are written as above.
template <class Real, int N>
inline void backward_product(const DenseLayer<Real>& layer, const Real* error, const Real* factor, Real* y) {
    for_row_groups(layer.n_in, [&]<int R>(int column) {
        const int at = column * N * Of<Real>::lanes;
        panel_backward<Real, R, N>(layer.weight + column * panel_rows, layer.panel_size, layer.n_out, error,
                                   factor != nullptr ? factor + at : nullptr, y + at);
    });
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
