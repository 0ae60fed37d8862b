// Atoms of a structure sorted into bins of its periodic cell: what the neighbor search walks over.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "lmlp/neighbor_list.hpp"

namespace lmlp {

using Vector = std::array<double, 3>;
using Index3 = std::array<std::int64_t, 3>;

// Larger images do not fit the ten bits of a packed image.
inline constexpr std::int64_t max_images = 511;

inline double dot(const Vector& a, const Vector& b) {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

struct CellGrid {
    Index3 n_bins = {1, 1, 1};
    Index3 reach = {0, 0, 0};                       // bins to look at in each direction
    double radius = 0.0;                            // cutoff and what rounding may add
    std::vector<std::array<std::int32_t, 3>> bin;   // [n_atoms]
    std::vector<std::array<std::int32_t, 3>> wrap;  // [n_atoms] cells from the wrapped to the given position
    std::vector<std::int64_t> start;                // [n_bins + 1], into order and wrapped
    std::vector<std::int32_t> order;                // atoms sorted by bin, by index within a bin
    std::vector<Vector> wrapped;                    // [n_atoms] positions in the cell, in that order

    std::int64_t flat(std::int64_t a, std::int64_t b, std::int64_t c) const {
        return (a * n_bins[1] + b) * n_bins[2] + c;
    }
    Vector wrapped_position(const AtomsView& atoms, std::int64_t i) const;
};

// Throws Error(geometry): singular or absurdly thin cell. The rows of axes without periodicity must be zero.
CellGrid make_cell_grid(const AtomsView& atoms, double cutoff);

}  // namespace lmlp
