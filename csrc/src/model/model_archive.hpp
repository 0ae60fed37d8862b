// The archive around a model: its bytes, its checksum and the entries that the core reads.
#pragma once

#include <string>
#include <vector>

#include "files/zip_reader.hpp"

namespace lmlp {

struct ModelArchive {
    std::string checksum;   // SHA-256 of the file's content, hexadecimal
    Bytes header, weights;  // lmlp.json and weights.safetensors, within the bytes of the file
};

// Throws Error(io): the file cannot be opened or read.
std::vector<unsigned char> read_model_bytes(const std::string& path);

// Throws Error(model_file): not a model, truncated or altered; std::runtime_error: a broken archive.
ModelArchive open_model_archive(Bytes file);

}  // namespace lmlp
