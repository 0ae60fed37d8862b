#include "threads/arena.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace lmlp {

namespace {

constexpr std::size_t alignment = 64;

struct Release {
    void operator()(std::byte* memory) const { ::operator delete[](memory, std::align_val_t(alignment)); }
};

}  // namespace

struct Arena::Block {
    explicit Block(std::size_t n)
        : size(n), memory(static_cast<std::byte*>(::operator new[](n, std::align_val_t(alignment)))) {}
    std::size_t size;
    std::unique_ptr<std::byte[], Release> memory;
};

Arena::Arena() = default;
Arena::~Arena() = default;

void* Arena::allocate(std::size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
    // every array in a block of its own, so that the sanitizer sees its ends
    blocks_.emplace_back(bytes);
    return blocks_.back().memory.get();
#endif
    bytes = (bytes + alignment - 1) / alignment * alignment;
    if (blocks_.empty() || used_ + bytes > blocks_.back().size) {
        const std::size_t last = blocks_.empty() ? std::size_t{1} << 16 : blocks_.back().size;
        blocks_.emplace_back(std::max(2 * last, bytes));
        used_ = 0;
    }
    void* result = blocks_.back().memory.get() + used_;
    used_ += bytes;
    return result;
}

double* Arena::doubles(std::size_t n) {
    void* memory = allocate(n * sizeof(double));
    std::memset(memory, 0, n * sizeof(double));
    return static_cast<double*>(memory);
}

int* Arena::integers(std::size_t n) {
    void* memory = allocate(n * sizeof(int));
    std::memset(memory, 0, n * sizeof(int));
    return static_cast<int*>(memory);
}

// Keeps the largest block: after a few centers there is exactly one.
void Arena::reset() {
#ifdef __SANITIZE_ADDRESS__
    blocks_.clear();
#endif
    if (blocks_.size() > 1) blocks_.erase(blocks_.begin(), blocks_.end() - 1);
    used_ = 0;
}

Arena::Mark Arena::mark() const {
    return {blocks_.size(), used_};
}

// Where a new block was begun since, its memory serves what comes next.
void Arena::release(const Mark& mark) {
#ifdef __SANITIZE_ADDRESS__
    blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(mark.n_blocks), blocks_.end());
#endif
    if (blocks_.size() == mark.n_blocks) used_ = mark.used;
}

}  // namespace lmlp
