#include "model/model_file.hpp"

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "files/safetensors.hpp"
#include "files/sha256.hpp"
#include "lmlp/error.hpp"
#include "model/model_archive.hpp"
#include "model/model_header.hpp"

namespace lmlp {

namespace {

[[noreturn]] void fail(const std::string& what) {
    throw Error(ErrorCode::model_file, what);
}

using Tensors = std::map<std::string, Tensor>;

// Moves an array out of the file's arrays, after comparing shape and numbers.
std::vector<double> take(Tensors& tensors, const std::string& name, std::vector<std::uint64_t> shape) {
    const auto found = tensors.find(name);
    if (found == tensors.end()) fail("weights.safetensors lacks the array " + name);
    if (found->second.shape != shape)
        fail("array " + name + " has shape " + shape_text(found->second.shape) + ", expected " +
             shape_text(shape));
    std::vector<double> values = std::move(found->second.values);
    tensors.erase(found);
    for (std::size_t i = 0; i < values.size(); ++i)
        if (!std::isfinite(values[i]))
            fail("array " + name + " has a value that is not finite, at position " + std::to_string(i));
    return values;
}

void read_distance(Tensors& tensors, const NetworkParameters& network, DistanceParameters& distance) {
    const auto elements = static_cast<std::uint64_t>(network.n_elements),
               features = static_cast<std::uint64_t>(network.n_features);
    distance.shift = take(tensors, "distance.shift", {elements, features});
    distance.scale = take(tensors, "distance.scale", {elements, features});
    const auto found = tensors.find("distance.axes");
    const std::uint64_t n_axes =
        found != tensors.end() && found->second.shape.size() == 3 ? found->second.shape[1] : 0;
    if (n_axes > features)
        fail("array distance.axes has " + std::to_string(n_axes) + " axes, allowed are 0 to " +
             std::to_string(features));
    distance.axes = take(tensors, "distance.axes", {elements, n_axes, features});
    distance.n_elements = network.n_elements;
    distance.n_features = network.n_features;
    distance.n_axes = static_cast<int>(n_axes);
}

void read_weights(Tensors tensors, ModelContent& model) {
    NetworkParameters& network = model.network;
    const auto members = static_cast<std::uint64_t>(network.n_members),
               elements = static_cast<std::uint64_t>(network.n_elements),
               features = static_cast<std::uint64_t>(network.n_features);
    network.scale = take(tensors, "scale", {members, elements, features});
    network.shift = take(tensors, "shift", {members, elements, features});
    std::uint64_t n_in = features;
    for (std::size_t l = 0; l <= network.hidden_layers.size(); ++l) {
        const bool last = l == network.hidden_layers.size();
        const auto n_out = last ? 1 : static_cast<std::uint64_t>(network.hidden_layers[l]);
        const std::string name = "layers." + std::to_string(l);
        network.weights.push_back(take(tensors, name + ".weight", {members, elements, n_out, n_in}));
        network.biases.push_back(take(tensors, name + ".bias", {members, elements, n_out}));
        n_in = n_out;
    }
    if (tensors.contains("feature_min") || tensors.contains("feature_max")) {
        model.feature_min = take(tensors, "feature_min", {elements, features});
        model.feature_max = take(tensors, "feature_max", {elements, features});
    }
    if (model.distance) read_distance(tensors, network, *model.distance);
    if (!tensors.empty()) fail("weights.safetensors has an unknown array " + tensors.begin()->first);
}

ModelContent parse(Bytes file) {
    ModelContent model;
    const ModelArchive entries = open_model_archive(file);
    model.checksum = entries.checksum;
    model.header.assign(entries.header.begin(), entries.header.end());
    Sha256 hash;
    hash.update(entries.weights.data(), entries.weights.size());
    if (read_model_header(model) != hash.hexadecimal())
        fail("weights.safetensors does not match its checksum in lmlp.json");
    try {
        read_weights(read_safetensors(entries.weights), model);
    } catch (const Error&) {
        throw;
    } catch (const std::runtime_error& error) {
        fail(std::string("weights.safetensors: ") + error.what());
    }
    return model;
}

// What a broken file made a message quote, as plain text.
std::string printable(std::string text) {
    for (char& c : text)
        if (c < ' ' || c > '~') c = '?';
    return text;
}

}  // namespace

ModelContent read_model_file(const std::string& path) {
    const std::vector<unsigned char> bytes = read_model_bytes(path);
    try {
        return parse(bytes);
    } catch (const nlohmann::json::exception& error) {
        throw Error(ErrorCode::model_file, path + ": lmlp.json is broken: " + printable(error.what()));
    } catch (const std::runtime_error& error) {  // Error of any code, broken archives
        throw Error(ErrorCode::model_file, path + ": " + printable(error.what()));
    }
}

}  // namespace lmlp
