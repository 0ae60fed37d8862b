#include "model/model.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace lmlp_plugin {
namespace {

// What the core does itself: results that overflow must not become forces.
std::string find_not_finite(const lmlp_environments& environments, const lmlp_results& results,
                            int n_members) {
    const auto n = static_cast<std::size_t>(environments.n_centers);
    const auto n_pairs = static_cast<std::size_t>(environments.offsets[n]);
    const auto bad = [](const double* values, std::size_t size) {
        return values != nullptr &&
               std::any_of(values, values + size, [](double value) { return !std::isfinite(value); });
    };
    if (!bad(results.energies, n) && !bad(results.pair_gradients, 3 * n_pairs) &&
        !bad(results.member_energies, n_members * n) &&
        !bad(results.member_pair_gradients, 3 * n_pairs * n_members) && !bad(results.distances, n))
        return "";
    return "an energy, a gradient or a distance is not a finite number: the weights of the model overflow";
}

}  // namespace

Model::~Model() {
    lmlp_potential_free(potential_);
}

// By exchange: the other one frees what was here.
Model& Model::operator=(Model&& other) noexcept {
    std::swap(potential_, other.potential_);
    std::swap(info_, other.info_);
    std::swap(path_, other.path_);
    std::swap(torch_, other.torch_);
    std::swap(torch_options_, other.torch_options_);
    return *this;
}

std::string Model::load(const std::string& path) {
    lmlp_potential* loaded = nullptr;
    if (lmlp_potential_load(path.c_str(), &loaded) != LMLP_OK) return lmlp_last_error();
    lmlp_potential_info info{};
    info.struct_size = sizeof(info);
    if (lmlp_potential_get_info(loaded, &info) != LMLP_OK) {
        const std::string problem = lmlp_last_error();
        lmlp_potential_free(loaded);
        return problem;
    }
    // The core has checked the file by now; both engines change together.
    if (torch_) {
        const std::string problem = torch_->load(path, torch_options_);
        if (!problem.empty()) {
            lmlp_potential_free(loaded);
            return problem;
        }
    }
    lmlp_potential_free(potential_);
    potential_ = loaded;
    info_ = info;
    path_ = path;
    return "";
}

std::string Model::open_torch_backend(const lmlp_torch_options& torch_options,
                                      std::unique_ptr<TorchBackend>& torch) const {
    torch = std::make_unique<TorchBackend>();
    std::string problem = torch->open();
    if (problem.empty() && is_loaded()) problem = torch->load(path_, torch_options);
    return problem;
}

void Model::use_engine(std::unique_ptr<TorchBackend> torch, const lmlp_torch_options& torch_options) {
    torch_ = std::move(torch);
    torch_options_ = torch_options;
}

// Whoever computes the energies, it is the core that counts features outside the training range, and that
// refuses elements whose networks could overflow: files of earlier versions hold modules that do not.
std::string Model::evaluate(const lmlp_environments& environments, const lmlp_options& options,
                            lmlp_results& results) const {
    lmlp_results of_core = results;
    if (torch_) {
        of_core = {};
        of_core.struct_size = sizeof(of_core);
        of_core.extrapolating = results.extrapolating;
        lmlp_results of_torch = results;
        of_torch.extrapolating = nullptr;
        std::string problem = torch_->evaluate(environments, of_torch);
        if (problem.empty()) problem = find_not_finite(environments, of_torch, info_.n_members);
        if (!problem.empty()) return problem;
    }
    return lmlp_evaluate(potential_, &environments, &options, &of_core) == LMLP_OK ? "" : lmlp_last_error();
}

bool Model::has_test_errors() const {
    return info_.energy_rmse > 0.0 && info_.force_rmse > 0.0 && std::isfinite(info_.energy_rmse) &&
           std::isfinite(info_.force_rmse);
}

int Model::find_species(const std::string& symbol, std::string& problem) const {
    int species = -1;
    if (lmlp_potential_species(potential_, symbol.c_str(), &species) == LMLP_OK) return species;
    problem = lmlp_last_error();
    return -1;
}

}  // namespace lmlp_plugin
