// Stored entries of a zip archive in memory, zip64 included. Every offset is checked: the bytes may be
// anything.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lmlp {

using Bytes = std::span<const unsigned char>;

struct ZipEntry {
    std::string name;
    Bytes content;
};

// Entries whose name is selected by `wanted`. The archive's comment must be `comment_size` bytes long.
// Throws std::runtime_error that says what is wrong with the archive.
std::vector<ZipEntry> read_zip(Bytes file, std::size_t comment_size, bool (*wanted)(const std::string& name));

}  // namespace lmlp
