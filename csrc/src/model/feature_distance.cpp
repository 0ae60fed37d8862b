// The axes as the kernels of the networks want a layer: packed in panels.
#include "model/feature_distance.hpp"

#include <algorithm>
#include <deque>

#include "kernels/dispatch.hpp"
#include "model/packing.hpp"

namespace lmlp {

struct FeatureDistance::Packed {
    explicit Packed(const DistanceParameters& p) : parameters(p) {
        const std::size_t features = p.n_features, size = features * p.n_axes;
        bias.assign(padded_rows(p.n_axes), 0.0);
        for (std::size_t e = 0; e < static_cast<std::size_t>(p.n_elements); ++e) {
            const double* axes = p.axes.data() + e * size;
            const std::vector<double>& packed =
                panels.emplace_back(pack_panels<double>(axes, p.n_axes, p.n_features));
            elements.push_back(
                {{p.n_features, p.n_axes, panel_size(p.n_features), packed.data(), bias.data()},
                 parameters.shift.data() + e * features,
                 parameters.scale.data() + e * features});
        }
        scratch = distance_scratch(padded_rows(p.n_features), padded_rows(p.n_axes));
    }

    DistanceParameters parameters;  // the views point into it
    std::vector<double> bias;
    std::deque<std::vector<double>> panels;
    std::vector<ElementDistance> elements;
    std::size_t scratch;  // doubles
};

FeatureDistance::FeatureDistance(const DistanceParameters& parameters)
    : packed_(std::make_unique<const Packed>(parameters)) {}
FeatureDistance::~FeatureDistance() = default;
FeatureDistance::FeatureDistance(FeatureDistance&&) noexcept = default;
FeatureDistance& FeatureDistance::operator=(FeatureDistance&&) noexcept = default;

void FeatureDistance::evaluate(int element, int n_atoms, const double* features, double* distances,
                               Buffer<double>& scratch) const {
    if (scratch.size() < packed_->scratch) scratch.resize(packed_->scratch);
    kernels().distance(packed_->elements[element], n_atoms, features, distances, scratch.data());
}

}  // namespace lmlp
