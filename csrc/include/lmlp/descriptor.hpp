// Element-embracing atom-centered symmetry functions (eeACSFs) of atomic environments: values, reverse and
// forward derivative. JCTC 2023, 19, 3509 (doi 10.1021/acs.jctc.3c00279).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lmlp/environments.hpp"
#include "lmlp/symmetry_functions.hpp"

namespace lmlp {

// How the angular sums are evaluated. Both agree to 1e-12 relative; `automatic` asks the cost model.
enum class AngularPath { automatic, moments, triples };

struct ComputeOptions {
    int n_threads = 0;  // 0: OpenMP's default
    AngularPath path = AngularPath::automatic;
    std::int64_t first_center =
        0;  // added to the numbers of centers in messages, where a call is one block of many
};

// What features() computed of each center, for backward() of the same centers: about 35 KiB per center with
// 100 neighbors. Reused by later calls; one call at a time.
class DescriptorState {
  public:
    DescriptorState();
    ~DescriptorState();
    DescriptorState(DescriptorState&&) noexcept;
    DescriptorState& operator=(DescriptorState&&) noexcept;

  private:
    friend class Descriptor;
    struct Centers;
    std::unique_ptr<Centers> centers_;
};

// Immutable after construction and safe from many threads; scratch belongs to the call.
// The derivative ladder never forms a Jacobian:
//   features  G
//   backward  g_ij = sum_n v_n dG_n(i)/dr_ij      (v = dE/dG of center i)
//   tangent   dG_n(i) = sum_j dG_n(i)/dr_ij . dr_ij
class Descriptor {
  public:
    // `atomic_numbers`: the model's elements in species order.
    Descriptor(DescriptorSpec spec, std::span<const int> atomic_numbers);
    ~Descriptor();
    Descriptor(Descriptor&&) noexcept;
    Descriptor& operator=(Descriptor&&) noexcept;

    int n_features() const;
    int n_species() const;
    double cutoff() const;
    const DescriptorSpec& spec() const;

    // features [n_centers, n_features]
    void features(const Environments& environments, double* features,
                  const ComputeOptions& options = {}) const;
    // The same, and fills the state.
    void features(const Environments& environments, double* features, DescriptorState& state,
                  const ComputeOptions& options = {}) const;
    // grad_features [n_rhs, n_centers, n_features] -> pair_gradients [n_rhs, n_pairs, 3]
    void backward(const Environments& environments, const double* grad_features, int n_rhs,
                  double* pair_gradients, const ComputeOptions& options = {}) const;
    // The same bits from the state that features() left for the same environments and options.
    void backward(const Environments& environments, const double* grad_features, int n_rhs,
                  double* pair_gradients, DescriptorState& state, const ComputeOptions& options = {}) const;
    // d_vectors [n_rhs, n_pairs, 3] -> d_features [n_rhs, n_centers, n_features]
    void tangent(const Environments& environments, const double* d_vectors, int n_rhs, double* d_features,
                 const ComputeOptions& options = {}) const;

  private:
    struct Plan;
    std::unique_ptr<const Plan> plan_;
};

}  // namespace lmlp
