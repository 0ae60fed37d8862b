// Scratch memory of one thread: allocation is a pointer step, everything is released at once.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace lmlp {

class Arena {
  public:
    Arena();
    ~Arena();
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    // 64-byte aligned, not initialized; valid until reset(). Defined outside the kernels on purpose.
    void* allocate(std::size_t bytes);
    double* doubles(std::size_t n);  // zeroed
    int* integers(std::size_t n);    // zeroed
    void reset();

    // release() gives back what was allocated since mark(), in the order of a stack.
    struct Mark {
        std::size_t n_blocks, used;
    };
    Mark mark() const;
    void release(const Mark& mark);

  private:
    struct Block;
    std::vector<Block> blocks_;
    std::size_t used_ = 0;  // in the last block
};

}  // namespace lmlp
