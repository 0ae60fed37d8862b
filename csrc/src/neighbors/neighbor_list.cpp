// Cell list: atoms are wrapped into the cell and sorted into bins; each center looks at the bins within
// reach, through as many periodic images as it takes.
#include "lmlp/neighbor_list.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "lmlp/error.hpp"
#include "neighbors/cell_grid.hpp"
#include "threads/parallel.hpp"

namespace lmlp {

namespace {

constexpr std::int64_t chunk_size = 256;  // centers per work item
constexpr double max_coordinate = 1e12;   // Angstrom; beyond it a double no longer resolves distances

// r_ij = r_j - r_i + S.cell; r_ji has the same bits with the other sign, so a pair is listed from both sides
// or from none (this file is compiled without contraction to fused multiply-adds).
Vector pair_vector(const AtomsView& atoms, std::int64_t i, std::int64_t j,
                   const std::array<double, 3>& shift) {
    const double* a = atoms.positions + 3 * i;
    const double* b = atoms.positions + 3 * j;
    const auto& h = atoms.cell;
    Vector r;
    for (int x = 0; x < 3; ++x)
        r[x] = (b[x] - a[x]) + ((shift[0] * h[x] + shift[1] * h[3 + x]) + shift[2] * h[6 + x]);
    return r;
}

void check_positions(const AtomsView& atoms) {
    for (std::int64_t i = 0; i < 3 * atoms.n_atoms; ++i)
        if (!(std::abs(atoms.positions[i]) <= max_coordinate))
            throw Error(ErrorCode::geometry,
                        "atom " + std::to_string(i / 3) + " (0-based) has " + "xyz"[i % 3] + " = " +
                            std::to_string(atoms.positions[i]) +
                            " Angstrom, allowed are finite coordinates up to 10^12 Angstrom");
}

// Neighbor and image in one integer that sorts as (neighbor, shift): the shift is the image less a constant
// of the pair.
std::uint64_t pack(std::int64_t j, const Index3& image) {
    return static_cast<std::uint64_t>(j) << 32 | static_cast<std::uint64_t>(image[0] + 512) << 20 |
           static_cast<std::uint64_t>(image[1] + 512) << 10 | static_cast<std::uint64_t>(image[2] + 512);
}

struct Unpacked {
    std::int64_t j;
    std::array<double, 3> shift;
};

Unpacked unpack(std::uint64_t key, std::int64_t i, const CellGrid& grid) {
    Unpacked pair;
    pair.j = static_cast<std::int64_t>(key >> 32);
    for (int k = 0; k < 3; ++k) {
        const auto image = static_cast<std::int64_t>(key >> (20 - 10 * k) & 1023) - 512;
        pair.shift[k] = static_cast<double>(image + grid.wrap[i][k] - grid.wrap[pair.j][k]);
    }
    return pair;
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
    return a >= 0 ? a / b : -((b - 1 - a) / b);
}

class Search {
  public:
    Search(const AtomsView& atoms, const CellGrid& grid, double cutoff)
        : atoms_(atoms),
          grid_(grid),
          cutoff_squared_(cutoff * cutoff),
          radius_squared_(grid.radius * grid.radius) {}

    // Appends the packed pairs of center i, sorted.
    void neighbors(std::int64_t i, std::vector<std::uint64_t>& keys) const {
        const auto begin = static_cast<std::ptrdiff_t>(keys.size());
        const auto& b = grid_.bin[i];
        Index3 low, high;
        for (int k = 0; k < 3; ++k) {
            low[k] = b[k] - grid_.reach[k];
            high[k] = b[k] + grid_.reach[k];
            if (atoms_.pbc[k]) continue;
            low[k] = std::max<std::int64_t>(low[k], 0);
            high[k] = std::min(high[k], grid_.n_bins[k] - 1);
        }
        Index3 image;
        for (std::int64_t x = low[0]; x <= high[0]; ++x) {
            image[0] = floor_divide(x, grid_.n_bins[0]);
            for (std::int64_t y = low[1]; y <= high[1]; ++y) {
                image[1] = floor_divide(y, grid_.n_bins[1]);
                const std::int64_t row =
                    grid_.flat(x - image[0] * grid_.n_bins[0], y - image[1] * grid_.n_bins[1], 0);
                for (std::int64_t z = low[2]; z <= high[2];) {
                    image[2] = floor_divide(z, grid_.n_bins[2]);
                    const std::int64_t first = z - image[2] * grid_.n_bins[2];
                    const std::int64_t last = std::min(grid_.n_bins[2], first + (high[2] - z) + 1);
                    look_at(i, grid_.start[row + first], grid_.start[row + last], image, keys);
                    z += last - first;
                }
            }
        }
        std::sort(keys.begin() + begin, keys.end());
    }

  private:
    // A quick test on wrapped positions, then the exact one.
    void look_at(std::int64_t i, std::int64_t begin, std::int64_t end, const Index3& image,
                 std::vector<std::uint64_t>& keys) const {
        const Vector center = grid_.wrapped_position(atoms_, i);
        Vector origin;
        for (int x = 0; x < 3; ++x) {
            origin[x] = center[x];
            for (int k = 0; k < 3; ++k) origin[x] -= static_cast<double>(image[k]) * atoms_.cell[3 * k + x];
        }
        const bool home = image == Index3{0, 0, 0};
        for (std::int64_t o = begin; o < end; ++o) {
            const Vector& w = grid_.wrapped[o];
            const double dx = w[0] - origin[0], dy = w[1] - origin[1], dz = w[2] - origin[2];
            if (dx * dx + dy * dy + dz * dz > radius_squared_) continue;
            const std::int64_t j = grid_.order[o];
            if (home && j == i) continue;
            Vector shift;
            for (int k = 0; k < 3; ++k)
                shift[k] = static_cast<double>(image[k] + grid_.wrap[i][k] - grid_.wrap[j][k]);
            const Vector r = pair_vector(atoms_, i, j, shift);
            if (dot(r, r) < cutoff_squared_) keys.push_back(pack(j, image));
        }
    }

    const AtomsView& atoms_;
    const CellGrid& grid_;
    double cutoff_squared_;
    double radius_squared_;
};

// body(begin, end) over chunks of centers. Chunks, not threads, decide what is done together.
template <class Body>
void for_chunks(std::int64_t n_atoms, int n_threads, const Body& body) {
    const std::int64_t n_chunks = (n_atoms + chunk_size - 1) / chunk_size;
    parallel_for(
        n_chunks, n_threads, [] { return 0; },
        [&](int, std::int64_t chunk) {
            body(chunk * chunk_size, std::min(n_atoms, (chunk + 1) * chunk_size));
            return true;
        });
}

AtomsView without_unused_rows(AtomsView atoms) {
    for (int k = 0; k < 3; ++k)
        if (!atoms.pbc[k])
            for (int x = 0; x < 3; ++x) atoms.cell[3 * k + x] = 0.0;
    return atoms;
}

void check_atoms(const AtomsView& atoms) {
    if (atoms.n_atoms < 0 || atoms.n_atoms > std::numeric_limits<std::int32_t>::max())
        throw Error(ErrorCode::invalid_argument,
                    "number of atoms is " + std::to_string(atoms.n_atoms) + ", allowed are 0 to 2^31 - 1");
    check_positions(atoms);
}

void write_pairs(const AtomsView& atoms, const CellGrid& grid, std::int64_t begin, std::int64_t end,
                 const std::vector<std::uint64_t>& keys, NeighborList& list) {
    std::size_t at = 0;
    for (std::int64_t o = begin; o < end; ++o) {
        const std::int64_t i = grid.order[o];
        for (std::int64_t p = list.offsets[i]; p < list.offsets[i + 1]; ++p) {
            const Unpacked pair = unpack(keys[at++], i, grid);
            const Vector r = pair_vector(atoms, i, pair.j, pair.shift);
            list.neighbors[p] = pair.j;
            for (int x = 0; x < 3; ++x) {
                list.shifts[3 * p + x] = static_cast<std::int32_t>(pair.shift[x]);
                list.vectors[3 * p + x] = r[x];
            }
        }
    }
}

}  // namespace

NeighborList find_neighbors(const AtomsView& given, double cutoff, int n_threads) {
    if (!(cutoff > 0.0) || !std::isfinite(cutoff))
        throw Error(ErrorCode::invalid_argument,
                    "cutoff is " + std::to_string(cutoff) + " Angstrom, allowed is a positive finite number");
    check_atoms(given);
    const AtomsView atoms = without_unused_rows(given);
    NeighborList list;
    list.offsets.assign(atoms.n_atoms + 1, 0);
    if (atoms.n_atoms == 0) return list;

    const CellGrid grid = make_cell_grid(atoms, cutoff);
    const Search search(atoms, grid, cutoff);
    std::vector<std::vector<std::uint64_t>> keys(atoms.n_atoms / chunk_size + 1);
    for_chunks(atoms.n_atoms, n_threads, [&](std::int64_t begin, std::int64_t end) {
        std::vector<std::uint64_t>& found = keys[begin / chunk_size];
        for (std::int64_t o = begin; o < end; ++o) {
            const std::int64_t i = grid.order[o];
            const std::size_t before = found.size();
            search.neighbors(i, found);
            list.offsets[i + 1] = static_cast<std::int64_t>(found.size() - before);
        }
    });
    for (std::int64_t i = 0; i < atoms.n_atoms; ++i) list.offsets[i + 1] += list.offsets[i];
    const auto n_pairs = static_cast<std::size_t>(list.offsets[atoms.n_atoms]);
    list.neighbors.resize(n_pairs);
    list.shifts.resize(3 * n_pairs);
    list.vectors.resize(3 * n_pairs);
    for_chunks(atoms.n_atoms, n_threads, [&](std::int64_t begin, std::int64_t end) {
        write_pairs(atoms, grid, begin, end, keys[begin / chunk_size], list);
        std::vector<std::uint64_t>().swap(keys[begin / chunk_size]);
    });
    return list;
}

void update_vectors(const AtomsView& given, const NeighborList& list, double* vectors, int n_threads) {
    check_atoms(given);
    const AtomsView atoms = without_unused_rows(given);
    if (static_cast<std::int64_t>(list.offsets.size()) != atoms.n_atoms + 1)
        throw Error(ErrorCode::invalid_argument,
                    "the neighbor list belongs to " + std::to_string(list.offsets.size()) +
                        " - 1 atoms, given are " + std::to_string(atoms.n_atoms));
    for_chunks(atoms.n_atoms, n_threads, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i)
            for (std::int64_t p = list.offsets[i]; p < list.offsets[i + 1]; ++p) {
                Vector shift;
                for (int x = 0; x < 3; ++x) shift[x] = list.shifts[3 * p + x];
                const Vector r = pair_vector(atoms, i, list.neighbors[p], shift);
                std::copy(r.begin(), r.end(), vectors + 3 * p);
            }
    });
}

VerletList::VerletList(double cutoff, double skin) : cutoff_(cutoff), skin_(skin) {
    if (!(cutoff > 0.0) || !std::isfinite(cutoff))
        throw Error(ErrorCode::invalid_argument,
                    "cutoff is " + std::to_string(cutoff) + " Angstrom, allowed is a positive finite number");
    if (!(skin >= 0.0) || !std::isfinite(skin))
        throw Error(ErrorCode::invalid_argument, "skin is " + std::to_string(skin) +
                                                     " Angstrom, allowed is 0 or a positive finite number");
}

bool VerletList::still_valid(const AtomsView& atoms) const {
    if (!built_ || static_cast<std::int64_t>(built_positions_.size()) != 3 * atoms.n_atoms) return false;
    if (atoms.cell != built_cell_ || atoms.pbc != built_pbc_) return false;
    // Two atoms that each moved by skin / 2 may have come closer by the whole skin; a little less for
    // rounding.
    const double limit = 0.25 * skin_ * skin_ * (1.0 - 1e-9);
    for (std::int64_t i = 0; i < atoms.n_atoms; ++i) {
        double moved = 0.0;
        for (int x = 0; x < 3; ++x) {
            const double d = atoms.positions[3 * i + x] - built_positions_[3 * i + x];
            moved += d * d;
        }
        if (!(moved <= limit)) return false;
    }
    return true;
}

bool VerletList::update(const AtomsView& given, int n_threads) {
    check_atoms(given);
    const AtomsView atoms = without_unused_rows(given);
    if (still_valid(atoms)) {
        update_vectors(atoms, list_, list_.vectors.data(), n_threads);
        return false;
    }
    built_ = false;
    list_ = NeighborList{};  // frees the old list before the new one needs its memory
    list_ = find_neighbors(atoms, cutoff_ + skin_, n_threads);
    built_positions_.assign(atoms.positions, atoms.positions + 3 * atoms.n_atoms);
    built_cell_ = atoms.cell;
    built_pbc_ = atoms.pbc;
    built_ = true;
    n_builds_ += 1;
    return true;
}

}  // namespace lmlp
