// Factorization of a descriptor spec.
#include "plan.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "functions/element_weight.hpp"
#include "functions/form_names.hpp"
#include "lmlp/error.hpp"
#include "names.hpp"
#include "newton_basis.hpp"
#include "padding.hpp"
#include "polynomials.hpp"

namespace lmlp {

namespace {

using Kind = SymmetryFunction::Kind;

// Only the parameters that the form reads, so that rows differing elsewhere share one function.
AngularParameters angular_parameters(const DescriptorSpec& spec, const SymmetryFunction& f) {
    const AngularFacts& form = facts(angular_form(spec));
    return {form.lambda ? f.lambda : 0, form.xi ? f.xi : 0, form.zeta ? f.zeta : 0, form.l ? f.l : 0};
}

bool same(const AngularParameters& a, const AngularParameters& b) {
    return a.lambda == b.lambda && a.xi == b.xi && a.zeta == b.zeta && a.l == b.l;
}

// Index of the channel with these weights, which is added if it is new.
int add_channel(const std::vector<double>& weights, std::vector<std::vector<double>>& channels) {
    const auto found = std::find(channels.begin(), channels.end(), weights);
    if (found != channels.end()) return static_cast<int>(found - channels.begin());
    channels.push_back(weights);
    return static_cast<int>(channels.size()) - 1;
}

void check_selection(const std::string& symbol, std::span<const int> atomic_numbers, std::size_t row) {
    const int z = atomic_number(symbol);
    if (std::find(atomic_numbers.begin(), atomic_numbers.end(), z) != atomic_numbers.end()) return;
    throw Error(ErrorCode::unknown_element,
                "descriptor.functions[" + std::to_string(row) + "] selects element " + symbol +
                    ", but the model has only " +
                    join(atomic_numbers, [](int number) { return std::string(lmlp::symbol(number)); }));
}

}  // namespace

std::vector<std::vector<double>> element_weights(const DescriptorSpec& spec,
                                                 std::span<const int> atomic_numbers) {
    std::vector<std::vector<double>> weights;
    for (const SymmetryFunction& f : spec.functions) {
        if (f.kind == Kind::correlation) {
            weights.push_back(correlation_weights(spec, f, atomic_numbers));
            continue;
        }
        std::vector<double>& row = weights.emplace_back();
        for (std::size_t j = 0; j < atomic_numbers.size(); ++j) {
            if (f.kind == Kind::radial) {
                row.push_back(radial_weight(spec, f, atomic_numbers[j]));
                continue;
            }
            for (std::size_t k = 0; k <= j; ++k)  // in the order of element_pair()
                row.push_back(angular_weight(spec, f, atomic_numbers[j], atomic_numbers[k]));
        }
    }
    return weights;
}

Plan::Plan(const DescriptorSpec& spec, std::span<const int> atomic_numbers) {
    spec.check();
    if (atomic_numbers.empty())
        throw Error(ErrorCode::invalid_argument, "a descriptor needs at least one element");
    for (std::size_t i = 0; i < atomic_numbers.size(); ++i) {
        symbol(atomic_numbers[i]);  // throws for an atomic number out of range
        for (std::size_t j = 0; j < i; ++j)
            if (atomic_numbers[i] == atomic_numbers[j])
                throw Error(ErrorCode::invalid_argument,
                            "element " + std::string(symbol(atomic_numbers[i])) + " is given twice");
    }
    add_radials(spec);
    add_combos(spec);
    view_.n_species = static_cast<int>(atomic_numbers.size());
    view_.n_element_pairs = view_.n_species * (view_.n_species + 1) / 2;
    add_slots(spec, atomic_numbers);
    add_correlations(spec, atomic_numbers);
    view_.angular_form = angular_form(spec);
    add_polynomials();
    fill_view(spec);
}

int Plan::add_radial(double eta, double shift, double cutoff) {
    for (std::size_t i = 0; i < eta_.size(); ++i)
        if (eta_[i] == eta && shift_[i] == shift && radial_cutoff_[i] == cutoff) return static_cast<int>(i);
    eta_.push_back(eta);
    shift_.push_back(shift);
    radial_cutoff_.push_back(cutoff);
    used_by_radials_.push_back(0);
    return static_cast<int>(eta_.size()) - 1;
}

int Plan::add_angular(const AngularParameters& parameters) {
    for (std::size_t i = 0; i < angular_.size(); ++i)
        if (same(angular_[i], parameters)) return static_cast<int>(i);
    angular_.push_back(parameters);
    return static_cast<int>(angular_.size()) - 1;
}

void Plan::add_radials(const DescriptorSpec& spec) {
    for (const SymmetryFunction& f : spec.functions) {
        if (f.kind == Kind::angular) add_radial(f.eta, f.shift, spec.angular_cutoff);
        for (const CorrelationFactor& factor : f.factors)
            add_radial(factor.eta, factor.shift, spec.angular_cutoff);
    }
    view_.n_angular_radials = static_cast<int>(eta_.size());
    for (const SymmetryFunction& f : spec.functions)
        if (f.kind == Kind::radial) used_by_radials_[add_radial(f.eta, f.shift, spec.cutoff)] = 1;
}

void Plan::add_combos(const DescriptorSpec& spec) {
    std::vector<std::vector<int>> of_radial(view_.n_angular_radials);
    for (const SymmetryFunction& f : spec.functions) {
        if (f.kind != Kind::angular) continue;
        std::vector<int>& list = of_radial[add_radial(f.eta, f.shift, spec.angular_cutoff)];
        const int a = add_angular(angular_parameters(spec, f));
        if (std::find(list.begin(), list.end(), a) == list.end()) list.push_back(a);
    }
    combo_begin_.push_back(0);
    for (const std::vector<int>& list : of_radial) {
        combo_angular_.insert(combo_angular_.end(), list.begin(), list.end());
        combo_begin_.push_back(static_cast<int>(combo_angular_.size()));
    }
}

void Plan::add_slots(const DescriptorSpec& spec, std::span<const int> atomic_numbers) {
    const std::vector<std::vector<double>> weights = element_weights(spec, atomic_numbers);
    std::vector<std::vector<double>> radial_channels, angular_channels;
    for (std::size_t n = 0; n < spec.functions.size(); ++n) {
        if (spec.functions[n].kind == Kind::radial) add_channel(weights[n], radial_channels);
        if (spec.functions[n].kind == Kind::angular) add_channel(weights[n], angular_channels);
    }
    view_.radial_stride = static_cast<int>(padded(eta_.size()));
    view_.combo_stride = static_cast<int>(padded(combo_angular_.size()));
    view_.n_radial_channels = static_cast<int>(radial_channels.size());
    view_.n_angular_channels = static_cast<int>(angular_channels.size());
    const int angular_begin = view_.n_radial_channels * view_.radial_stride;
    view_.n_slots = angular_begin + view_.n_angular_channels * view_.combo_stride;
    for (std::size_t n = 0; n < spec.functions.size(); ++n) {
        const SymmetryFunction& f = spec.functions[n];
        if (f.kind == Kind::correlation) {
            feature_slot_.push_back(-1);
            continue;
        }
        if (spec.type == "ACSF") check_selection(f.weight, atomic_numbers, n);
        if (f.kind == Kind::radial) {
            feature_slot_.push_back(add_channel(weights[n], radial_channels) * view_.radial_stride +
                                    add_radial(f.eta, f.shift, spec.cutoff));
            continue;
        }
        if (spec.type == "ACSF") check_selection(f.weight2, atomic_numbers, n);
        const int r = add_radial(f.eta, f.shift, spec.angular_cutoff);
        const int a = add_angular(angular_parameters(spec, f));
        const auto begin = combo_angular_.begin() + combo_begin_[r];
        const auto combo = std::find(begin, combo_angular_.begin() + combo_begin_[r + 1], a);
        feature_slot_.push_back(angular_begin +
                                add_channel(weights[n], angular_channels) * view_.combo_stride +
                                static_cast<int>(combo - combo_angular_.begin()));
    }
    for (const std::vector<double>& w : radial_channels)
        radial_weight_.insert(radial_weight_.end(), w.begin(), w.end());
    for (const std::vector<double>& w : angular_channels)
        angular_weight_.insert(angular_weight_.end(), w.begin(), w.end());
}

void Plan::add_correlations(const DescriptorSpec& spec, std::span<const int> atomic_numbers) {
    std::vector<int> radial_index;
    for (std::size_t n = 0; n < spec.functions.size(); ++n) {
        for (const CorrelationFactor& factor : spec.functions[n].factors) {
            if (spec.type == "ACSF") check_selection(factor.weight, atomic_numbers, n);
            radial_index.push_back(add_radial(factor.eta, factor.shift, spec.angular_cutoff));
        }
    }
    correlations_.build(spec, atomic_numbers, radial_index, view_.n_angular_radials);
}

// Where the components of correlation functions are in a block of moments (one group and radial function).
void Plan::place_correlations() {
    std::vector<int> moment;
    std::vector<double> norm;
    for (int l = 0; l <= correlations_.degree(); ++l) {
        for (int m = 0; m <= l; ++m) {
            const int at = harmonic_row_[m] + view_.degree - l;
            for (int half = 0; half < (m == 0 ? 1 : 2); ++half) {
                moment.push_back(at + half * view_.n_harmonics);
                norm.push_back(std::sqrt(norm_[at]));
            }
        }
    }
    correlations_.place(moment, norm);
}

// The moment path needs polynomials in cos(theta) of bounded degree.
void Plan::add_polynomials() {
    constexpr int max_degree = 64;
    if (angular_.empty() && correlations_.degree() < 0) return;
    if (!angular_.empty() && !facts(view_.angular_form).polynomial) return;
    int degree = std::max(0, correlations_.degree());
    for (const AngularParameters& a : angular_)
        degree = std::max(degree, polynomial_degree(view_.angular_form, a));
    if (degree > max_degree) {
        if (correlations_.degree() < 0) return;
        throw Error(ErrorCode::invalid_argument,
                    "correlation functions are built on moments, which angular functions of degree " +
                        std::to_string(degree) + " do not have; allowed are degrees up to " +
                        std::to_string(max_degree));
    }
    view_.has_moments = true;
    view_.nonnegative = facts(view_.angular_form).nonnegative;
    view_.degree = degree;
    const std::size_t stride = padded(degree + 1), n_angulars = angular_.size();
    const std::size_t angular_stride = padded(n_angulars);
    view_.stride = static_cast<int>(stride);
    view_.angular_stride = static_cast<int>(angular_stride);
    legendre_.assign(n_angulars * stride, 0.0);
    legendre_by_degree_.assign((degree + 1) * angular_stride, 0.0);
    for (std::size_t a = 0; a < n_angulars; ++a) {
        const std::vector<double> expansion = legendre_expansion(view_.angular_form, angular_[a], degree);
        for (int l = 0; l <= degree; ++l) {
            legendre_[a * stride + degree - l] = expansion[l];
            legendre_by_degree_[(degree - l) * angular_stride + a] = expansion[l];
        }
        at_one_.push_back(polynomial_value(view_.angular_form, angular_[a], 1.0));
    }
    add_harmonics();
    add_newton_basis();
    place_correlations();
}

void Plan::add_harmonics() {
    const int degree = view_.degree;
    harmonic_row_.push_back(0);
    for (int m = 0; m <= degree; ++m)
        harmonic_row_.push_back(harmonic_row_.back() + static_cast<int>(padded(degree - m + 1)));
    view_.n_harmonics = harmonic_row_.back();
    norm_.assign(view_.n_harmonics, 0.0);
    order_.assign(view_.n_harmonics, 0.0);
    beta_.assign((degree + 1) * (degree + 2), 0.0);
    double start = 1.0;  // N_mm = sqrt(2 / (2m)!) (2m - 1)!!, but 1 for m = 0
    for (int m = 0; m <= degree; ++m) {
        if (m > 1) start *= std::sqrt((2.0 * m - 1) / (2.0 * m));
        double norm = start;
        for (int l = m; l <= degree; ++l) {
            const std::size_t at = static_cast<std::size_t>(harmonic_row_[m]) + degree - l;
            if (l > m) {
                norm *= (2.0 * l - 1) / std::sqrt(static_cast<double>(l - m) * (l + m));
                beta_[m * (degree + 2) + l] = (l - 1.0 - m) * (l - 1.0 + m) / ((2.0 * l - 1) * (2.0 * l - 3));
            }
            norm_[at] = norm * norm;
            order_[at] = l - m;
        }
    }
}

void Plan::add_newton_basis() {
    newton_node_.assign(view_.n_harmonics, 0.0);
    for (int m = 0; m <= view_.degree; ++m) {
        const int n = view_.degree - m + 1, size = harmonic_row_[m + 1] - harmonic_row_[m];
        const std::vector<double> nodes = leja_points(m, n);
        const std::vector<double> t =
            newton_coefficients(nodes, std::span<const double>(beta_).subspan(m * (view_.degree + 2) + m, n));
        newton_row_.push_back(static_cast<int>(newton_matrix_.size()));
        newton_matrix_.resize(newton_matrix_.size() + static_cast<std::size_t>(n) * size, 0.0);
        for (int i = 0; i < n; ++i) {
            newton_node_[harmonic_row_[m] + n - 1 - i] = nodes[i];
            for (int l = i; l < n; ++l)
                newton_matrix_[newton_row_[m] + (n - 1 - l) * size + n - 1 - i] = t[i * n + l];
        }
    }
}

void Plan::fill_view(const DescriptorSpec& spec) {
    PlanView& v = view_;
    v.radial_form = radial_form(spec);
    v.scaling_form = scaling_form(spec);
    v.cutoff = spec.cutoff;
    v.angular_cutoff = spec.angular_cutoff;
    v.n_features = static_cast<int>(spec.functions.size());
    v.n_radials = static_cast<int>(eta_.size());
    v.eta = eta_.data();
    v.shift = shift_.data();
    v.radial_cutoff = radial_cutoff_.data();
    v.used_by_radials = used_by_radials_.data();
    v.n_angulars = static_cast<int>(angular_.size());
    v.angular = angular_.data();
    v.n_combos = static_cast<int>(combo_angular_.size());
    v.combo_begin = combo_begin_.data();
    v.combo_angular = combo_angular_.data();
    v.radial_weight = radial_weight_.data();
    v.angular_weight = angular_weight_.data();
    v.feature_slot = feature_slot_.data();
    v.legendre = legendre_.data();
    v.at_one = at_one_.data();
    v.legendre_by_degree = legendre_by_degree_.data();
    v.harmonic_row = harmonic_row_.data();
    v.harmonic_beta = beta_.data();
    v.harmonic_norm = norm_.data();
    v.newton_node = newton_node_.data();
    v.newton_matrix = newton_matrix_.data();
    v.newton_row = newton_row_.data();
    v.harmonic_order = order_.data();
    v.correlation = correlations_.view();
}

}  // namespace lmlp
