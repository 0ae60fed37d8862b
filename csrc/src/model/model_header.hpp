// Reads lmlp.json, the header of a model file, of every format version.
#pragma once

#include <string>

#include "model/model_file.hpp"

namespace lmlp {

// Fills all of a model but its weights from model.header and returns the checksum that the weights must have.
// Throws Error(model_file) and, where it is not JSON, nlohmann::json::exception.
std::string read_model_header(ModelContent& model);

}  // namespace lmlp
