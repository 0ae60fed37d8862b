// Scratch that outlives a call: what one call allocated, the next one uses.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

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
        const std::lock_guard<std::mutex> lock(mutex_);
        if (free_.empty()) {
            free_.reserve(++n_made_);  // so that giving back never fails
            return Lease(*this, std::make_unique<T>());
        }
        Lease lease(*this, std::move(free_.back()));
        free_.pop_back();
        return lease;
    }

  private:
    void give(std::unique_ptr<T> object) noexcept {
        const std::lock_guard<std::mutex> lock(mutex_);
        free_.push_back(std::move(object));
    }

    std::mutex mutex_;
    std::vector<std::unique_ptr<T>> free_;
    std::size_t n_made_ = 0;
};

}  // namespace lmlp
