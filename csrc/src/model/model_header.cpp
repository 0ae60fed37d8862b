#include "model/model_header.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "lmlp/elements.hpp"
#include "lmlp/error.hpp"
#include "names.hpp"

namespace lmlp {

namespace {

using nlohmann::json;

constexpr int format_version = 4;
constexpr int max_layer = 1 << 20;

[[noreturn]] void fail(const std::string& what) {
    throw Error(ErrorCode::model_file, what);
}

// Version 2 came with baselines; readers of version 1 would leave one out without a word.
void upgrade_v1(json& header) {
    if (header.contains("baseline")) fail("a baseline in a file of format version 1, which knows none");
    header["baseline"] = nullptr;
}

// Version 3 came with free atoms; older readers would leave them out without a word.
void upgrade_v2(json& header) {
    if (header.contains("free_atoms"))
        fail("free_atoms in a file of an older format version than 3, which knows none");
    header["free_atoms"] = nullptr;
}

// Version 4 came with spread maps and distances; before, sigma of forces was one of components.
void upgrade_v3(json& header) {
    for (const char* key : {"spread_maps", "distance"}) {
        if (header.contains(key))
            fail(std::string(key) + " in a file of an older format version than 4, which knows none");
        header[key] = nullptr;
    }
}

// Brings the header of an older format version to the present one, one step per version.
void upgrade(json& header) {
    if (!header.is_object() || header.value("format", json()) != "lmlp-model")
        fail("lmlp.json does not say that it is an \"lmlp-model\"");
    const json version = header.value("format_version", json());
    if (!version.is_number_integer() || version < 1)
        fail("format_version " + version.dump() + " is not a positive integer");
    if (version > format_version)
        fail("format version " + version.dump() + " (written by lmlp " +
             header.value("lmlp_version", json()).dump() + ") is newer than " +
             std::to_string(format_version) + ", the newest that this lmlp reads: update lmlp");
    if (version < 2) upgrade_v1(header);
    if (version < 3) upgrade_v2(header);
    if (version < 4) upgrade_v3(header);
}

const json& member(const json& object, const char* key, const std::string& where = "lmlp.json") {
    if (!object.is_object()) fail(where + " is not an object");
    const auto found = object.find(key);
    if (found == object.end()) fail(where + " lacks the key \"" + key + "\"");
    return *found;
}

double finite_number(const json& value, const std::string& name) {
    if (!value.is_number()) fail(name + " is " + value.dump() + ", not a number");
    const auto number = value.get<double>();
    if (!std::isfinite(number)) fail(name + " is not finite");
    return number;
}

int whole_number(const json& value, const std::string& name, int low, int high) {
    if (!value.is_number_integer() || value < low || value > high)
        fail(name + " is " + value.dump() + ", allowed are " + std::to_string(low) + " to " +
             std::to_string(high));
    return value.get<int>();
}

void read_elements(const json& header, ModelContent& model) {
    const json& elements = member(header, "elements");
    const json& energies = member(header, "atomic_energies");
    if (!elements.is_array() || elements.empty()) fail("elements is not a list of chemical symbols");
    for (const json& element : elements) {
        if (!element.is_string()) fail("elements has " + element.dump() + ", not a chemical symbol");
        const auto name = element.get<std::string>();
        const int number = atomic_number(name);
        if (std::count(model.atomic_numbers.begin(), model.atomic_numbers.end(), number) > 0)
            fail("elements has " + name + " twice");
        model.elements.push_back(name);
        model.atomic_numbers.push_back(number);
        model.atomic_energies.push_back(
            finite_number(member(energies, name.c_str(), "atomic_energies"), "atomic_energies of " + name));
    }
}

std::optional<double> read_rmse(const json& header, const char* key) {
    const json& rmse = member(header, "test_rmse");
    if (rmse.is_null()) return std::nullopt;
    const json& value = member(rmse, key, "test_rmse");
    if (value.is_null()) return std::nullopt;
    const double number = finite_number(value, std::string("test_rmse of ") + key);
    if (number < 0) fail(std::string("test_rmse of ") + key + " is negative: " + value.dump());
    return number;
}

double read_factor(const json& header, const char* key) {
    const json& value = member(member(header, "uncertainty"), key, "uncertainty");
    const double number = finite_number(value, key);
    if (number < 0) fail(std::string(key) + " is negative: " + value.dump());
    return number;
}

Activation read_activation(const json& header) {
    const json& value = member(header, "activation");
    const auto& names = activation_names();
    for (std::size_t i = 0; i < names.size(); ++i)
        if (value == names[i]) return static_cast<Activation>(i);
    fail("activation is " + value.dump() + ", allowed are " + join(names));
}

void read_baseline(const json& header, ModelContent& model) {
    const json& baseline = member(header, "baseline");
    if (baseline.is_null()) return;
    const json& type = member(baseline, "type", "baseline");
    if (type != "zbl") fail("baseline is of type " + type.dump() + ", this lmlp knows zbl: update lmlp");
    const json& pairs = member(baseline, "pairs", "baseline");
    const std::size_t n = model.elements.size();
    if (baseline.size() != 2 || !pairs.is_object() || pairs.size() != n * (n + 1) / 2)
        fail("baseline has not exactly the keys type and pairs, with one entry per pair of elements");
    BaselineRadii radii{std::vector<double>(n * n), std::vector<double>(n * n)};
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = i; j < n; ++j) {
            const std::string name = model.elements[i] + "-" + model.elements[j];
            const json& entry = member(pairs, name.c_str(), "baseline.pairs");
            if (!entry.is_array() || entry.size() != 2)
                fail("baseline of " + name + " is " + entry.dump() + ", not an inner and an outer radius");
            const double inner = finite_number(entry[0], "baseline of " + name);
            const double outer = finite_number(entry[1], "baseline of " + name);
            if (!(inner >= 0.0 && inner < outer && outer <= model.descriptor.cutoff))
                fail("baseline of " + name + " is " + entry.dump() +
                     ": allowed is 0 <= inner < outer <= cutoff of the descriptor");
            radii.inner[i * n + j] = radii.inner[j * n + i] = inner;
            radii.outer[i * n + j] = radii.outer[j * n + i] = outer;
        }
    model.baseline = std::move(radii);
}

void read_free_atoms(const json& header, ModelContent& model) {
    const json& block = member(header, "free_atoms");
    if (block.is_null()) return;
    if (!block.is_object()) fail("free_atoms is " + block.dump() + ", not an object with elements as keys");
    FreeAtomTable table{model.atomic_energies, std::vector<double>(model.elements.size())};
    for (const auto& [name, entry] : block.items()) {
        const auto found = std::find(model.elements.begin(), model.elements.end(), name);
        if (found == model.elements.end()) fail("free_atoms has " + name + ", not an element of the model");
        if (!entry.is_object() || entry.size() != 2 || !entry.contains("energy") ||
            !entry.contains("density"))
            fail("free_atoms of " + name + " is " + entry.dump() +
                 ", not an object with exactly the keys energy and density");
        const std::ptrdiff_t e = found - model.elements.begin();
        table.energies[e] = finite_number(entry["energy"], "free_atoms: energy of " + name);
        table.densities[e] = finite_number(entry["density"], "free_atoms: density of " + name);
        if (!(table.densities[e] > 0.0))
            fail("free_atoms: density of " + name + " is " + entry["density"].dump() + ", not above 0");
    }
    model.free_atoms = std::move(table);
}

SpreadMap read_spread_map(const json& entry, const std::string& name) {
    if (!entry.is_object() || entry.size() != 2 || !entry.contains("floor") || !entry.contains("factor"))
        fail(name + " is " + entry.dump() + ", not an object with exactly the keys floor and factor");
    const auto number = [&](const char* key) {
        const double value = finite_number(entry[key], name + ": " + key);
        if (value < 0.0) fail(name + ": " + key + " is " + entry[key].dump() + ", which is negative");
        return value;
    };
    return {number("floor"), number("factor")};
}

void read_spread_maps(const json& header, ModelContent& model) {
    const json& block = member(header, "spread_maps");
    if (block.is_null()) return;
    if (!block.is_object() || block.size() != 3 || !block.contains("energy") || !block.contains("forces") ||
        !block.contains("stress"))
        fail("spread_maps is " + block.dump() +
             ", not an object with exactly the keys energy, forces and stress");
    const json& forces = block["forces"];
    if (!forces.is_object() || forces.size() != model.elements.size())
        fail("spread_maps.forces has not exactly one entry per element of the model");
    SpreadMaps maps{read_spread_map(block["energy"], "spread_maps.energy"),
                    {},
                    read_spread_map(block["stress"], "spread_maps.stress")};
    for (const std::string& name : model.elements)
        maps.forces.push_back(read_spread_map(member(forces, name.c_str(), "spread_maps.forces"),
                                              "spread_maps.forces of " + name));
    model.spread_maps = std::move(maps);
}

// Facts about the arrays; those are read with the weights.
void read_distance(const json& header, ModelContent& model) {
    const json& block = member(header, "distance");
    if (block.is_null()) return;
    if (!block.is_object()) fail("distance is " + block.dump() + ", not an object");
    model.distance.emplace();
}

void read_shortest_distances(const json& header, ModelContent& model) {
    const std::size_t n = model.elements.size();
    model.shortest_distances.assign(n * n, std::numeric_limits<double>::quiet_NaN());
    const auto found = header.find("shortest_distances");
    if (found == header.end()) return;
    if (!found->is_object()) fail("shortest_distances is " + found->dump() + ", not an object");
    std::size_t n_known = 0;
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = i; j < n; ++j) {
            const auto entry = found->find(model.elements[i] + "-" + model.elements[j]);
            if (entry == found->end()) continue;
            const double distance = finite_number(*entry, "shortest_distances");
            if (!(distance > 0.0)) fail("shortest_distances has " + entry->dump() + ", which is not above 0");
            model.shortest_distances[i * n + j] = model.shortest_distances[j * n + i] = distance;
            ++n_known;
        }
    if (n_known != found->size()) fail("shortest_distances has pairs that are not of the model's elements");
}

void read_entries(const json& header, ModelContent& model) {
    if (member(header, "units") != json{{"length", "Angstrom"}, {"energy", "eV"}})
        fail("units are " + header["units"].dump() + ", allowed are Angstrom and eV");
    read_elements(header, model);
    model.descriptor = DescriptorSpec::from_json(member(header, "descriptor").dump());
    read_baseline(header, model);
    read_free_atoms(header, model);
    read_spread_maps(header, model);
    read_distance(header, model);
    read_shortest_distances(header, model);
    model.energy_rmse = read_rmse(header, "energy");
    model.force_rmse = read_rmse(header, "forces");
    model.energy_uncertainty_factor = read_factor(header, "energy_factor");
    model.force_uncertainty_factor = read_factor(header, "force_factor");
    NetworkParameters& network = model.network;
    network.activation = read_activation(header);
    network.n_members = whole_number(member(header, "n_members"), "n_members", 1, 1 << 16);
    network.n_elements = static_cast<int>(model.elements.size());
    network.n_features = static_cast<int>(model.descriptor.functions.size());
    const json& layers = member(header, "hidden_layers");
    if (!layers.is_array() || layers.size() > 64) fail("hidden_layers is not a list of at most 64 sizes");
    for (const json& size : layers)
        network.hidden_layers.push_back(whole_number(size, "hidden_layers", 1, max_layer));
}

}  // namespace

std::string read_model_header(ModelContent& model) {
    json header = json::parse(model.header);
    upgrade(header);
    read_entries(header, model);
    const json& sum = member(header, "weights_sha256");
    return sum.is_string() ? sum.get<std::string>() : "";
}

}  // namespace lmlp
