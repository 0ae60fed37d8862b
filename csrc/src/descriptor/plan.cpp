// Factorization of a descriptor spec.
#include "descriptor/plan.hpp"

#include <algorithm>

#include "descriptor/moment_tables.hpp"
#include "descriptor/polynomials.hpp"
#include "functions/element_weight.hpp"
#include "functions/form_names.hpp"
#include "kernels/padding.hpp"
#include "lmlp/error.hpp"
#include "names.hpp"

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

void check_elements(std::span<const int> atomic_numbers) {
    if (atomic_numbers.empty())
        throw Error(ErrorCode::invalid_argument, "a descriptor needs at least one element");
    for (std::size_t i = 0; i < atomic_numbers.size(); ++i) {
        symbol(atomic_numbers[i]);  // throws for an atomic number out of range
        for (std::size_t j = 0; j < i; ++j)
            if (atomic_numbers[i] == atomic_numbers[j])
                throw Error(ErrorCode::invalid_argument,
                            "element " + std::string(symbol(atomic_numbers[i])) + " is given twice");
    }
}

// Elements that rows of a plain ACSF select are elements of the model.
void check_selections(const DescriptorSpec& spec, std::span<const int> atomic_numbers) {
    if (spec.type != "ACSF") return;
    for (std::size_t n = 0; n < spec.functions.size(); ++n) {
        const SymmetryFunction& f = spec.functions[n];
        if (f.kind != Kind::correlation) check_selection(f.weight, atomic_numbers, n);
        if (f.kind == Kind::angular) check_selection(f.weight2, atomic_numbers, n);
        for (const CorrelationFactor& factor : f.factors) check_selection(factor.weight, atomic_numbers, n);
    }
}

// The distinct radial functions: first those of angular and correlation functions, then those of radial ones.
struct Radials {
    std::vector<double> eta, shift, cutoff;
    std::vector<std::uint8_t> used_by_radials;
    int n_angular = 0;

    explicit Radials(const DescriptorSpec& spec) {
        for (const SymmetryFunction& f : spec.functions) {
            if (f.kind == Kind::angular) index(f.eta, f.shift, spec.angular_cutoff);
            for (const CorrelationFactor& factor : f.factors)
                index(factor.eta, factor.shift, spec.angular_cutoff);
        }
        n_angular = static_cast<int>(eta.size());
        for (const SymmetryFunction& f : spec.functions)
            if (f.kind == Kind::radial) used_by_radials[index(f.eta, f.shift, spec.cutoff)] = 1;
    }

    // Of a function, which is added if it is new.
    int index(double new_eta, double new_shift, double new_cutoff) {
        for (std::size_t i = 0; i < eta.size(); ++i)
            if (eta[i] == new_eta && shift[i] == new_shift && cutoff[i] == new_cutoff)
                return static_cast<int>(i);
        eta.push_back(new_eta);
        shift.push_back(new_shift);
        cutoff.push_back(new_cutoff);
        used_by_radials.push_back(0);
        return static_cast<int>(eta.size()) - 1;
    }
};

// The distinct angular functions and, sorted by radial function, the combinations of both that occur.
struct Combos {
    std::vector<AngularParameters> angulars;
    std::vector<int> begin{0}, angular;

    Combos(const DescriptorSpec& spec, Radials& radials) {
        std::vector<std::vector<int>> of_radial(radials.n_angular);
        for (const SymmetryFunction& f : spec.functions) {
            if (f.kind != Kind::angular) continue;
            std::vector<int>& list = of_radial[radials.index(f.eta, f.shift, spec.angular_cutoff)];
            const int a = index(angular_parameters(spec, f));
            if (std::find(list.begin(), list.end(), a) == list.end()) list.push_back(a);
        }
        for (const std::vector<int>& list : of_radial) {
            angular.insert(angular.end(), list.begin(), list.end());
            begin.push_back(static_cast<int>(angular.size()));
        }
    }

    // Of an angular function, which is added if it is new.
    int index(const AngularParameters& parameters) {
        const auto found = std::find_if(angulars.begin(), angulars.end(),
                                        [&](const AngularParameters& a) { return same(a, parameters); });
        if (found != angulars.end()) return static_cast<int>(found - angulars.begin());
        angulars.push_back(parameters);
        return static_cast<int>(angulars.size()) - 1;
    }

    int place(int radial, const AngularParameters& parameters) {
        const auto first = angular.begin() + begin[radial], last = angular.begin() + begin[radial + 1];
        return static_cast<int>(std::find(first, last, index(parameters)) - angular.begin());
    }
};

std::vector<double> flat(const std::vector<std::vector<double>>& rows) {
    std::vector<double> all;
    for (const std::vector<double>& row : rows) all.insert(all.end(), row.begin(), row.end());
    return all;
}

void add_slots(const DescriptorSpec& spec, std::span<const int> atomic_numbers, Radials& radials,
               Combos& combos, PlanView& view, Tables& tables) {
    const std::vector<std::vector<double>> weights = element_weights(spec, atomic_numbers);
    std::vector<std::vector<double>> radial_channels, angular_channels;
    for (std::size_t n = 0; n < spec.functions.size(); ++n) {
        if (spec.functions[n].kind == Kind::radial) add_channel(weights[n], radial_channels);
        if (spec.functions[n].kind == Kind::angular) add_channel(weights[n], angular_channels);
    }
    view.radial_stride = static_cast<int>(padded(radials.eta.size()));
    view.combo_stride = static_cast<int>(padded(combos.angular.size()));
    view.n_radial_channels = static_cast<int>(radial_channels.size());
    view.n_angular_channels = static_cast<int>(angular_channels.size());
    const int angular_begin = view.n_radial_channels * view.radial_stride;
    view.n_slots = angular_begin + view.n_angular_channels * view.combo_stride;
    std::vector<int> slots;
    for (std::size_t n = 0; n < spec.functions.size(); ++n) {
        const SymmetryFunction& f = spec.functions[n];
        if (f.kind == Kind::correlation)
            slots.push_back(-1);
        else if (f.kind == Kind::radial)
            slots.push_back(add_channel(weights[n], radial_channels) * view.radial_stride +
                            radials.index(f.eta, f.shift, spec.cutoff));
        else
            slots.push_back(angular_begin + add_channel(weights[n], angular_channels) * view.combo_stride +
                            combos.place(radials.index(f.eta, f.shift, spec.angular_cutoff),
                                         angular_parameters(spec, f)));
    }
    view.n_features = static_cast<int>(spec.functions.size());
    view.feature_slot = tables.keep(std::move(slots));
    view.radial_weight = tables.keep(flat(radial_channels));
    view.angular_weight = tables.keep(flat(angular_channels));
}

std::vector<int> radials_of_factors(const DescriptorSpec& spec, Radials& radials) {
    std::vector<int> indices;
    for (const SymmetryFunction& f : spec.functions)
        for (const CorrelationFactor& factor : f.factors)
            indices.push_back(radials.index(factor.eta, factor.shift, spec.angular_cutoff));
    return indices;
}

// Degree of the moments that angular and correlation functions need, -1 where there are none.
int degree_of_moments(AngularForm form, const Combos& combos, int correlation_degree) {
    constexpr int max_degree = 64;
    if (combos.angulars.empty()) return correlation_degree;
    if (!facts(form).polynomial) return -1;
    int degree = std::max(0, correlation_degree);
    for (const AngularParameters& a : combos.angulars) degree = std::max(degree, polynomial_degree(form, a));
    if (degree <= max_degree) return degree;
    if (correlation_degree < 0) return -1;
    throw Error(ErrorCode::invalid_argument,
                "correlation functions are built on moments, which angular functions of degree " +
                    std::to_string(degree) + " do not have; allowed are degrees up to " +
                    std::to_string(max_degree));
}

void add_radials(Radials radials, PlanView& view, Tables& tables) {
    view.n_radials = static_cast<int>(radials.eta.size());
    view.n_angular_radials = radials.n_angular;
    view.eta = tables.keep(std::move(radials.eta));
    view.shift = tables.keep(std::move(radials.shift));
    view.radial_cutoff = tables.keep(std::move(radials.cutoff));
    view.used_by_radials = tables.keep(std::move(radials.used_by_radials));
}

void add_combos(Combos combos, PlanView& view, Tables& tables) {
    view.n_angulars = static_cast<int>(combos.angulars.size());
    view.n_combos = static_cast<int>(combos.angular.size());
    view.angular = tables.keep(std::move(combos.angulars));
    view.combo_begin = tables.keep(std::move(combos.begin));
    view.combo_angular = tables.keep(std::move(combos.angular));
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
    check_elements(atomic_numbers);
    check_selections(spec, atomic_numbers);
    view_.n_species = static_cast<int>(atomic_numbers.size());
    view_.n_element_pairs = view_.n_species * (view_.n_species + 1) / 2;
    view_.radial_form = radial_form(spec);
    view_.angular_form = angular_form(spec);
    view_.scaling_form = scaling_form(spec);
    view_.cutoff = spec.cutoff;
    view_.angular_cutoff = spec.angular_cutoff;
    Radials radials(spec);
    Combos combos(spec, radials);
    add_slots(spec, atomic_numbers, radials, combos, view_, tables_);
    correlations_.build(spec, atomic_numbers, radials_of_factors(spec, radials), radials.n_angular);
    const int degree = degree_of_moments(view_.angular_form, combos, correlations_.degree());
    if (degree >= 0) add_moments(degree, combos.angulars, correlations_, view_, tables_);
    view_.correlation = correlations_.view();
    add_radials(std::move(radials), view_, tables_);
    add_combos(std::move(combos), view_, tables_);
}

}  // namespace lmlp
