// Damaged model files, signed again so that the parsers see the damage: an Error or a model, never a crash.
// Most telling with the address and undefined behavior sanitizers.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "files/sha256.hpp"
#include "lmlp/error.hpp"
#include "lmlp/potential.hpp"

namespace {

using Bytes = std::vector<unsigned char>;

std::string digest(const std::string& text) {
    lmlp::Sha256 hash;
    hash.update(reinterpret_cast<const unsigned char*>(text.data()), text.size());
    return hash.hexadecimal();
}

// FIPS 180-4 examples, and every length around the block size against feeding byte by byte.
void check_sha256() {
    CHECK(digest("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(digest(std::string(1000000, 'a')) ==
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    for (std::size_t n = 0; n < 200; ++n) {
        const std::string text(n, 'x');
        lmlp::Sha256 hash;
        for (const char c : text) hash.update(reinterpret_cast<const unsigned char*>(&c), 1);
        CHECK(hash.hexadecimal() == digest(text));
    }
}

// True when the bytes, with a valid checksum, are a model.
bool loads(Bytes content, const std::string& path) {
    lmlp::Sha256 hash;
    hash.update(content.data(), content.size() - 76);
    const std::string comment = "lmlp-sha256:" + hash.hexadecimal();
    std::copy(comment.begin(), comment.end(), content.end() - 76);
    {
        std::ofstream file(path, std::ios::binary);
        file.write(reinterpret_cast<const char*>(content.data()),
                   static_cast<std::streamsize>(content.size()));
    }
    try {
        lmlp::Potential::load(path);
        return true;
    } catch (const lmlp::Error& error) {
        CHECK(error.code() == lmlp::ErrorCode::model_file);
        return false;
    }
}

void check_damage(const Bytes& content, const std::string& path) {
    CHECK(loads(content, path));
    std::mt19937 random(1);
    const std::size_t n = content.size() - 76;
    int refused = 0;
    for (int round = 0; round < 1500; ++round) {
        Bytes changed = content;
        for (int k = 0; k < 1 + round % 3; ++k) {
            // half of the damage where the zip directory is
            const std::size_t at = round % 2 == 0 ? random() % n : n - 1 - random() % 400;
            const unsigned char values[] = {0, 255, static_cast<unsigned char>(random())};
            changed[at] = values[random() % 3];
        }
        refused += loads(changed, path) ? 0 : 1;
    }
    CHECK(refused > 500);
}

}  // namespace

int main() {
    check_sha256();
    const char* path = std::getenv("LMLP_TEST_MODEL");
    if (path == nullptr) return check_failures == 0 ? 77 : 1;
    std::ifstream file(path, std::ios::binary);
    const Bytes content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const std::string damaged = std::string(path) + ".damaged";
    check_damage(content, damaged);
    std::remove(damaged.c_str());
    return finish();
}
