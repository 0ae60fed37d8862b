#include "model/model_archive.hpp"

#include <algorithm>
#include <fstream>

#include "files/sha256.hpp"
#include "lmlp/error.hpp"

namespace lmlp {

namespace {

const std::string comment_prefix = "lmlp-sha256:";
constexpr std::size_t comment_size = 76;

[[noreturn]] void fail(const std::string& what) {
    throw Error(ErrorCode::model_file, what);
}

// Returns the checksum, after comparing it with the content.
std::string verify_checksum(Bytes file) {
    if (file.empty()) fail("the file is empty");
    const std::string comment =
        file.size() < comment_size ? "" : std::string(file.end() - comment_size, file.end());
    if (!comment.starts_with(comment_prefix)) {
        if (file.size() < 2 || file[0] != 'P' || file[1] != 'K')
            fail("this is not a model file (no zip archive)");
        fail("this is not a model file of lmlp, or it is truncated: its checksum is missing at the end");
    }
    Sha256 hash;
    hash.update(file.data(), file.size() - comment_size);
    const std::string digest = hash.hexadecimal();
    if (comment != comment_prefix + digest)
        fail("the file is damaged or was altered: its content does not match its checksum");
    return digest;
}

}  // namespace

std::vector<unsigned char> read_model_bytes(const std::string& path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    const auto size = file ? static_cast<std::int64_t>(file.tellg()) : -1;
    // a folder opens like a file, but has no size that makes sense
    if (size < 0 || size > std::int64_t{1} << 40)
        throw Error(ErrorCode::io, "cannot open model file " + path);
    std::vector<unsigned char> bytes(static_cast<std::size_t>(size));
    file.seekg(0);
    if (size > 0 && !file.read(reinterpret_cast<char*>(bytes.data()), size))
        throw Error(ErrorCode::io, "cannot read model file " + path);
    return bytes;
}

ModelArchive open_model_archive(Bytes file) {
    ModelArchive found;
    found.checksum = verify_checksum(file);
    int n_headers = 0, n_weights = 0;
    for (const ZipEntry& entry : read_zip(file, comment_size, [](const std::string& name) {
             return std::count(name.begin(), name.end(), '/') == 2 &&
                    (name.ends_with("/extra/lmlp.json") || name.ends_with("/extra/weights.safetensors"));
         })) {
        const bool header = entry.name.ends_with(".json");
        (header ? found.header : found.weights) = entry.content;
        ++(header ? n_headers : n_weights);
    }
    if (n_headers != 1 || n_weights != 1)
        fail("the archive has " + std::to_string(n_headers) + " entries extra/lmlp.json and " +
             std::to_string(n_weights) + " entries extra/weights.safetensors, one of each is needed");
    return found;
}

}  // namespace lmlp
