// A loaded model file and what evaluates it: the core, or on request the TorchScript backend.
#ifndef LMLP_LAMMPS_MODEL_H
#define LMLP_LAMMPS_MODEL_H

#include <memory>
#include <string>

#include "lmlp/lmlp.h"
#include "model/torch_backend.h"

namespace lmlp_plugin {

class Model {
  public:
    Model() = default;
    ~Model();
    Model(const Model&) = delete;
    Model& operator=(const Model&) = delete;
    Model& operator=(Model&& other) noexcept;

    // Replaces what is loaded; returns "" or what is wrong with the file.
    std::string load(const std::string& path);
    // Opens TorchScript, into which a model that is loaded already is loaded, too; returns "" or what is
    // wrong.
    std::string open_torch_backend(const lmlp_torch_options& torch_options,
                                   std::unique_ptr<TorchBackend>& torch) const;
    // What evaluates from now on: what open_torch_backend() has opened, or the core for nullptr.
    // torch_options.device lives as long as this object.
    void use_engine(std::unique_ptr<TorchBackend> torch, const lmlp_torch_options& torch_options);

    // As lmlp_evaluate; "" or what is wrong.
    std::string evaluate(const lmlp_environments& environments, const lmlp_options& options,
                         lmlp_results& results) const;
    const TorchBackend* torch_backend() const { return torch_.get(); }  // nullptr: the core evaluates

    bool is_loaded() const { return potential_ != nullptr; }
    const lmlp_potential* get() const { return potential_; }
    const lmlp_potential_info& info() const { return info_; }
    bool has_test_errors() const;

    // Species of a chemical symbol, or -1 and the reason in `problem`.
    int find_species(const std::string& symbol, std::string& problem) const;

  private:
    lmlp_potential* potential_ = nullptr;
    lmlp_potential_info info_{};
    std::string path_;
    std::unique_ptr<TorchBackend> torch_;
    lmlp_torch_options torch_options_{};
};

}  // namespace lmlp_plugin

#endif
