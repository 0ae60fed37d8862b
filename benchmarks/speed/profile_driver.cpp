// Evaluates a potential on one pair list for some seconds, for a profiler to look at:
//     profile_driver MODEL PAIRS SECONDS
// PAIRS: int64 n, int64 p, int64 offsets[n + 1], int32 center species[n], int32 neighbor species[p],
// double vectors[p, 3].
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "lmlp/lmlp.h"

namespace {

template <class T>
std::vector<T> read(std::ifstream& file, std::int64_t n) {
    std::vector<T> values(static_cast<std::size_t>(n));
    file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(n * sizeof(T)));
    if (!file) std::fprintf(stderr, "the file of pairs ends early\n"), std::exit(1);
    return values;
}

void check(lmlp_status status) {
    if (status == LMLP_OK) return;
    std::fprintf(stderr, "%s\n", lmlp_last_error());
    std::exit(1);
}

}  // namespace

int main(int, char** argv) {
    lmlp_potential* potential = nullptr;
    check(lmlp_potential_load(argv[1], &potential));
    std::ifstream file(argv[2], std::ios::binary);
    const auto sizes = read<std::int64_t>(file, 2);
    const auto offsets = read<std::int64_t>(file, sizes[0] + 1);
    const auto species = read<std::int32_t>(file, sizes[0]);
    const auto neighbors = read<std::int32_t>(file, sizes[1]);
    const auto vectors = read<double>(file, 3 * sizes[1]);
    std::vector<double> energies(species.size()), gradients(vectors.size());

    lmlp_environments environments{};
    environments.struct_size = sizeof(environments);
    environments.n_centers = sizes[0];
    environments.offsets = offsets.data();
    environments.center_species = species.data();
    environments.neighbor_species = neighbors.data();
    environments.vectors = vectors.data();
    lmlp_results results{};
    results.struct_size = sizeof(results);
    results.energies = energies.data();
    results.pair_gradients = gradients.data();
    lmlp_options options{};
    options.struct_size = sizeof(options);
    options.n_threads = 1;
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(std::atof(argv[3]));
    long calls = 0;
    do {
        check(lmlp_evaluate(potential, &environments, &options, &results));
        ++calls;
    } while (std::chrono::steady_clock::now() < end);
    std::printf("%ld evaluations of %lld centers\n", calls, static_cast<long long>(sizes[0]));
    lmlp_potential_free(potential);
}
