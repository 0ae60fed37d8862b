#include <pybind11/stl/filesystem.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>

#include "bindings.hpp"
#include "lmlp/potential.hpp"
#include "lmlp/runtime.hpp"

namespace lmlp {

namespace {

py::dict as_dict(const PotentialInfo& info) {
    py::dict out;
    out["elements"] = info.elements;
    out["atomic_numbers"] = info.atomic_numbers;
    out["atomic_energies"] = info.atomic_energies;
    out["n_members"] = info.n_members;
    out["n_features"] = info.n_features;
    out["cutoff"] = info.cutoff;
    out["energy_rmse"] = info.energy_rmse;
    out["force_rmse"] = info.force_rmse;
    out["energy_uncertainty_factor"] = info.energy_uncertainty_factor;
    out["force_uncertainty_factor"] = info.force_uncertainty_factor;
    out["has_feature_ranges"] = info.has_feature_ranges;
    out["has_spread_maps"] = info.spread_maps.has_value();
    out["has_distance"] = info.has_distance;
    out["checksum"] = info.checksum;
    out["header"] = info.header;
    return out;
}

Precision precision_of(const std::string& name) {
    const auto& names = precision_names();
    const auto found = std::find(names.begin(), names.end(), name);
    if (found != names.end()) return static_cast<Precision>(found - names.begin());
    throw Error(ErrorCode::invalid_argument,
                "precision '" + name + "' is unknown; allowed are double and mixed");
}

// Which results are wanted, as keyword arguments.
struct Wanted {
    bool energies, pair_gradients, member_energies, member_gradients, extrapolation, distances;
};

py::dict evaluate(const Potential& potential, const Array<std::int64_t>& offsets,
                  const Array<std::int32_t>& center_species, const Array<std::int32_t>& neighbor_species,
                  const Array<double>& vectors, const Wanted& wanted, const EvaluationOptions& options) {
    expect_shape(center_species, "center_species", {-1});
    const py::ssize_t n = center_species.shape(0), m = potential.info().n_members;
    expect_shape(offsets, "offsets", {n + 1});
    expect_shape(neighbor_species, "neighbor_species", {-1});
    const py::ssize_t p = neighbor_species.shape(0);
    expect_shape(vectors, "vectors", {p, 3});
    if (offsets.at(n) != p)
        throw Error(ErrorCode::invalid_argument, "offsets end at " + std::to_string(offsets.at(n)) +
                                                     ", but there are " + std::to_string(p) + " pairs");
    py::dict out;
    PotentialResults results;
    const auto reals = [&out](const char* name, std::vector<py::ssize_t> shape) {
        py::array_t<double> array(std::move(shape));
        out[name] = array;
        return array.mutable_data();
    };
    if (wanted.energies) results.energies = reals("energies", {n});
    if (wanted.pair_gradients) results.pair_gradients = reals("pair_gradients", {p, 3});
    if (wanted.member_energies) results.member_energies = reals("member_energies", {m, n});
    if (wanted.member_gradients) results.member_pair_gradients = reals("member_pair_gradients", {m, p, 3});
    if (wanted.distances) results.distances = reals("distances", {n});
    if (wanted.extrapolation) {
        py::array_t<std::int32_t> counts(n);
        out["extrapolating"] = counts;
        results.extrapolating = counts.mutable_data();
    }
    const Environments environments{n, offsets.data(), neighbor_species.data(), vectors.data()};
    {
        const py::gil_scoped_release release;
        potential.evaluate(environments, center_species.data(), results, options);
    }
    return out;
}

}  // namespace

void bind_potential(py::module_& module) {
    module.def("activation_names", &activation_names);
    module.def("precision_names", &precision_names);
    py::class_<Potential>(module, "Potential", "A model file ready for evaluation; immutable, thread-safe.")
        .def(py::init([](const std::filesystem::path& path) {
                 const py::gil_scoped_release release;
                 return std::make_unique<Potential>(Potential::load(path.string()));
             }),
             py::arg("path"))
        .def("info", [](const Potential& self) { return as_dict(self.info()); })
        .def("species", &Potential::species, py::arg("symbol"))
        .def(
            "evaluate",
            [](const Potential& self, const Array<std::int64_t>& offsets,
               const Array<std::int32_t>& center_species, const Array<std::int32_t>& neighbor_species,
               const Array<double>& vectors, bool energies, bool pair_gradients, bool member_energies,
               bool member_gradients, bool extrapolation, bool distances, const std::string& precision,
               int n_threads) {
                return evaluate(
                    self, offsets, center_species, neighbor_species, vectors,
                    {energies, pair_gradients, member_energies, member_gradients, extrapolation, distances},
                    {n_threads, precision_of(precision)});
            },
            py::arg("offsets"), py::arg("center_species"), py::arg("neighbor_species"), py::arg("vectors"),
            py::kw_only(), py::arg("energies") = true, py::arg("pair_gradients") = true,
            py::arg("member_energies") = false, py::arg("member_gradients") = false,
            py::arg("extrapolation") = false, py::arg("distances") = false, py::arg("precision") = "double",
            py::arg("n_threads") = 0,
            "Energies [n] (eV), pair_gradients [p, 3] = dE/dr_ij (eV/Angstrom) of the ensemble mean; on "
            "request member_energies [m, n], member_pair_gradients [m, p, 3], extrapolating [n], distances "
            "[n] (1: 99.9 % quantile of the training "
            "atoms); distances alone need no networks. Networks in double, or with precision='mixed' in "
            "single.");
}

}  // namespace lmlp
