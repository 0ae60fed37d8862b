#include "files/safetensors.hpp"

#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "names.hpp"

namespace lmlp {

namespace {

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian");

std::uint64_t count(const std::string& name, const std::vector<std::uint64_t>& shape, std::uint64_t limit) {
    std::uint64_t n = 1;
    for (const std::uint64_t size : shape) {
        if (size != 0 && n > limit / size)
            throw std::runtime_error("array " + name + " of shape " + shape_text(shape) +
                                     " is larger than the file");
        n *= size;
    }
    return n;
}

Tensor read_tensor(const std::string& name, const nlohmann::json& entry, Bytes data) {
    const auto type = entry.at("dtype").get<std::string>();
    if (type != "F64") throw std::runtime_error("array " + name + " has type " + type + ", allowed is F64");
    Tensor tensor;
    for (const nlohmann::json& size : entry.at("shape")) {
        if (!size.is_number_unsigned())
            throw std::runtime_error("array " + name + " has a shape that is not whole numbers");
        tensor.shape.push_back(size.get<std::uint64_t>());
    }
    const nlohmann::json& offsets = entry.at("data_offsets");
    if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
        !offsets[1].is_number_unsigned())
        throw std::runtime_error("array " + name + " has data_offsets that are not two whole numbers");
    const auto begin = offsets[0].get<std::uint64_t>(), end = offsets[1].get<std::uint64_t>();
    if (begin > end || end > data.size())
        throw std::runtime_error("array " + name + " lies outside of the file");
    const std::uint64_t n = count(name, tensor.shape, data.size() / sizeof(double));
    if (n * sizeof(double) != end - begin)
        throw std::runtime_error("array " + name + " of shape " + shape_text(tensor.shape) + " takes " +
                                 std::to_string(n * sizeof(double)) + " bytes, but has " +
                                 std::to_string(end - begin));
    tensor.values.resize(n);
    if (n > 0) std::memcpy(tensor.values.data(), data.data() + begin, n * sizeof(double));
    return tensor;
}

}  // namespace

std::string shape_text(const std::vector<std::uint64_t>& shape) {
    return "[" + join(shape) + "]";
}

std::map<std::string, Tensor> read_safetensors(Bytes file) {
    std::uint64_t length = 0;
    if (file.size() < sizeof(length)) throw std::runtime_error("shorter than its header");
    std::memcpy(&length, file.data(), sizeof(length));
    if (length > file.size() - sizeof(length)) throw std::runtime_error("its header is longer than the file");
    const Bytes header = file.subspan(sizeof(length), length), data = file.subspan(sizeof(length) + length);
    std::map<std::string, Tensor> tensors;
    try {
        const auto json = nlohmann::json::parse(header.begin(), header.end());
        if (!json.is_object()) throw std::runtime_error("its header is not a JSON object");
        std::uint64_t budget =
            data.size();  // arrays that overlap could ask for much more than the file holds
        for (const auto& [name, entry] : json.items()) {
            if (name == "__metadata__") continue;
            Tensor tensor = read_tensor(name, entry, data);
            if (tensor.values.size() * sizeof(double) > budget)
                throw std::runtime_error("its arrays overlap");
            budget -= tensor.values.size() * sizeof(double);
            tensors.emplace(name, std::move(tensor));
        }
    } catch (const nlohmann::json::exception& error) {
        throw std::runtime_error(std::string("its header is broken: ") + error.what());
    }
    return tensors;
}

}  // namespace lmlp
