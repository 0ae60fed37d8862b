// Arrays of a safetensors file in memory: 64-bit header length, JSON header, data. The bytes may be anything.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "files/zip_reader.hpp"

namespace lmlp {

struct Tensor {
    std::vector<std::uint64_t> shape;
    std::vector<double> values;  // row-major
};

// Throws std::runtime_error that says what is wrong: only F64 arrays inside the file are read.
std::map<std::string, Tensor> read_safetensors(Bytes file);

std::string shape_text(const std::vector<std::uint64_t>& shape);  // "[2, 3]"

}  // namespace lmlp
