#include "model/torch_backend.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include <cstdlib>

namespace lmlp_plugin {
namespace {

constexpr const char* kBuild = "run `lmlp build-torch-backend`";

std::string environment_variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

bool is_file(const std::string& path) {
    struct stat facts{};
    return ::stat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode);
}

std::string folder_of_this_plugin() {
    Dl_info info{};
    if (dladdr(reinterpret_cast<void*>(&folder_of_this_plugin), &info) == 0 || info.dli_fname == nullptr)
        return "";
    const std::string path = info.dli_fname;
    const std::size_t slash = path.find_last_of('/');
    return slash == std::string::npos ? "." : path.substr(0, slash);
}

// The folder that `lmlp build-torch-backend` writes to unless it is told another.
std::string cache_folder() {
    const std::string cache = environment_variable("XDG_CACHE_HOME");
    if (!cache.empty()) return cache + "/lmlp/torch-backend";
    const std::string home = environment_variable("HOME");
    return home.empty() ? "" : home + "/.cache/lmlp/torch-backend";
}

std::vector<std::string> candidate_files() {
    const std::string file = std::string("/") + LMLP_TORCH_BACKEND_FILE;
    const std::string given = environment_variable("LMLP_TORCH_BACKEND");
    if (!given.empty()) return {given + file, given};
    std::vector<std::string> files;
    for (const std::string& folder : {folder_of_this_plugin(), cache_folder()})
        if (!folder.empty()) files.push_back(folder + file);
    return files;
}

std::string find_file(std::string& problem) {
    std::string tried;
    for (const std::string& file : candidate_files()) {
        if (is_file(file)) return file;
        tried += (tried.empty() ? "" : ", ") + file;
    }
    problem =
        std::string("backend torchscript: there is no ") + LMLP_TORCH_BACKEND_FILE + "; " + kBuild +
        " in a Python environment that has torch, or let LMLP_TORCH_BACKEND name it. Looked for: " + tried;
    return "";
}

// Opened once more, the library is the same; it stays open, because torch cannot be closed.
void* open_library(const std::string& path, std::string& problem) {
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library != nullptr) return library;
    const char* reason = dlerror();
    problem = "backend torchscript: " + path + " cannot be opened: " + (reason == nullptr ? "?" : reason) +
              ". The torch it was built for is gone or is another one now: " + kBuild + " again";
    return nullptr;
}

template <typename Function>
bool find_function(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    return function != nullptr;
}

}  // namespace

TorchBackend::~TorchBackend() {
    if (model_ != nullptr) functions_.free(model_);
}

std::string TorchBackend::open() {
    if (is_open()) return "";
    std::string problem;
    const std::string path = find_file(problem);
    if (path.empty()) return problem;
    Functions functions;
    problem = find_functions(path, functions);
    if (problem.empty()) problem = find_version_problem(path, functions);
    if (problem.empty()) functions_ = functions;
    return problem;
}

std::string TorchBackend::find_functions(const std::string& path, Functions& functions) const {
    std::string problem;
    void* library = open_library(path, problem);
    if (library == nullptr) return problem;
    if (!find_function(library, "lmlp_torch_backend_abi_version", functions.abi_version))
        return "backend torchscript: " + path + " is not a TorchScript backend of lmlp; " + kBuild;
    if (functions.abi_version() != LMLP_TORCH_BACKEND_ABI_VERSION)
        return "backend torchscript: " + path + " has version " + std::to_string(functions.abi_version()) +
               " of the interface, this plugin needs version " +
               std::to_string(LMLP_TORCH_BACKEND_ABI_VERSION) + "; " + kBuild + " again";
    if (find_function(library, "lmlp_torch_backend_last_error", functions.last_error) &&
        find_function(library, "lmlp_torch_backend_get_info", functions.get_info) &&
        find_function(library, "lmlp_torch_model_load", functions.load) &&
        find_function(library, "lmlp_torch_model_free", functions.free) &&
        find_function(library, "lmlp_torch_model_device", functions.device) &&
        find_function(library, "lmlp_torch_evaluate", functions.evaluate))
        return "";
    return "backend torchscript: " + path + " lacks a function of the interface; " + kBuild + " again";
}

// Symbols may fit by chance where the torch in the process is not the one of the headers.
std::string TorchBackend::find_version_problem(const std::string& path, const Functions& functions) {
    lmlp_torch_backend_info info{};
    info.struct_size = sizeof(info);
    if (functions.get_info(&info) != LMLP_OK)
        return std::string("backend torchscript: ") + functions.last_error();
    torch_version_ = info.torch_version;
    const std::string loaded = info.loaded_version;
    if (loaded.empty() || loaded == torch_version_) return "";
    return "backend torchscript: " + path + " was built for torch " + torch_version_ + ", but torch " +
           loaded + " is loaded from " + info.loaded_folder + "; " + kBuild + " again";
}

std::string TorchBackend::load(const std::string& model, const lmlp_torch_options& options) {
    lmlp_torch_model* loaded = nullptr;
    if (functions_.load(model.c_str(), &options, &loaded) != LMLP_OK) return functions_.last_error();
    if (model_ != nullptr) functions_.free(model_);
    model_ = loaded;
    return "";
}

std::string TorchBackend::evaluate(const lmlp_environments& environments, lmlp_results& results) const {
    if (functions_.evaluate(model_, &environments, &results) == LMLP_OK) return "";
    return std::string("backend torchscript: ") + functions_.last_error();
}

std::string TorchBackend::description() const {
    return "torch " + torch_version_ + ", device " + (model_ == nullptr ? "?" : functions_.device(model_));
}

}  // namespace lmlp_plugin
