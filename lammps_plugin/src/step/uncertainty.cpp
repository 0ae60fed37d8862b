#include "step/uncertainty.h"

#include <algorithm>
#include <cmath>
#include <limits>

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

bool is_test_error(double rmse) {
    return std::isfinite(rmse) && rmse > 0.0;
}

}  // namespace

void Uncertainty::begin(const lmlp_potential_info& model, int n_local, int n_all) {
    model_ = model;
    n_members_ = model.n_members;
    n_local_ = n_local;
    is_center_.assign(n_local, 0);
    forces_.assign(3 * static_cast<std::size_t>(n_all) * n_members_, 0.0);
    member_energies_.assign(n_members_, 0.0);
    member_virials_.assign(n_members_, 0.0);
    sigma_force.assign(n_local, 0.0);
    sigma_energy.assign(n_local, 0.0);
    grade.assign(n_local, 0.0);
    components.assign(3 * static_cast<std::size_t>(n_local), 0.0);
    first_not_finite = -1;
    n_centers_ = sum_squares_ = max_sigma_ = 0.0;
}

void Uncertainty::add_block(const EnvironmentBlocks& block, const double* member_energies,
                            const double* member_gradients, const double* scale) {
    const std::size_t n_centers = block.n_centers();
    const std::size_t n_pairs = block.n_pairs();
    for (std::size_t c = 0; c < n_centers; ++c) {
        const int i = block.centers[c];
        is_center_[i] = 1;
        n_centers_ += 1.0;
        for (int m = 0; m < n_members_; ++m)
            member_energies_[m] += scale[c] * member_energies[m * n_centers + c];
        sigma_energy[i] = scale[c] * standard_deviation(member_energies + c, n_members_, n_centers);
        for (int64_t p = block.offsets[c]; p < block.offsets[c + 1]; ++p)
            for (int m = 0; m < n_members_; ++m) {
                const double* g = member_gradients + 3 * (m * n_pairs + p);
                const double* r = &block.vectors[3 * p];
                member_virials_[m] -= scale[c] * (r[0] * g[0] + r[1] * g[1] + r[2] * g[2]);
                double* fi = force(i, m);
                double* fj = force(block.neighbors[p], m);
                for (int k = 0; k < 3; ++k) {
                    fi[k] += scale[c] * g[k];
                    fj[k] -= scale[c] * g[k];
                }
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
    const double not_known = std::numeric_limits<double>::quiet_NaN();
    const bool has_test_error = is_test_error(model_.force_rmse);
    for (int i = 0; i < n_local_; ++i) {
        if (!is_center_[i]) continue;
        double largest = 0.0;
        for (int k = 0; k < 3; ++k) {
            const double sigma =
                model_.force_uncertainty_factor * standard_deviation(force(i, 0) + k, n_members_, 3);
            components[3 * static_cast<std::size_t>(i) + k] = sigma;
            if (!std::isfinite(sigma) && first_not_finite < 0)
                first_not_finite = i;  // max() would swallow NaN
            largest = std::max(largest, sigma);
            sum_squares_ += sigma * sigma;
        }
        max_sigma_ = std::max(max_sigma_, largest);
        sigma_force[i] = units.force_per_model_unit() * largest;
        sigma_energy[i] *= units.energy_per_ev * model_.energy_uncertainty_factor;
        if (!std::isfinite(sigma_energy[i]) && first_not_finite < 0) first_not_finite = i;
        grade[i] = has_test_error ? std::max(1.0, largest / model_.force_rmse) : not_known;
    }
}

GlobalUncertainty Uncertainty::reduce(const Units& units, MPI_Comm world) const {
    std::vector<double> sums(member_energies_);
    sums.insert(sums.end(), member_virials_.begin(), member_virials_.end());
    sums.push_back(n_centers_);
    sums.push_back(sum_squares_);
    std::vector<double> totals(sums.size(), 0.0);
    double max_sigma = 0.0;
    MPI_Reduce(sums.data(), totals.data(), static_cast<int>(sums.size()), MPI_DOUBLE, MPI_SUM, 0, world);
    MPI_Reduce(&max_sigma_, &max_sigma, 1, MPI_DOUBLE, MPI_MAX, 0, world);

    GlobalUncertainty result;
    const double n = totals[2 * n_members_];
    const double sigma_energy_total =
        model_.energy_uncertainty_factor * standard_deviation(totals.data(), n_members_, 1);
    result.sigma_energy = units.energy_per_ev * sigma_energy_total;
    result.max_sigma_force = units.force_per_model_unit() * max_sigma;
    result.rms_sigma_force =
        n > 0.0 ? units.force_per_model_unit() * std::sqrt(totals[2 * n_members_ + 1] / (3.0 * n)) : 0.0;
    result.n_atoms = n;
    result.energy_grade = result.force_grade = std::numeric_limits<double>::quiet_NaN();
    if (is_test_error(model_.energy_rmse) && is_test_error(model_.force_rmse) && n > 0.0) {
        result.energy_grade = std::max(1.0, sigma_energy_total / (n * model_.energy_rmse));
        result.force_grade = std::max(1.0, max_sigma / model_.force_rmse);
    }
    result.grade = std::max(result.energy_grade, result.force_grade);
    for (int m = 0; m < n_members_; ++m) {
        result.member_energies.push_back(units.energy_per_ev * totals[m]);
        result.member_virials.push_back(units.energy_per_ev * totals[n_members_ + m]);
    }
    return result;
}

double Uncertainty::memory_usage() const {
    return sizeof(double) *
               static_cast<double>(forces_.capacity() + 3 * sigma_force.capacity() + components.capacity()) +
           static_cast<double>(is_center_.capacity());
}

}  // namespace lmlp_plugin
