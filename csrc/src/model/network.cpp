// The ensemble as the kernels want it: scale and shift folded into the first layer, weights packed in panels.
#include "lmlp/network.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <deque>
#include <memory>

#include "functions/form_names.hpp"
#include "kernels/dispatch.hpp"
#include "kernels/network/network_api.hpp"
#include "model/network_range.hpp"
#include "model/packing.hpp"

namespace lmlp {

static_assert(Ensemble::most_atoms == tile_atoms);

namespace {

// One layer of one member and element, row-major [n_out, n_in].
struct Layer {
    int n_out, n_in;
    std::vector<double> weight, bias;
};

Layer read_layer(const NetworkParameters& p, int l, std::size_t network) {
    const bool last = l == static_cast<int>(p.hidden_layers.size());
    Layer layer;
    layer.n_in = l == 0 ? p.n_features : p.hidden_layers[l - 1];
    layer.n_out = last ? 1 : p.hidden_layers[l];
    const std::size_t size = static_cast<std::size_t>(layer.n_out) * layer.n_in;
    const auto weight = p.weights[l].begin() + static_cast<std::ptrdiff_t>(network * size);
    const auto bias = p.biases[l].begin() + static_cast<std::ptrdiff_t>(network * layer.n_out);
    layer.weight.assign(weight, weight + static_cast<std::ptrdiff_t>(size));
    layer.bias.assign(bias, bias + layer.n_out);
    return layer;
}

// What is done to the features before the first layer, the same for all members of an element.
struct Inputs {
    std::vector<double> center, scale;
};

// The shift of member 0, and the power of two below its scale: no digit of a weight is lost by dividing by
// it, and inputs are of a size that single precision holds.
Inputs make_inputs(const NetworkParameters& p, int element) {
    Inputs inputs;
    for (int k = 0; k < p.n_features; ++k) {
        const std::size_t at = static_cast<std::size_t>(element) * p.n_features + k;
        const double scale = std::fabs(p.scale[at]);
        inputs.center.push_back(p.shift[at]);
        inputs.scale.push_back(scale > 1e-100 && scale < 1e100 ? std::exp2(std::ilogb(scale)) : 1.0);
    }
    return inputs;
}

// W scale (G - shift) + c = W' input_scale (G - center) + c' with W' = W scale / input_scale and
// c' = c - W scale (shift - center). A center near the shift keeps large features of small spread from
// canceling.
void fold_scaling(const NetworkParameters& p, std::size_t network, const Inputs& inputs, Layer& layer) {
    const double* scale = p.scale.data() + network * p.n_features;
    const double* shift = p.shift.data() + network * p.n_features;
    for (int r = 0; r < layer.n_out; ++r)
        for (int k = 0; k < p.n_features; ++k) {
            double& w = layer.weight[static_cast<std::size_t>(r) * layer.n_in + k];
            w *= scale[k];
            layer.bias[r] -= w * (shift[k] - inputs.center[k]);
            w /= inputs.scale[k];
        }
}

// One network, folded.
struct FoldedMember {
    std::vector<Layer> hidden;
    Layer output;
};

FoldedMember fold_member(const NetworkParameters& p, std::size_t network, const Inputs& inputs) {
    const int n_hidden = static_cast<int>(p.hidden_layers.size());
    FoldedMember member;
    for (int l = 0; l < n_hidden; ++l) member.hidden.push_back(read_layer(p, l, network));
    member.output = read_layer(p, n_hidden, network);
    fold_scaling(p, network, inputs, n_hidden > 0 ? member.hidden[0] : member.output);
    return member;
}

// The networks in one precision; a deque never moves what the views point to.
template <class Real>
struct PackedNetworks {
    std::vector<ElementNetwork<Real>> elements;
    std::deque<std::vector<Real>> numbers;
    std::deque<std::vector<double>> outputs;
    std::deque<std::vector<DenseLayer<Real>>> layers;
    std::deque<std::vector<MemberNetwork<Real>>> members;

    const Real* keep(std::vector<Real> values) { return numbers.emplace_back(std::move(values)).data(); }

    MemberNetwork<Real> pack_member(const FoldedMember& member) {
        auto& dense = layers.emplace_back();
        for (const Layer& layer : member.hidden) {
            std::vector<Real> bias(layer.bias.begin(), layer.bias.end());
            bias.resize(padded_rows(layer.n_out), Real(0));
            dense.push_back({layer.n_in, layer.n_out, panel_size(layer.n_in),
                             keep(pack_panels<Real>(layer.weight.data(), layer.n_out, layer.n_in)),
                             keep(std::move(bias))});
        }
        return {dense.data(), outputs.emplace_back(member.output.weight).data(), member.output.bias[0]};
    }
};

// The same networks in single precision, from those in double.
PackedNetworks<float> round_networks(const PackedNetworks<double>& full) {
    PackedNetworks<float> single;
    const auto rounded = [&](const double* numbers, std::size_t n) {
        return single.keep(std::vector<float>(numbers, numbers + n));
    };
    for (const ElementNetwork<double>& element : full.elements) {
        auto& members = single.members.emplace_back();
        for (int m = 0; m < element.n_members; ++m) {
            const MemberNetwork<double>& member = element.members[m];
            auto& dense = single.layers.emplace_back();
            for (int l = 0; l < element.n_layers; ++l) {
                const DenseLayer<double>& layer = member.layers[l];
                const std::size_t rows = padded_rows(layer.n_out);
                dense.push_back({layer.n_in, layer.n_out, layer.panel_size,
                                 rounded(layer.weight, rows / panel_rows * layer.panel_size),
                                 rounded(layer.bias, rows)});
            }
            members.push_back({dense.data(), member.output, member.output_bias});
        }
        single.elements.push_back({element.n_members, element.n_features, element.n_layers, element.widest,
                                   element.activation, element.center, element.input_scale, members.data()});
    }
    return single;
}

}  // namespace

struct Ensemble::Packed {
    explicit Packed(const NetworkParameters& p);
    ~Packed() { delete rounded.load(); }

    // Without a lock, which a fork could leave locked for ever: threads that come at once all make one.
    const PackedNetworks<float>& single() const {
        const PackedNetworks<float>* known = rounded.load();
        if (known != nullptr) return *known;
        auto made = std::make_unique<const PackedNetworks<float>>(round_networks(full));
        return rounded.compare_exchange_strong(known, made.get()) ? *made.release() : *known;
    }

    int n_members, n_features;
    std::vector<bool> overflows, overflows_single;  // of each element
    std::size_t scratch;                            // doubles
    std::deque<Inputs> inputs;
    PackedNetworks<double> full;
    // made when first asked for: most runs never do
    mutable std::atomic<const PackedNetworks<float>*> rounded{nullptr};
};

Ensemble::Packed::Packed(const NetworkParameters& p)
    : n_members(p.n_members),
      n_features(p.n_features),
      overflows(find_overflowing(p, Precision::full)),
      overflows_single(find_overflowing(p, Precision::mixed)) {
    int widest = padded_rows(p.n_features);
    for (const int n : p.hidden_layers) widest = std::max(widest, padded_rows(n));
    const int n_layers = static_cast<int>(p.hidden_layers.size());
    scratch = network_scratch(widest, n_layers);
    for (int e = 0; e < p.n_elements; ++e) {
        const Inputs& in = inputs.emplace_back(make_inputs(p, e));
        auto& members = full.members.emplace_back();
        for (int m = 0; m < p.n_members; ++m)
            members.push_back(
                full.pack_member(fold_member(p, static_cast<std::size_t>(m) * p.n_elements + e, in)));
        full.elements.push_back({p.n_members, p.n_features, n_layers, widest, p.activation, in.center.data(),
                                 in.scale.data(), members.data()});
    }
}

const std::vector<std::string>& activation_names() {
    static const std::vector<std::string> names = form_names(activation_facts);
    return names;
}

const std::vector<std::string>& precision_names() {
    static const std::vector<std::string> names = {"double", "mixed"};
    return names;
}

Ensemble::Ensemble(const NetworkParameters& parameters)
    : packed_(std::make_unique<const Packed>(parameters)) {}
Ensemble::~Ensemble() = default;
Ensemble::Ensemble(Ensemble&&) noexcept = default;
Ensemble& Ensemble::operator=(Ensemble&&) noexcept = default;

int Ensemble::n_members() const {
    return packed_->n_members;
}
int Ensemble::n_features() const {
    return packed_->n_features;
}

bool Ensemble::overflows(int element, Precision precision) const {
    return precision == Precision::mixed ? packed_->overflows_single[element] : packed_->overflows[element];
}

void Ensemble::evaluate(int element, int n_atoms, const double* features, const NetworkResults& results,
                        Precision precision, Buffer<double>& scratch) const {
    if (n_atoms == 0) return;
    if (scratch.size() < packed_->scratch) scratch.resize(packed_->scratch);
    const NetworkTile tile{features, n_atoms, results};
    if (precision == Precision::mixed)
        kernels().network_single(packed_->single().elements[element], tile, scratch.data());
    else
        kernels().network(packed_->full.elements[element], tile, scratch.data());
}

}  // namespace lmlp
