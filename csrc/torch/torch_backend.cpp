// lmlp_torch_backend.so: the TorchScript half of a model file behind the C interface of torch_backend.h.
//
// Shipped as source and compiled by `lmlp build-torch-backend` against the user's torch, with
//   LMLP_TORCH_VERSION  torch.__version__ of that torch
//   LMLP_TORCH_CUDA     torch.version.cuda, "" for a build without CUDA
#include "lmlp/torch_backend.h"

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <dlfcn.h>
#include <torch/csrc/api/include/torch/cuda.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#define LMLP_TORCH_API extern "C" __attribute__((visibility("default")))

struct lmlp_torch_model {
    torch::jit::Module module;
    c10::Device device = c10::kCPU;
    std::string device_name;
    int64_t n_elements = 0;
    int64_t n_members = 0;
    int n_threads = 0;
};

namespace {

thread_local std::string last_error;

lmlp_status fail(lmlp_status status, const std::string& message) {
    last_error = message;
    return status;
}

// An error inside TorchScript comes with the whole trace of the interpreter; what it says stands last.
std::string short_message(const std::string& text) {
    std::size_t end = text.find_last_not_of(" \n");
    if (end == std::string::npos) return "unknown error";
    if (text.find("TorchScript interpreter") == std::string::npos) {
        end = std::min(end, text.find('\n') - 1);
        return text.substr(0, end + 1);
    }
    const std::size_t start = text.find_last_of('\n', end);
    return text.substr(start == std::string::npos ? 0 : start + 1,
                       end - (start == std::string::npos ? -1 : start));
}

template <typename Function>
lmlp_status guarded(Function function) {
    try {
        last_error.clear();
        function();
        return LMLP_OK;
    } catch (const c10::OutOfMemoryError& error) {
        return fail(LMLP_ERROR_INTERNAL,
                    "out of memory on the device: " + short_message(error.what_without_backtrace()));
    } catch (const c10::Error& error) {
        return fail(LMLP_ERROR_INTERNAL, short_message(error.what_without_backtrace()));
    } catch (const std::invalid_argument& error) {
        return fail(LMLP_ERROR_INVALID_ARGUMENT, error.what());
    } catch (const std::exception& error) {
        return fail(LMLP_ERROR_INTERNAL, short_message(error.what()));
    } catch (...) {
        return fail(LMLP_ERROR_INTERNAL, "unknown error");
    }
}

// The folder of the torch that this process really uses: another library may have brought its own.
std::string find_loaded_folder() {
    Dl_info info{};
    if (dladdr(reinterpret_cast<void*>(&at::get_num_threads), &info) == 0 || info.dli_fname == nullptr)
        return "";
    std::string folder = info.dli_fname;  // <torch>/lib/libtorch_cpu.so
    for (int level = 0; level < 2; ++level) {
        const std::size_t slash = folder.find_last_of('/');
        if (slash == std::string::npos) return "";
        folder.resize(slash);
    }
    return folder;
}

// `__version__ = '2.13.0+cpu'` of <torch>/version.py; libtorch's archives have a file build-version.
std::string find_version(const std::string& folder) {
    std::string line;
    std::ifstream python_file(folder + "/version.py");
    while (std::getline(python_file, line))
        if (line.rfind("__version__", 0) == 0) {
            const std::size_t first = line.find('\'');
            const std::size_t last = line.rfind('\'');
            if (first != std::string::npos && last > first) return line.substr(first + 1, last - first - 1);
        }
    std::ifstream build_version(folder + "/build-version");
    std::getline(build_version, line);
    return line;
}

c10::Device find_device(const lmlp_torch_options& options) {
    const std::string name = options.device == nullptr ? "" : options.device;
    if (name == "cpu") return c10::kCPU;
    if (name != "cuda") throw std::invalid_argument("device '" + name + "' is unknown; allowed: cpu, cuda");
    if (std::strlen(LMLP_TORCH_CUDA) == 0)
        throw std::invalid_argument("device cuda: torch " LMLP_TORCH_VERSION
                                    " was built without CUDA; install a torch with CUDA and run `lmlp "
                                    "build-torch-backend`, or use device cpu");
    const int n_devices = torch::cuda::device_count();
    if (n_devices < 1)
        throw std::invalid_argument(
            "device cuda: torch " LMLP_TORCH_VERSION
            " sees no CUDA device (is there a driver? what is CUDA_VISIBLE_DEVICES?); use "
            "device cpu here");
    if (options.device_index < 0) throw std::invalid_argument("device_index must be 0 or more");
    return {c10::kCUDA, static_cast<c10::DeviceIndex>(options.device_index % n_devices)};
}

// The number of threads belongs to the process, which may be someone's Python: it is put back.
class ThreadCount {
  public:
    explicit ThreadCount(int n) : before_(at::get_num_threads()) {
        if (n > 0 && n != before_) at::set_num_threads(n);
    }
    ~ThreadCount() {
        if (at::get_num_threads() != before_) at::set_num_threads(before_);
    }
    ThreadCount(const ThreadCount&) = delete;
    ThreadCount& operator=(const ThreadCount&) = delete;

  private:
    int before_;
};

void check_environments(const lmlp_torch_model& model, const lmlp_environments& e) {
    if (e.struct_size < sizeof(lmlp_environments))
        throw std::invalid_argument("environments: struct_size is too small");
    if (e.n_centers < 0 || e.offsets == nullptr || e.offsets[0] != 0)
        throw std::invalid_argument("environments: offsets must begin with 0");
    for (int64_t c = 0; c < e.n_centers; ++c)
        if (e.offsets[c + 1] < e.offsets[c])
            throw std::invalid_argument("environments: offsets must not decrease");
    const auto check = [&](const int32_t* species, int64_t n) {
        for (int64_t k = 0; k < n; ++k)
            if (species[k] < 0 || species[k] >= model.n_elements)
                throw std::invalid_argument("environments: species " + std::to_string(species[k]) +
                                            " given, the model has 0 to " +
                                            std::to_string(model.n_elements - 1));
    };
    check(e.center_species, e.n_centers);
    check(e.neighbor_species, e.offsets[e.n_centers]);
}

// What TorchScript's `evaluate` takes. It looks the species of neighbors up by index: behind the centers
// stands one atom without neighbors per element that neighbors have, which they point to.
struct Inputs {
    at::Tensor species, center, neighbor, vectors;
};

Inputs make_inputs(const lmlp_torch_model& model, const lmlp_environments& e) {
    const int64_t n_pairs = e.offsets[e.n_centers];
    const auto integers = at::TensorOptions().dtype(at::kLong);
    std::vector<int64_t> stand_in(model.n_elements, -1);
    std::vector<int64_t> kinds;
    for (int64_t p = 0; p < n_pairs; ++p) {
        int64_t& index = stand_in[e.neighbor_species[p]];
        if (index >= 0) continue;
        index = e.n_centers + static_cast<int64_t>(kinds.size());
        kinds.push_back(e.neighbor_species[p]);
    }
    at::Tensor species = at::empty({e.n_centers + static_cast<int64_t>(kinds.size())}, integers);
    at::Tensor center = at::empty({n_pairs}, integers);
    at::Tensor neighbor = at::empty({n_pairs}, integers);
    int64_t* s = species.data_ptr<int64_t>();
    for (int64_t c = 0; c < e.n_centers; ++c) s[c] = e.center_species[c];
    std::copy(kinds.begin(), kinds.end(), s + e.n_centers);
    int64_t* center_of = center.data_ptr<int64_t>();
    int64_t* neighbor_of = neighbor.data_ptr<int64_t>();
    for (int64_t c = 0; c < e.n_centers; ++c)
        for (int64_t p = e.offsets[c]; p < e.offsets[c + 1]; ++p) {
            center_of[p] = c;
            neighbor_of[p] = stand_in[e.neighbor_species[p]];
        }
    at::Tensor vectors =
        at::from_blob(const_cast<double*>(e.vectors), {n_pairs, 3}, at::TensorOptions().dtype(at::kDouble));
    return {species.to(model.device), center.to(model.device), neighbor.to(model.device),
            vectors.to(model.device)};
}

void copy_out(const at::Tensor& tensor, double* target) {
    const at::Tensor values = tensor.detach().to(c10::kCPU, at::kDouble).contiguous();
    std::memcpy(target, values.data_ptr<double>(), sizeof(double) * static_cast<std::size_t>(values.numel()));
}

void evaluate(lmlp_torch_model& model, const lmlp_environments& environments, lmlp_results& results) {
    check_environments(model, environments);
    if (results.struct_size < sizeof(lmlp_results))
        throw std::invalid_argument("results: struct_size is too small");
    if (results.extrapolating != nullptr)
        throw std::invalid_argument("results: extrapolating is the core's to count");
    if (environments.n_centers == 0) return;
    const ThreadCount threads(model.n_threads);
    // No profiling of the first calls: the same kernels, hence the same bits, from the first step on.
    const torch::jit::GraphOptimizerEnabledGuard no_optimization(false);
    const c10::AutoGradMode gradients(true);
    const Inputs in = make_inputs(model, environments);
    const bool members = results.member_pair_gradients != nullptr;
    const auto out =
        model.module.get_method("evaluate")({in.species, in.center, in.neighbor, in.vectors, members})
            .toGenericDict();
    const auto array = [&out](const char* name) { return out.at(name).toTensor(); };
    const at::Tensor energies = array("energies").slice(1, 0, environments.n_centers);
    if (results.energies != nullptr) copy_out(energies.mean(0), results.energies);
    if (results.member_energies != nullptr) copy_out(energies, results.member_energies);
    if (results.pair_gradients != nullptr) copy_out(array("pair_gradients"), results.pair_gradients);
    if (members) copy_out(array("member_pair_gradients"), results.member_pair_gradients);
    if (results.distances == nullptr) return;
    if (!out.contains("distances"))
        throw std::invalid_argument("results: distances are not known to this model");
    copy_out(array("distances").slice(0, 0, environments.n_centers), results.distances);
}

}  // namespace

LMLP_TORCH_API int lmlp_torch_backend_abi_version() {
    return LMLP_TORCH_BACKEND_ABI_VERSION;
}

LMLP_TORCH_API const char* lmlp_torch_backend_last_error() {
    return last_error.c_str();
}

LMLP_TORCH_API lmlp_status lmlp_torch_backend_get_info(lmlp_torch_backend_info* info) {
    return guarded([info] {
        if (info == nullptr || info->struct_size < sizeof(lmlp_torch_backend_info))
            throw std::invalid_argument("info: struct_size is too small");
        static const std::string folder = find_loaded_folder();
        static const std::string version = find_version(folder);
        info->torch_version = LMLP_TORCH_VERSION;
        info->loaded_version = version.c_str();
        info->loaded_folder = folder.c_str();
        info->n_cuda_devices = torch::cuda::device_count();
    });
}

LMLP_TORCH_API lmlp_status lmlp_torch_model_load(const char* path, const lmlp_torch_options* options,
                                                 lmlp_torch_model** model) {
    return guarded([=] {
        if (path == nullptr || model == nullptr || options == nullptr ||
            options->struct_size < sizeof(lmlp_torch_options))
            throw std::invalid_argument("lmlp_torch_model_load: path, options or model is missing");
        const c10::Device device = find_device(*options);
        const ThreadCount threads(options->n_threads);
        torch::jit::Module module = torch::jit::load(path, device);
        module.eval();
        const int64_t n_elements = module.attr("n_elements").toInt();
        const int64_t n_members = module.attr("n_members").toInt();
        *model = new lmlp_torch_model{std::move(module), device,    device.str(),
                                      n_elements,        n_members, options->n_threads};
    });
}

LMLP_TORCH_API void lmlp_torch_model_free(lmlp_torch_model* model) {
    delete model;
}

LMLP_TORCH_API const char* lmlp_torch_model_device(const lmlp_torch_model* model) {
    return model->device_name.c_str();
}

LMLP_TORCH_API lmlp_status lmlp_torch_evaluate(lmlp_torch_model* model, const lmlp_environments* environments,
                                               lmlp_results* results) {
    return guarded([=] {
        if (model == nullptr || environments == nullptr || results == nullptr)
            throw std::invalid_argument("lmlp_torch_evaluate: model, environments or results is missing");
        evaluate(*model, *environments, *results);
    });
}
