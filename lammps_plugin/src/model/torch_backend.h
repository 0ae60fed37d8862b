// The TorchScript backend: another library, opened only for `backend torchscript` (lmlp/torch_backend.h).
#ifndef LMLP_LAMMPS_TORCH_BACKEND_H
#define LMLP_LAMMPS_TORCH_BACKEND_H

#include <string>
#include <vector>

#include "lmlp/torch_backend.h"

namespace lmlp_plugin {

class TorchBackend {
  public:
    TorchBackend() = default;
    ~TorchBackend();
    TorchBackend(const TorchBackend&) = delete;
    TorchBackend& operator=(const TorchBackend&) = delete;

    // Looks in $LMLP_TORCH_BACKEND (a file or its folder), beside the plugin, and in the user's cache folder.
    // All functions: "" or what is wrong and what to do about it.
    std::string open();
    std::string load(const std::string& model, const lmlp_torch_options& options);
    std::string evaluate(const lmlp_environments& environments, lmlp_results& results) const;

    bool is_open() const { return functions_.evaluate != nullptr; }
    std::string description() const;  // "torch 2.13.0, device cpu"

  private:
    struct Functions {
        lmlp_torch_backend_abi_version_function abi_version = nullptr;
        lmlp_torch_backend_last_error_function last_error = nullptr;
        lmlp_torch_backend_get_info_function get_info = nullptr;
        lmlp_torch_model_load_function load = nullptr;
        lmlp_torch_model_free_function free = nullptr;
        lmlp_torch_model_device_function device = nullptr;
        lmlp_torch_evaluate_function evaluate = nullptr;
    };

    std::string find_functions(const std::string& path, Functions& functions) const;
    std::string find_version_problem(const std::string& path, const Functions& functions);

    Functions functions_;
    std::string torch_version_;
    lmlp_torch_model* model_ = nullptr;
};

}  // namespace lmlp_plugin

#endif
