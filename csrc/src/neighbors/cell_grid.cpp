#include "neighbors/cell_grid.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "lmlp/error.hpp"

namespace lmlp {

namespace {

constexpr double max_total_images = 1e6;

Vector cross(const Vector& a, const Vector& b) {
    return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

double norm(const Vector& a) {
    return std::sqrt(dot(a, a));
}

// The periodic cell vectors, completed by orthonormal directions along the axes without periodicity.
struct Lattice {
    std::array<Vector, 3> basis;
    std::array<Vector, 3> dual;  // fractional coordinate s_k = r . dual_k
    Vector height;               // distance of the faces normal to dual_k
    std::array<bool, 3> periodic;
};

// Part of v orthogonal to the orthonormal vectors in `directions`; twice for the sake of rounding.
Vector orthogonal_part(Vector v, const std::array<Vector, 3>& directions, int n) {
    for (int pass = 0; pass < 2; ++pass)
        for (int d = 0; d < n; ++d) {
            const double p = dot(v, directions[d]);
            for (int x = 0; x < 3; ++x) v[x] -= p * directions[d][x];
        }
    return v;
}

void append_direction(const Vector& v, std::array<Vector, 3>& directions, int& n) {
    const double length = norm(v);
    directions[n++] = {v[0] / length, v[1] / length, v[2] / length};
}

Lattice make_lattice(const AtomsView& atoms) {
    Lattice lattice;
    lattice.periodic = atoms.pbc;
    std::array<Vector, 3> directions;
    int n = 0;
    for (int k = 0; k < 3; ++k) {
        if (!atoms.pbc[k]) continue;
        const Vector row = {atoms.cell[3 * k], atoms.cell[3 * k + 1], atoms.cell[3 * k + 2]};
        if (!std::isfinite(row[0]) || !std::isfinite(row[1]) || !std::isfinite(row[2]))
            throw Error(ErrorCode::geometry, "cell vector " + std::to_string(k) + " is not finite");
        lattice.basis[k] = row;
        const Vector rest = orthogonal_part(row, directions, n);
        if (!(norm(rest) > 1e-10 * norm(row)))
            throw Error(ErrorCode::geometry, "singular cell: vector " + std::to_string(k) +
                                                 " is zero or a combination of other periodic cell vectors");
        append_direction(rest, directions, n);
    }
    for (int k = 0; k < 3; ++k) {
        if (atoms.pbc[k]) continue;
        Vector best = {};
        for (int x = 0; x < 3; ++x) {
            Vector unit = {};
            unit[x] = 1.0;
            const Vector rest = orthogonal_part(unit, directions, n);
            if (norm(rest) > norm(best)) best = rest;
        }
        append_direction(best, directions, n);
        lattice.basis[k] = directions[n - 1];
    }
    const double volume = dot(lattice.basis[0], cross(lattice.basis[1], lattice.basis[2]));
    for (int k = 0; k < 3; ++k) {
        lattice.dual[k] = cross(lattice.basis[(k + 1) % 3], lattice.basis[(k + 2) % 3]);
        for (double& x : lattice.dual[k]) x /= volume;
        lattice.height[k] = 1.0 / norm(lattice.dual[k]);
    }
    return lattice;
}

// Bins about half a cutoff wide, but no more of them than a few per atom.
void choose_bins(CellGrid& grid, const Vector& extent, double radius, std::int64_t n_atoms) {
    const double limit = std::max<double>(64.0, 4.0 * static_cast<double>(n_atoms));
    Vector n;
    for (int k = 0; k < 3; ++k) n[k] = std::clamp(std::floor(2.0 * extent[k] / radius), 1.0, 1e15);
    while (n[0] * n[1] * n[2] > limit) {
        double& largest = *std::max_element(n.begin(), n.end());
        const double others = n[0] * n[1] * n[2] / largest;
        // halving the largest first keeps the bins close to cubes
        largest = std::max(
            1.0, std::min(largest - 1.0, std::max(std::floor(limit / others), std::floor(largest / 2))));
    }
    for (int k = 0; k < 3; ++k) grid.n_bins[k] = static_cast<std::int64_t>(n[k]);
}

void choose_reach(CellGrid& grid, const Lattice& lattice, const Vector& extent, double radius) {
    double total = 1.0;
    for (int k = 0; k < 3; ++k) {
        if (!lattice.periodic[k]) {
            const double width = extent[k] / static_cast<double>(grid.n_bins[k]);
            grid.reach[k] = width > 0.0 ? static_cast<std::int64_t>(std::min(
                                              std::ceil(radius / width), static_cast<double>(grid.n_bins[k])))
                                        : 1;
            continue;
        }
        const double images = std::ceil(radius / lattice.height[k]);
        total *= 2.0 * images + 1.0;
        if (!(images < max_images) || !(total <= max_total_images))
            throw Error(ErrorCode::geometry,
                        "cell too thin for the cutoff: " + std::to_string(lattice.height[k]) +
                            " Angstrom between the faces along cell vector " + std::to_string(k) +
                            " with a cutoff of " + std::to_string(radius) +
                            " Angstrom takes more than 10^6 periodic images");
        const double width = extent[k] / static_cast<double>(grid.n_bins[k]);
        grid.reach[k] = static_cast<std::int64_t>(std::ceil(radius / width));
    }
}

// Fractional coordinates, wrapped along periodic axes; returns them and fills grid.wrap.
std::vector<Vector> fractional_coordinates(const AtomsView& atoms, const Lattice& lattice, CellGrid& grid) {
    std::vector<Vector> s(atoms.n_atoms);
    grid.wrap.assign(atoms.n_atoms, {0, 0, 0});
    for (std::int64_t i = 0; i < atoms.n_atoms; ++i) {
        const double* p = atoms.positions + 3 * i;
        for (int k = 0; k < 3; ++k) {
            double f = dot({p[0], p[1], p[2]}, lattice.dual[k]);
            if (lattice.periodic[k]) {
                const double cells = std::floor(f);
                if (!(std::abs(cells) < 1e9))
                    throw Error(ErrorCode::geometry,
                                "atom " + std::to_string(i) +
                                    " (0-based) is more than 10^9 cells away from the origin");
                grid.wrap[i][k] = static_cast<std::int32_t>(cells);
                f -= cells;
            }
            s[i][k] = f;
        }
    }
    return s;
}

void sort_into_bins(CellGrid& grid, const AtomsView& atoms) {
    const std::int64_t n_atoms = atoms.n_atoms;
    const std::int64_t n_bins = grid.n_bins[0] * grid.n_bins[1] * grid.n_bins[2];
    grid.start.assign(n_bins + 1, 0);
    for (const auto& b : grid.bin) ++grid.start[grid.flat(b[0], b[1], b[2]) + 1];
    for (std::int64_t b = 0; b < n_bins; ++b) grid.start[b + 1] += grid.start[b];
    std::vector<std::int64_t> next(grid.start.begin(), grid.start.end() - 1);
    grid.order.resize(n_atoms);
    grid.wrapped.resize(n_atoms);
    for (std::int64_t i = 0; i < n_atoms; ++i) {
        const auto& b = grid.bin[i];
        const std::int64_t o = next[grid.flat(b[0], b[1], b[2])]++;
        grid.order[o] = static_cast<std::int32_t>(i);
        grid.wrapped[o] = grid.wrapped_position(atoms, i);
    }
}

}  // namespace

Vector CellGrid::wrapped_position(const AtomsView& atoms, std::int64_t i) const {
    Vector w;
    for (int x = 0; x < 3; ++x) {
        w[x] = atoms.positions[3 * i + x];
        for (int k = 0; k < 3; ++k) w[x] -= wrap[i][k] * atoms.cell[3 * k + x];
    }
    return w;
}

CellGrid make_cell_grid(const AtomsView& atoms, double cutoff) {
    const Lattice lattice = make_lattice(atoms);
    CellGrid grid;
    const std::vector<Vector> s = fractional_coordinates(atoms, lattice, grid);
    Vector low = {0, 0, 0};
    Vector extent = lattice.height;  // along an axis without periodicity, height is 1 and s is a length
    double largest = 0.0;
    for (std::int64_t i = 0; i < 3 * atoms.n_atoms; ++i)
        largest = std::max(largest, std::abs(atoms.positions[i]));
    for (int k = 0; k < 3; ++k) {
        if (lattice.periodic[k]) continue;
        double high = -std::numeric_limits<double>::infinity();
        low[k] = std::numeric_limits<double>::infinity();
        for (const Vector& v : s) {
            low[k] = std::min(low[k], v[k]);
            high = std::max(high, v[k]);
        }
        extent[k] = high - low[k];
    }
    // Rounding may put an atom into the bin beside its own; the bins look that much farther.
    grid.radius = cutoff * (1.0 + 1e-8) + 1e-12 * largest;
    choose_bins(grid, extent, grid.radius, atoms.n_atoms);
    choose_reach(grid, lattice, extent, grid.radius);
    grid.bin.resize(atoms.n_atoms);
    for (std::int64_t i = 0; i < atoms.n_atoms; ++i)
        for (int k = 0; k < 3; ++k) {
            const double f =
                lattice.periodic[k] ? s[i][k] : (extent[k] > 0 ? (s[i][k] - low[k]) / extent[k] : 0.0);
            const auto b = static_cast<std::int64_t>(f * static_cast<double>(grid.n_bins[k]));
            grid.bin[i][k] = static_cast<std::int32_t>(std::clamp<std::int64_t>(b, 0, grid.n_bins[k] - 1));
        }
    sort_into_bins(grid, atoms);
    return grid;
}

}  // namespace lmlp
