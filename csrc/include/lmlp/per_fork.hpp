// State with a lock that a fork cannot leave locked.
#pragma once

#include <atomic>
#include <memory>

#include "lmlp/runtime.hpp"

namespace lmlp {

// An object of type T, made anew in a forked process. The one from before the fork is left alone, not even
// freed: a thread that does not exist there may have locked it.
template <class T>
class PerFork {
  public:
    PerFork() : made_(new Made) {}
    ~PerFork() { delete made_.load(); }
    PerFork(const PerFork&) = delete;
    PerFork& operator=(const PerFork&) = delete;

    T& get() {
        Made* made = made_.load();
        if (made->generation == fork_generation()) return made->object;
        auto fresh = std::make_unique<Made>();
        return made_.compare_exchange_strong(made, fresh.get()) ? fresh.release()->object : made->object;
    }

  private:
    struct Made {
        T object;
        int generation = fork_generation();
    };

    std::atomic<Made*> made_;
};

}  // namespace lmlp
