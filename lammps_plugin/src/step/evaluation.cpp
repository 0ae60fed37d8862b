#include "step/evaluation.h"

namespace lmlp_plugin {

std::string Evaluation::evaluate(const EnvironmentBlocks& block, const Request& request, const Model& model,
                                 const lmlp_options& options, const int* type, const double* const* scale) {
    const std::size_t n_members = model.info().n_members;
    lmlp_results results{};
    results.struct_size = sizeof(results);
    const auto want = [](auto& array, std::size_t size) {
        array.resize(size);
        return array.data();
    };
    if (request.energies) results.energies = want(energies_, block.n_centers());
    if (request.forces) results.pair_gradients = want(gradients_, 3 * block.n_pairs());
    if (request.member_energies)
        results.member_energies = want(member_energies_, n_members * block.n_centers());
    if (request.member_forces)
        results.member_pair_gradients = want(member_gradients_, n_members * 3 * block.n_pairs());
    if (request.extrapolation) results.extrapolating = want(extrapolating_, block.n_centers());
    if (request.distances) results.distances = want(distances_, block.n_centers());

    scale_.clear();
    for (const int i : block.centers) scale_.push_back(scale[type[i]][type[i]]);
    return model.evaluate(block.environments(), options, results);
}

void Evaluation::add_energies(const EnvironmentBlocks& block, const Units& units,
                              const EnergyTargets& targets) const {
    for (int64_t c = 0; c < block.n_centers(); ++c) {
        const double energy = units.energy_per_ev * scale_[c] * energies_[c];
        if (targets.global != nullptr) *targets.global += energy;
        if (targets.per_atom != nullptr) targets.per_atom[block.centers[c]] += energy;
    }
}

// One thread, in the order of the list: the sums have the same bits for every number of threads.
void Evaluation::add_forces(const EnvironmentBlocks& block, const Units& units, double** f,
                            const VirialTargets& targets) const {
    const bool with_virial = targets.any();
    for (int64_t c = 0; c < block.n_centers(); ++c) {
        const int i = block.centers[c];
        const double force_factor = units.force_per_model_unit() * scale_[c];
        const double virial_factor = units.energy_per_ev * scale_[c];
        for (int64_t p = block.offsets[c]; p < block.offsets[c + 1]; ++p) {
            const int j = block.neighbors[p];
            const double* g = &gradients_[3 * p];
            for (int k = 0; k < 3; ++k) {
                f[i][k] += force_factor * g[k];
                f[j][k] -= force_factor * g[k];
            }
            if (!with_virial) continue;
            const double scaled[3] = {virial_factor * g[0], virial_factor * g[1], virial_factor * g[2]};
            add_virial(targets, i, j, &block.vectors[3 * p], scaled);
        }
    }
}

double Evaluation::memory_usage() const {
    const std::size_t doubles = energies_.capacity() + gradients_.capacity() + member_energies_.capacity() +
                                member_gradients_.capacity() + distances_.capacity() + scale_.capacity();
    return sizeof(double) * static_cast<double>(doubles);
}

}  // namespace lmlp_plugin
