// Factorization of correlation functions: distinct densities, fields and points.
#include "descriptor/correlations.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <tuple>
#include <utility>

#include "functions/element_weight.hpp"
#include "kernels/padding.hpp"

namespace lmlp {

namespace {

struct Points {
    std::vector<double> x, y, z, weight;  // weight: its sum is 1
};

// Nodes and weights of Gauss-Legendre integration over [-1, 1].
std::vector<std::pair<double, double>> gauss_legendre(int n) {
    std::vector<std::pair<double, double>> nodes;
    for (int i = 0; i < n; ++i) {
        double x = std::cos(std::numbers::pi * (i + 0.75) / (n + 0.5)), slope = 0;
        for (int step = 0; step < 50; ++step) {
            double before = 1, p = x;  // P_0, P_1
            for (int l = 2; l <= n; ++l) {
                const double next = ((2 * l - 1) * x * p - (l - 1) * before) / l;
                before = p;
                p = next;
            }
            slope = n * (x * p - before) / (x * x - 1);
            const double change = p / slope;
            x -= change;
            if (std::fabs(change) < 1e-16) break;
        }
        if (2 * i + 1 == n) x = 0;
        nodes.emplace_back(x, 2 / ((1 - x * x) * slope * slope));
    }
    return nodes;
}

// Points on the upper half sphere that integrate every polynomial of even degrees up to `degree` (even).
// On a circle of latitude the mean over degree + 1 points is exact; on the equator, where n and -n are both
// on the circle, half of the circle with half of the points.
Points half_sphere(int degree) {
    Points points;
    for (const auto& [z, weight] : gauss_legendre(degree / 2 + 1)) {
        if (z < 0) continue;
        const bool equator = z == 0;
        const int n = equator ? degree / 2 + 1 : degree + 1;
        const double circle = equator ? std::numbers::pi : 2 * std::numbers::pi;
        for (int i = 0; i < n; ++i) {
            const double phi = (i + 0.5) * circle / n, radius = std::sqrt(1 - z * z);
            points.x.push_back(radius * std::cos(phi));
            points.y.push_back(radius * std::sin(phi));
            points.z.push_back(z);
            points.weight.push_back((equator ? 0.5 : 1.0) * weight / n);
        }
    }
    return points;
}

// Y_lm(n), in the order of components; sum_m Y_lm(u) Y_lm(v) = P_l(u.v).
std::vector<double> harmonics(int degree, double x, double y, double z) {
    std::vector<double> result((degree + 1) * (degree + 1));
    double cosine = 1, sine = 0, start = 1;
    for (int m = 0; m <= degree; ++m) {
        if (m > 0) {
            const double next = x * cosine - y * sine;
            sine = x * sine + y * cosine;
            cosine = next;
        }
        if (m > 1) start *= std::sqrt((2.0 * m - 1) / (2.0 * m));
        double before = 0, value = start;  // normalized associated Legendre functions over sin^m
        for (int l = m; l <= degree; ++l) {
            if (l > m) {
                const double b = std::sqrt((l - 1.0) * (l - 1.0) - m * m);
                const double next = ((2 * l - 1) * z * value - b * before) / std::sqrt(1.0 * l * l - m * m);
                before = value;
                value = next;
            }
            if (m == 0) {
                result[l * l] = value;
            } else {
                result[l * l + 2 * m - 1] = value * cosine;
                result[l * l + 2 * m] = value * sine;
            }
        }
    }
    return result;
}

double factor_weight(const DescriptorSpec& spec, const CorrelationFactor& factor, int z) {
    if (spec.type == "ACSF") return SelectWeight::radial(factor.weight, z);
    const ElementTable& table = ElementTable::get(spec.table);
    return PropertyWeight::radial(table, table.index(factor.weight), z);
}

}  // namespace

std::vector<double> correlation_weights(const DescriptorSpec& spec, const SymmetryFunction& function,
                                        std::span<const int> atomic_numbers) {
    std::vector<double> weights;
    for (const CorrelationFactor& factor : function.factors)
        for (int z : atomic_numbers) weights.push_back(factor_weight(spec, factor, z));
    return weights;
}

int Correlations::add_field(Group& group, int density, int l) {
    for (std::size_t i = 0; i < group.field_l.size(); ++i)
        if (group.field_density[i] == density && group.field_l[i] == l) return static_cast<int>(i);
    group.field_density.push_back(density);
    group.field_l.push_back(l);
    return static_cast<int>(group.field_l.size()) - 1;
}

void Correlations::add_pairs(std::vector<Pair> pairs) {
    std::stable_sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) {
        return std::tie(a.l, a.first) < std::tie(b.l, b.first);
    });
    constexpr int width = static_cast<int>(max_width);
    for (const Pair& pair : pairs) {
        const int n = static_cast<int>(pair_function_.size()), vector = pair.second / width * width;
        if (pair_row_.empty() || pair_row_.back().l != pair.l || pair_row_.back().first != pair.first)
            pair_row_.push_back({pair.l, pair.first, vector, vector + width, n, n});
        PairRow& row = pair_row_.back();
        row.begin = std::min(row.begin, vector);
        row.end = std::max(row.end, vector + width);
        row.pair_end = n + 1;
        pair_second_.push_back(pair.second);
        pair_function_.push_back(pair.function);
    }
}

Correlations::Group& Correlations::group_of(int n_factors, int total_l) {
    for (Group& group : groups_)
        if (group.n_factors == n_factors && group.total_l == total_l) return group;
    groups_.emplace_back();
    groups_.back().n_factors = n_factors;
    groups_.back().total_l = total_l;
    return groups_.back();
}

void Correlations::build(const DescriptorSpec& spec, std::span<const int> atomic_numbers,
                         std::span<const int> radial_index, int n_radials) {
    using Density = std::pair<int, std::vector<double>>;  // radial function, weights
    const std::size_t n_species = atomic_numbers.size();
    std::vector<Density> densities;
    std::vector<Density> of_factor;
    std::vector<int> l_of_factor;
    for (std::size_t i = 0; i < spec.functions.size(); ++i) {
        const SymmetryFunction& function = spec.functions[i];
        if (function.kind != SymmetryFunction::Kind::correlation) continue;
        feature_.push_back(static_cast<int>(i));
        const std::vector<double> w = correlation_weights(spec, function, atomic_numbers);
        for (std::size_t k = 0; k < function.factors.size(); ++k) {
            const auto from = w.begin() + static_cast<std::ptrdiff_t>(k * n_species);
            of_factor.emplace_back(radial_index[of_factor.size()],
                                   std::vector<double>(from, from + static_cast<std::ptrdiff_t>(n_species)));
            l_of_factor.push_back(function.factors[k].l);
            view_.degree = std::max(view_.degree, function.factors[k].l);
        }
    }
    for (const Density& density : of_factor)
        if (std::find(densities.begin(), densities.end(), density) == densities.end())
            densities.push_back(density);
    std::stable_sort(densities.begin(), densities.end(),
                     [](const Density& a, const Density& b) { return a.first < b.first; });
    for (int r = 0; r <= n_radials; ++r)
        density_begin_.push_back(static_cast<int>(std::count_if(
            densities.begin(), densities.end(), [r](const Density& d) { return d.first < r; })));
    for (const Density& density : densities)
        density_weight_.insert(density_weight_.end(), density.second.begin(), density.second.end());

    std::vector<Pair> pairs;
    std::size_t next = 0;
    for (std::size_t n = 0; n < feature_.size(); ++n) {
        const std::size_t n_factors = spec.functions[feature_[n]].factors.size();
        std::vector<int> density, l;
        for (std::size_t k = 0; k < n_factors; ++k, ++next) {
            density.push_back(static_cast<int>(
                std::find(densities.begin(), densities.end(), of_factor[next]) - densities.begin()));
            l.push_back(l_of_factor[next]);
        }
        if (n_factors == 2) {
            pairs.push_back({l[0], density[0], density[1], static_cast<int>(n)});
            continue;
        }
        int total = 0;
        for (int degree : l) total += degree;
        Group& group = group_of(static_cast<int>(n_factors), total);
        for (std::size_t k = 0; k < n_factors; ++k) group.field.push_back(add_field(group, density[k], l[k]));
        group.function.push_back(static_cast<int>(n));
    }
    add_pairs(std::move(pairs));
    view_.n_densities = static_cast<int>(densities.size());
    view_.n_components = (view_.degree + 1) * (view_.degree + 1);
    fill_view();
}

void Correlations::fill_view() {
    CorrelationView& v = view_;
    for (Group& group : groups_) {
        const Points points = half_sphere(group.total_l);
        const std::size_t n = padded(points.weight.size());
        group.weight = points.weight;
        group.weight.resize(n, 0.0);
        group.harmonics.assign(n * v.n_components, 0.0);
        for (std::size_t p = 0; p < points.weight.size(); ++p) {
            const std::vector<double> y = harmonics(v.degree, points.x[p], points.y[p], points.z[p]);
            for (std::size_t c = 0; c < y.size(); ++c) group.harmonics[c * n + p] = y[c];
        }
        group_views_.push_back(
            {group.n_factors, static_cast<int>(n), group.weight.data(), group.harmonics.data(),
             static_cast<int>(group.field_l.size()), group.field_density.data(), group.field_l.data(),
             static_cast<int>(group.function.size()), group.field.data(), group.function.data()});
    }
    v.n = static_cast<int>(feature_.size());
    v.feature = feature_.data();
    v.density_begin = density_begin_.data();
    v.density_weight = density_weight_.data();
    v.stride = static_cast<int>(padded(v.n_densities));
    v.n_pair_rows = static_cast<int>(pair_row_.size());
    v.pair_row = pair_row_.data();
    v.pair_second = pair_second_.data();
    v.pair_function = pair_function_.data();
    v.n_groups = static_cast<int>(group_views_.size());
    v.group = group_views_.data();
}

void Correlations::place(std::span<const int> component_moment, std::span<const double> component_norm) {
    component_moment_.assign(component_moment.begin(), component_moment.end());
    component_norm_.assign(component_norm.begin(), component_norm.end());
    view_.component_moment = component_moment_.data();
    view_.component_norm = component_norm_.data();
}

}  // namespace lmlp
