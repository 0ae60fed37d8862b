// Scratch that outlives a call: what one call allocated, the next one uses.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "lmlp/per_fork.hpp"

namespace lmlp {

// Hands out objects of type T and takes them back; safe from many threads. It holds as many as were ever in
// use at once.
template <class T>
class ScratchPool {
  public:
    // One object, until the lease ends.
    class Lease {
      public:
        Lease(ScratchPool& pool, std::unique_ptr<T> object) : pool_(&pool), object_(std::move(object)) {}
        Lease(Lease&&) noexcept = default;
        Lease& operator=(Lease&&) = delete;
        ~Lease() {
            if (object_) pool_->give(std::move(object_));
        }
        T& operator*() const { return *object_; }

      private:
        ScratchPool* pool_;
        std::unique_ptr<T> object_;
    };

    Lease take() {
        Shelf& shelf = shelf_.get();
        const std::lock_guard<std::mutex> lock(shelf.mutex);
        if (shelf.free.empty()) {
            shelf.free.reserve(++shelf.n_made);  // so that giving back never fails
            return Lease(*this, std::make_unique<T>());
        }
        Lease lease(*this, std::move(shelf.free.back()));
        shelf.free.pop_back();
        return lease;
    }

  private:
    struct Shelf {
        std::mutex mutex;
        std::vector<std::unique_ptr<T>> free;
        std::size_t n_made = 0;
    };

    void give(std::unique_ptr<T> object) noexcept {
        Shelf& shelf = shelf_.get();
        const std::lock_guard<std::mutex> lock(shelf.mutex);
        shelf.free.push_back(std::move(object));
    }

    PerFork<Shelf> shelf_;
};

}  // namespace lmlp
