// Ensembles of element networks: member atomic energies and their derivative by the features.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lmlp/buffer.hpp"

namespace lmlp {

enum class Activation;  // the rows of LMLP_ACTIVATIONS in functions/forms.hpp

const std::vector<std::string>& activation_names();  // in the order of Activation

// Of the networks alone: geometry, descriptors, sums over members and pairs are always in double.
enum class Precision {
    full,  // "double"
    mixed  // weights, inputs and activations in single
};

const std::vector<std::string>& precision_names();  // in the order of Precision

// As in a model file: x0 = scale o (G - shift), x_l = act(W_l x_{l-1} + c_l), NN = W_out x_L + c_out.
struct NetworkParameters {
    int n_members = 0;
    int n_elements = 0;
    int n_features = 0;
    std::vector<int> hidden_layers;
    Activation activation{};           // the first row
    std::vector<double> scale, shift;  // [n_members, n_elements, n_features]
    std::vector<std::vector<double>>
        weights;                              // per layer [n_members, n_elements, out, in]; the last: out = 1
    std::vector<std::vector<double>> biases;  // per layer [n_members, n_elements, out]
};

// What to compute; arrays that are null are not.
struct NetworkResults {
    double* energies = nullptr;          // [n_atoms] mean over members
    double* gradients = nullptr;         // [n_atoms, n_features] d(mean energy)/dG
    double* member_energies = nullptr;   // [n_members, n_atoms]
    double* member_gradients = nullptr;  // [n_members, n_atoms, n_features]
};

// Immutable after construction and safe from many threads. The bits of an atom's results depend on its
// features and the precision alone: not on the other atoms, their order, or which results are asked for.
class Ensemble {
  public:
    static constexpr int most_atoms = 48;  // of one call

    explicit Ensemble(const NetworkParameters& parameters);
    ~Ensemble();
    Ensemble(Ensemble&&) noexcept;
    Ensemble& operator=(Ensemble&&) noexcept;

    int n_members() const;
    int n_features() const;
    // Whether an element's networks could overflow on the way to their results, decided from the weights
    // alone; what evaluate() gives of them is worth nothing, even where it is finite.
    bool overflows(int element, Precision precision) const;

    // At most `most_atoms` atoms of one element (not checked); features [n_atoms, n_features]. `scratch`
    // grows to what is needed, once. The first call in mixed precision rounds the weights.
    void evaluate(int element, int n_atoms, const double* features, const NetworkResults& results,
                  Precision precision, Buffer<double>& scratch) const;

  private:
    struct Packed;
    std::unique_ptr<const Packed> packed_;
};

}  // namespace lmlp
