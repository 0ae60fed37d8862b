#include "model/network_range.hpp"

#include <algorithm>
#include <cmath>

#include "functions/form_names.hpp"

namespace lmlp {

namespace {

constexpr double steepest = 1.9;  // above the slope of every activation function

struct Limits {
    double feature, number;
};

Limits limits_of(Precision precision) {
    return precision == Precision::full ? Limits{1e9, 1e250} : Limits{1e5, 1e36};
}

double bound_activation(Activation activation, double x) {
    return facts(activation).bounded ? 1.6 : 1.7 * x;
}

// A NaN counts as too large.
bool all_below(const std::vector<double>& numbers, double limit) {
    return std::all_of(numbers.begin(), numbers.end(), [limit](double x) { return x <= limit; });
}

// One layer of one member and element, absolute values of weights [n_out, n_in] and biases.
class Layer {
  public:
    Layer(const NetworkParameters& p, int l, std::size_t network)
        : n_in_(l == 0 ? p.n_features : p.hidden_layers[l - 1]),
          n_out_(l == static_cast<int>(p.hidden_layers.size()) ? 1 : p.hidden_layers[l]),
          weight_(p.weights[l].data() + network * n_out_ * n_in_),
          bias_(p.biases[l].data() + network * n_out_) {}

    std::vector<double> forward(const std::vector<double>& x) const {
        std::vector<double> y(bias_, bias_ + n_out_);
        for (std::size_t r = 0; r < n_out_; ++r) {
            y[r] = std::fabs(y[r]);
            for (std::size_t k = 0; k < n_in_; ++k) y[r] += std::fabs(weight_[r * n_in_ + k]) * x[k];
        }
        return y;
    }

    std::vector<double> backward(const std::vector<double>& error) const {
        std::vector<double> y(n_in_, 0.0);
        for (std::size_t r = 0; r < n_out_; ++r)
            for (std::size_t k = 0; k < n_in_; ++k) y[k] += std::fabs(weight_[r * n_in_ + k]) * error[r];
        return y;
    }

  private:
    std::size_t n_in_, n_out_;
    const double *weight_, *bias_;
};

bool overflows(const NetworkParameters& p, std::size_t network, const Limits& limits) {
    const double limit = limits.number;
    const int last = static_cast<int>(p.hidden_layers.size());
    const double *scale = p.scale.data() + network * p.n_features,
                 *shift = p.shift.data() + network * p.n_features;
    std::vector<double> x;
    // 3: the features, the shift of another member and the difference of the shifts, as the core folds them
    for (int k = 0; k < p.n_features; ++k)
        x.push_back((limits.feature + 3.0 * std::fabs(shift[k])) * std::fabs(scale[k]));
    bool fits = all_below(x, limit);
    for (int l = 0; l <= last; ++l) {
        x = Layer(p, l, network).forward(x);
        fits = fits && all_below(x, limit);
        for (double& value : x) value = bound_activation(p.activation, value);
    }
    std::vector<double> error{1.0};
    for (int l = last; l >= 0; --l) {
        error = Layer(p, l, network).backward(error);
        fits = fits && all_below(error, limit);
        for (double& value : error) value *= steepest;
    }
    for (int k = 0; k < p.n_features; ++k) error[k] *= std::fabs(scale[k]);
    return !(fits && all_below(error, limit));
}

}  // namespace

std::vector<bool> find_overflowing(const NetworkParameters& p, Precision precision) {
    std::vector<bool> found(p.n_elements, false);
    for (int m = 0; m < p.n_members; ++m)
        for (int e = 0; e < p.n_elements; ++e)
            if (overflows(p, static_cast<std::size_t>(m) * p.n_elements + e, limits_of(precision)))
                found[e] = true;
    return found;
}

}  // namespace lmlp
