// No step after the first ones allocates: every operator new of the process is counted.
// LMLP_TEST_MODEL: a model of H and O with three members, a cutoff of 4 Angstrom and feature ranges and
// distances.
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <random>
#include <vector>

#include "check.h"
#include "lmlp/potential.hpp"

namespace {

std::atomic<long> n_allocations{0};

void* counted(std::size_t bytes, std::size_t alignment) {
    ++n_allocations;
    const std::size_t whole = (bytes + alignment - 1) / alignment * alignment;
    void* memory = std::aligned_alloc(alignment, whole > 0 ? whole : alignment);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

}  // namespace

// the nothrow and array forms call these
void* operator new(std::size_t bytes) {
    return counted(bytes, alignof(std::max_align_t));
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
    return counted(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    std::free(memory);
}

namespace {

constexpr int n_atoms = 150, n_neighbors = 25, n_members = 3;
// Arenas grow by doubling and keep their largest block: whole after three steps.
constexpr int warm_up = 4;

struct Structure {
    std::vector<std::int64_t> offsets = {0};
    std::vector<std::int32_t> species, neighbor_species;
    std::vector<double> vectors;

    lmlp::Environments view() const {
        return {n_atoms, offsets.data(), neighbor_species.data(), vectors.data()};
    }
};

Structure random_structure() {
    std::mt19937 random(7);
    std::uniform_real_distribution<double> uniform(1.0, 2.3);
    Structure structure;
    for (int i = 0; i < n_atoms; ++i) {
        structure.species.push_back(i % 3 == 0);
        for (int p = 0; p < n_neighbors; ++p) {
            structure.neighbor_species.push_back(p % 3 == 0);
            for (int k = 0; k < 3; ++k)
                structure.vectors.push_back(random() % 2 ? uniform(random) : -uniform(random));
        }
        structure.offsets.push_back(static_cast<std::int64_t>(structure.neighbor_species.size()));
    }
    return structure;
}

// What a molecular dynamics engine asks for, from the least to the most.
struct Arrays {
    std::vector<double> energies = std::vector<double>(n_atoms);
    std::vector<double> gradients = std::vector<double>(3 * n_atoms * n_neighbors);
    std::vector<double> member_energies = std::vector<double>(n_members * n_atoms);
    std::vector<double> member_gradients = std::vector<double>(n_members * 3 * n_atoms * n_neighbors);
    std::vector<double> distances = std::vector<double>(n_atoms);
    std::vector<std::int32_t> extrapolating = std::vector<std::int32_t>(n_atoms);

    lmlp::PotentialResults request(int level) {
        lmlp::PotentialResults results;
        results.energies = energies.data();
        if (level > 0) results.pair_gradients = gradients.data();
        if (level > 1) results.distances = distances.data();
        if (level > 1) results.extrapolating = extrapolating.data();
        if (level > 1) results.member_energies = member_energies.data();
        if (level > 1) results.member_pair_gradients = member_gradients.data();
        return results;
    }
};

void check_steps(const lmlp::Potential& potential, const lmlp::EvaluationOptions& options, int level) {
    Structure structure = random_structure();
    Arrays arrays;
    const auto step = [&] {
        for (double& x : structure.vectors) x *= 1.0001;  // atoms move, neighbors stay
        const long before = n_allocations;
        potential.evaluate(structure.view(), structure.species.data(), arrays.request(level), options);
        return n_allocations - before;
    };
    for (int i = 0; i < warm_up; ++i) step();
    if (options.n_threads == 1) {
        for (int i = 0; i < 3; ++i) CHECK(step() == 0);
    } else {
        // which thread works on the largest tile is left to chance: once each did, nothing is allocated
        int quiet = 0;
        for (int i = 0; i < 1000 && quiet < 5; ++i) quiet = step() == 0 ? quiet + 1 : 0;
        CHECK(quiet == 5);
    }
    CHECK(std::isfinite(arrays.energies[n_atoms - 1]));
    CHECK(level < 2 || arrays.distances[n_atoms - 1] > 0.0);
    CHECK(level == 0 || arrays.gradients[0] != 0.0);
}

}  // namespace

int main() {
    const char* path = std::getenv("LMLP_TEST_MODEL");
    if (path == nullptr) return 77;
    const lmlp::Potential potential = lmlp::Potential::load(path);
    CHECK(n_allocations > 0);
    for (const int threads : {1, 2})
        for (const lmlp::Precision precision : {lmlp::Precision::full, lmlp::Precision::mixed})
            for (int level = 0; level < 3; ++level) check_steps(potential, {threads, precision}, level);
    return finish();
}
