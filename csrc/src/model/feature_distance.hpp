// How far an atom is from the training atoms of its element, by its symmetry functions alone.
#pragma once

#include <memory>
#include <vector>

#include "lmlp/buffer.hpp"

namespace lmlp {

// As in a model file: d = sqrt(max(0, |y|^2 - |A y|^2)) with y = scale o (G - shift).
struct DistanceParameters {
    int n_elements = 0, n_features = 0, n_axes = 0;
    std::vector<double> shift, scale;  // [n_elements, n_features]
    std::vector<double> axes;          // A [n_elements, n_axes, n_features]
};

// Immutable after construction and safe from many threads. The bits of an atom's distance depend on its
// features alone. Always in double.
class FeatureDistance {
  public:
    explicit FeatureDistance(const DistanceParameters& parameters);
    ~FeatureDistance();
    FeatureDistance(FeatureDistance&&) noexcept;
    FeatureDistance& operator=(FeatureDistance&&) noexcept;

    // At most Ensemble::most_atoms atoms of one element (not checked); features [n_atoms, n_features] ->
    // distances [n_atoms], NaN where numbers overflow. `scratch` grows to what is needed, once.
    void evaluate(int element, int n_atoms, const double* features, double* distances,
                  Buffer<double>& scratch) const;

  private:
    struct Packed;
    std::unique_ptr<const Packed> packed_;
};

}  // namespace lmlp
