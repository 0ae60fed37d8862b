// Scratch that outlives a call: what one call allocated, the next one uses.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "fork.hpp"

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

    ScratchPool() : shelf_(new Shelf) {}
    ~ScratchPool() { delete shelf_.load(); }
    ScratchPool(const ScratchPool&) = delete;
    ScratchPool& operator=(const ScratchPool&) = delete;

    Lease take() {
        Shelf& shelf = current();
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
        int generation = fork_generation();
    };

    // The shelf of this process. One from before a fork is left alone: a thread that no longer exists may have
    // locked it.
    Shelf& current() {
        Shelf* shelf = shelf_.load();
        if (shelf->generation == fork_generation()) return *shelf;
        auto fresh = std::make_unique<Shelf>();
        return shelf_.compare_exchange_strong(shelf, fresh.get()) ? *fresh.release() : *shelf;
    }

    void give(std::unique_ptr<T> object) noexcept {
        Shelf& shelf = current();
        const std::lock_guard<std::mutex> lock(shelf.mutex);
        shelf.free.push_back(std::move(object));
    }

    std::atomic<Shelf*> shelf_;
};

}  // namespace lmlp
