// Descriptor: arrays are checked here, the GIL is released while computing.
#include "bindings.hpp"
#include "lmlp/descriptor.hpp"
#include "lmlp/runtime.hpp"

namespace lmlp {

namespace {

AngularPath path_of(const std::string& name) {
    if (name == "automatic") return AngularPath::automatic;
    if (name == "moments") return AngularPath::moments;
    if (name == "triples") return AngularPath::triples;
    throw Error(ErrorCode::invalid_argument,
                "path '" + name + "' is unknown; allowed are automatic, moments, triples");
}

using Offsets = Array<std::int64_t>;
using Species = Array<std::int32_t>;
using Doubles = Array<double>;

Environments view_of(const Offsets& offsets, const Species& species, const Doubles& vectors) {
    if (offsets.ndim() != 1 || offsets.shape(0) < 1)
        throw Error(ErrorCode::invalid_argument, "offsets must have shape [n_centers + 1]");
    expect_shape(species, "neighbor_species", {-1});
    expect_shape(vectors, "vectors", {species.shape(0), 3});
    const std::int64_t n = offsets.shape(0) - 1;
    if (offsets.data()[0] != 0 || offsets.data()[n] != species.shape(0))
        throw Error(ErrorCode::invalid_argument, "offsets must start at 0 and end at the number of pairs " +
                                                     std::to_string(species.shape(0)) + ", given " +
                                                     std::to_string(offsets.data()[0]) + " and " +
                                                     std::to_string(offsets.data()[n]));
    return {n, offsets.data(), species.data(), vectors.data()};
}

// [a, b] or [r, a, b]: the number of right-hand sides.
int count_sides(const Doubles& array, const char* name, py::ssize_t a, py::ssize_t b) {
    if (array.ndim() == 3) {
        expect_shape(array, name, {-1, a, b});
        return static_cast<int>(array.shape(0));
    }
    expect_shape(array, name, {a, b});
    return 1;
}

Doubles make_result(bool several, py::ssize_t sides, py::ssize_t a, py::ssize_t b) {
    if (several) return Doubles(std::vector<py::ssize_t>{sides, a, b});
    return Doubles(std::vector<py::ssize_t>{a, b});
}

std::string normalize_spec(const std::string& text) {
    return DescriptorSpec::from_json(text).to_json();
}

class PyDescriptor {
  public:
    PyDescriptor(const std::string& spec_json, const std::vector<int>& atomic_numbers,
                 const std::string& path)
        : descriptor_(DescriptorSpec::from_json(spec_json), atomic_numbers), path_(path_of(path)) {}

    const Descriptor& get() const { return descriptor_; }

    Doubles features(const Offsets& offsets, const Species& species, const Doubles& vectors,
                     int n_threads) const {
        const Environments environments = view_of(offsets, species, vectors);
        Doubles result(
            {static_cast<py::ssize_t>(environments.n_centers), py::ssize_t{descriptor_.n_features()}});
        double* out = result.mutable_data();
        const py::gil_scoped_release release;
        descriptor_.features(environments, out, {n_threads, path_});
        return result;
    }

    Doubles backward(const Offsets& offsets, const Species& species, const Doubles& vectors,
                     const Doubles& grad, int n_threads) const {
        const Environments environments = view_of(offsets, species, vectors);
        const int sides = count_sides(grad, "grad", environments.n_centers, descriptor_.n_features());
        Doubles result = make_result(grad.ndim() == 3, sides, species.shape(0), 3);
        double* out = result.mutable_data();
        const py::gil_scoped_release release;
        descriptor_.backward(environments, grad.data(), sides, out, {n_threads, path_});
        return result;
    }

    Doubles tangent(const Offsets& offsets, const Species& species, const Doubles& vectors,
                    const Doubles& d_vectors, int n_threads) const {
        const Environments environments = view_of(offsets, species, vectors);
        const int sides = count_sides(d_vectors, "d_vectors", species.shape(0), 3);
        Doubles result =
            make_result(d_vectors.ndim() == 3, sides, environments.n_centers, descriptor_.n_features());
        double* out = result.mutable_data();
        const py::gil_scoped_release release;
        descriptor_.tangent(environments, d_vectors.data(), sides, out, {n_threads, path_});
        return result;
    }

  private:
    Descriptor descriptor_;
    AngularPath path_;
};

}  // namespace

void bind_descriptor(py::module_& module) {
    module.def("radial_names", &radial_names);
    module.def("angular_names", &angular_names);
    module.def("scaling_names", &scaling_names);
    module.def("instruction_set", &instruction_set, "Kernels in use; LMLP_ISA forces one.");
    module.def("instruction_sets", &instruction_sets, "Kernels that this build and processor offer.");
    module.def("is_forked", &is_forked, "Whether this process was forked and runs the same program still.");
    module.def("normalize_spec", &normalize_spec, py::arg("spec_json"),
               "Checks a descriptor spec and returns it with every default filled in.");
    module.def(
        "element_weights",
        [](const std::string& text, const std::vector<int>& atomic_numbers) {
            return element_weights(DescriptorSpec::from_json(text), atomic_numbers);
        },
        py::arg("spec_json"), py::arg("atomic_numbers"));
    py::class_<PyDescriptor>(module, "Descriptor")
        .def(py::init<const std::string&, const std::vector<int>&, const std::string&>(),
             py::arg("spec_json"), py::arg("atomic_numbers"), py::arg("path") = "automatic")
        .def_property_readonly("n_features", [](const PyDescriptor& d) { return d.get().n_features(); })
        .def_property_readonly("n_species", [](const PyDescriptor& d) { return d.get().n_species(); })
        .def_property_readonly("cutoff", [](const PyDescriptor& d) { return d.get().cutoff(); })
        .def_property_readonly("spec_json", [](const PyDescriptor& d) { return d.get().spec().to_json(); })
        .def("features", &PyDescriptor::features, py::arg("offsets"), py::arg("neighbor_species"),
             py::arg("vectors"), py::arg("n_threads") = 0)
        .def("backward", &PyDescriptor::backward, py::arg("offsets"), py::arg("neighbor_species"),
             py::arg("vectors"), py::arg("grad"), py::arg("n_threads") = 0)
        .def("tangent", &PyDescriptor::tangent, py::arg("offsets"), py::arg("neighbor_species"),
             py::arg("vectors"), py::arg("d_vectors"), py::arg("n_threads") = 0);
}

}  // namespace lmlp
