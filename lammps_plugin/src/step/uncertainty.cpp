#include "step/uncertainty.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace lmlp_plugin {
namespace {

// Standard deviation with ddof 1 of n values that lie `stride` apart; two passes, since energies are large.
double standard_deviation(const double* values, int n, std::size_t stride) {
    double mean = 0.0;
    for (int m = 0; m < n; ++m) mean += values[m * stride];
    mean /= n;
    double sum = 0.0;
    for (int m = 0; m < n; ++m) sum += (values[m * stride] - mean) * (values[m * stride] - mean);
    return std::sqrt(sum / (n - 1));
}

}  // namespace

void Uncertainty::begin(const Model& model, int n_local, int n_all, bool with_forces) {
    rule_ = SigmaRule(model.get(), model.info());
    energy_rmse_ = model.info().energy_rmse;
    n_members_ = model.info().n_members;
    n_local_ = n_local;
    with_forces_ = with_forces;
    const std::size_t n_forces = with_forces ? n_local : 0;
    species_.assign(n_local, -1);
    weights_.assign(n_local, 0.0);
    forces_.assign(with_forces ? 3 * static_cast<std::size_t>(n_all) * n_members_ : 0, 0.0);
    member_energies_.assign(n_members_, 0.0);
    member_virials_.assign(n_members_, 0.0);
    sigma_energy.assign(n_local, 0.0);
    sigma_force.assign(n_forces, 0.0);
    grade.assign(n_forces, 0.0);
    components.assign(3 * n_forces, 0.0);
    first_not_finite = -1;
    n_centers_ = sum_weights_ = sum_squares_ = max_sigma_ = 0.0;
}

void Uncertainty::add_block(const EnvironmentBlocks& block, const double* member_energies,
                            const double* member_gradients, const double* scale) {
    const std::size_t n_centers = block.n_centers();
    const int32_t* species = block.environments().center_species;
    for (std::size_t c = 0; c < n_centers; ++c) {
        const int i = block.centers[c];
        species_[i] = species[c];
        weights_[i] = std::abs(scale[c]);
        n_centers_ += 1.0;
        sum_weights_ += weights_[i];
        for (int m = 0; m < n_members_; ++m)
            member_energies_[m] += scale[c] * member_energies[m * n_centers + c];
        sigma_energy[i] = scale[c] * standard_deviation(member_energies + c, n_members_, n_centers);
        if (with_forces_) add_forces(block, c, member_gradients, scale[c]);
    }
}

void Uncertainty::add_forces(const EnvironmentBlocks& block, std::size_t center,
                             const double* member_gradients, double scale) {
    const std::size_t n_pairs = block.n_pairs();
    const int i = block.centers[center];
    for (int64_t p = block.offsets[center]; p < block.offsets[center + 1]; ++p)
        for (int m = 0; m < n_members_; ++m) {
            const double* g = member_gradients + 3 * (m * n_pairs + p);
            const double* r = &block.vectors[3 * p];
            member_virials_[m] -= scale * (r[0] * g[0] + r[1] * g[1] + r[2] * g[2]);
            double* fi = force(i, m);
            double* fj = force(block.neighbors[p], m);
            for (int k = 0; k < 3; ++k) {
                fi[k] += scale * g[k];
                fj[k] -= scale * g[k];
            }
        }
}

void Uncertainty::gather(const std::function<void(int n_values)>& exchange) {
    for (first_member_ = 0; first_member_ < n_members_; first_member_ += member_count_) {
        member_count_ = std::min(kMembersPerMessage, n_members_ - first_member_);
        exchange(3 * member_count_);
    }
}

int Uncertainty::pack(int first_atom, int n, double* buffer) const {
    double* end = buffer;
    for (int atom = first_atom; atom < first_atom + n; ++atom) {
        const double* values = force(atom, first_member_);
        end = std::copy(values, values + 3 * member_count_, end);
    }
    return static_cast<int>(end - buffer);
}

void Uncertainty::unpack(const int* atoms, int n, const double* buffer) {
    for (int a = 0; a < n; ++a) {
        double* values = force(atoms[a], first_member_);
        for (int k = 0; k < 3 * member_count_; ++k) values[k] += *buffer++;
    }
}

void Uncertainty::finish_atoms(const Units& units) {
    for (int i = 0; i < n_local_; ++i) {
        if (species_[i] < 0) continue;
        if (with_forces_) finish_force(i, units);
        sigma_energy[i] = units.energy_per_ev * rule_.energy(sigma_energy[i], weights_[i]);
        if (!std::isfinite(sigma_energy[i]) && first_not_finite < 0) first_not_finite = i;
    }
}

void Uncertainty::finish_force(int i, const Units& units) {
    double spread[3];
    for (int k = 0; k < 3; ++k) spread[k] = standard_deviation(force(i, 0) + k, n_members_, 3);
    double* sigma = &components[3 * static_cast<std::size_t>(i)];
    const double of_force = rule_.force(species_[i], weights_[i], spread, sigma);
    for (int k = 0; k < 3; ++k) {
        if (!std::isfinite(sigma[k]) && first_not_finite < 0)
            first_not_finite = i;  // max() would swallow NaN
        if (!rule_.has_maps()) sum_squares_ += sigma[k] * sigma[k];
    }
    if (rule_.has_maps()) sum_squares_ += of_force * of_force;
    max_sigma_ = std::max(max_sigma_, of_force);
    sigma_force[i] = units.force_per_model_unit() * of_force;
    grade[i] = rule_.force_grade(of_force);
}

GlobalUncertainty Uncertainty::reduce(const Units& units, int dimension, bool of_forces,
                                      MPI_Comm world) const {
    std::vector<double> sums(member_energies_);
    sums.insert(sums.end(), member_virials_.begin(), member_virials_.end());
    sums.insert(sums.end(), {n_centers_, sum_weights_, sum_squares_});
    std::vector<double> totals(sums.size(), 0.0);
    double max_sigma = 0.0;
    MPI_Reduce(sums.data(), totals.data(), static_cast<int>(sums.size()), MPI_DOUBLE, MPI_SUM, 0, world);
    MPI_Reduce(&max_sigma_, &max_sigma, 1, MPI_DOUBLE, MPI_MAX, 0, world);

    GlobalUncertainty result;
    const double* energies = totals.data();
    const double* virials = energies + n_members_;
    const double n_atoms = totals[2 * n_members_];
    const double weight = totals[2 * n_members_ + 1];
    const double n_values = (rule_.has_maps() ? 1.0 : 3.0) * n_atoms;
    const double mean_square = n_atoms > 0.0 ? totals[2 * n_members_ + 2] / n_values : 0.0;
    const double sigma_energy_total = rule_.energy(standard_deviation(energies, n_members_, 1), weight);
    result.sigma_energy = units.energy_per_ev * sigma_energy_total;
    if (of_forces) {
        result.max_sigma_force = units.force_per_model_unit() * max_sigma;
        result.rms_sigma_force = units.force_per_model_unit() * std::sqrt(mean_square);
        result.sigma_trace =
            units.energy_per_ev * rule_.trace(standard_deviation(virials, n_members_, 1), weight, dimension);
    }
    const double energy_grade = rule_.energy_grade(sigma_energy_total, n_atoms);
    const double force_grade = rule_.force_grade(max_sigma);
    if (!std::isnan(energy_grade) && !std::isnan(force_grade)) {
        result.energy_grade = energy_grade;
        if (of_forces) {
            result.force_grade = force_grade;
            result.grade = std::max(energy_grade, force_grade);
        }
    }
    // without spread maps the test error is the floor, as is that of the grade
    result.energy_uncertainty =
        rule_.has_maps() ? sigma_energy_total : result.energy_grade * n_atoms * energy_rmse_;
    for (int m = 0; m < n_members_; ++m) {
        result.member_energies.push_back(units.energy_per_ev * energies[m]);
        result.member_virials.push_back(of_forces ? units.energy_per_ev * virials[m]
                                                  : GlobalUncertainty::kNotKnown);
    }
    return result;
}

double Uncertainty::memory_usage() const {
    return sizeof(double) * static_cast<double>(forces_.capacity() + 3 * sigma_force.capacity() +
                                                components.capacity() + weights_.capacity()) +
           sizeof(int) * static_cast<double>(species_.capacity());
}

}  // namespace lmlp_plugin
