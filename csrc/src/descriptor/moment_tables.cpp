#include "descriptor/moment_tables.hpp"

#include <cmath>
#include <span>

#include "descriptor/newton_basis.hpp"
#include "descriptor/polynomials.hpp"
#include "functions/form_names.hpp"
#include "kernels/padding.hpp"

namespace lmlp {

namespace {

// Numbers of the harmonics, in the order of PlanView.
struct Harmonics {
    std::vector<int> row{0};
    Table beta, norm, order;

    explicit Harmonics(int degree) {
        for (int m = 0; m <= degree; ++m)
            row.push_back(row.back() + static_cast<int>(padded(degree - m + 1)));
        norm.assign(row.back(), 0.0);
        order.assign(row.back(), 0.0);
        beta.assign((degree + 1) * (degree + 2), 0.0);
        double start = 1.0;  // N_mm = sqrt(2 / (2m)!) (2m - 1)!!, but 1 for m = 0
        for (int m = 0; m <= degree; ++m) {
            if (m > 1) start *= std::sqrt((2.0 * m - 1) / (2.0 * m));
            fill_row(degree, m, start);
        }
    }

  private:
    void fill_row(int degree, int m, double value) {
        for (int l = m; l <= degree; ++l) {
            const std::size_t at = static_cast<std::size_t>(row[m]) + degree - l;
            if (l > m) {
                value *= (2.0 * l - 1) / std::sqrt(static_cast<double>(l - m) * (l + m));
                beta[m * (degree + 2) + l] = (l - 1.0 - m) * (l - 1.0 + m) / ((2.0 * l - 1) * (2.0 * l - 3));
            }
            norm[at] = value * value;
            order[at] = l - m;
        }
    }
};

void add_expansions(const std::vector<AngularParameters>& angulars, PlanView& view, Tables& tables) {
    const int degree = view.degree;
    const std::size_t stride = padded(degree + 1), n = angulars.size(), angular_stride = padded(n);
    Table by_function(n * stride, 0.0), by_degree((degree + 1) * angular_stride, 0.0), at_one;
    for (std::size_t a = 0; a < n; ++a) {
        const std::vector<double> expansion = legendre_expansion(view.angular_form, angulars[a], degree);
        for (int l = 0; l <= degree; ++l) {
            by_function[a * stride + degree - l] = expansion[l];
            by_degree[(degree - l) * angular_stride + a] = expansion[l];
        }
        at_one.push_back(polynomial_value(view.angular_form, angulars[a], 1.0));
    }
    view.stride = static_cast<int>(stride);
    view.angular_stride = static_cast<int>(angular_stride);
    view.legendre = tables.keep(std::move(by_function));
    view.legendre_by_degree = tables.keep(std::move(by_degree));
    view.at_one = tables.keep(std::move(at_one));
}

void add_newton_basis(const Harmonics& harmonics, PlanView& view, Tables& tables) {
    Table node(harmonics.row.back(), 0.0), matrix;
    std::vector<int> row;
    for (int m = 0; m <= view.degree; ++m) {
        const int n = view.degree - m + 1, size = harmonics.row[m + 1] - harmonics.row[m];
        const std::vector<double> nodes = leja_points(m, n);
        const std::span<const double> beta(harmonics.beta);
        const std::vector<double> t = newton_coefficients(nodes, beta.subspan(m * (view.degree + 2) + m, n));
        row.push_back(static_cast<int>(matrix.size()));
        matrix.resize(matrix.size() + static_cast<std::size_t>(n) * size, 0.0);
        for (int i = 0; i < n; ++i) {
            node[harmonics.row[m] + n - 1 - i] = nodes[i];
            for (int l = i; l < n; ++l) matrix[row[m] + (n - 1 - l) * size + n - 1 - i] = t[i * n + l];
        }
    }
    view.newton_node = tables.keep(std::move(node));
    view.newton_matrix = tables.keep(std::move(matrix));
    view.newton_row = tables.keep(std::move(row));
}

// Where the components of correlation functions are in a block of moments (one group and radial function).
void place_correlations(const Harmonics& harmonics, int degree, Correlations& correlations) {
    std::vector<int> moment;
    std::vector<double> norm;
    for (int l = 0; l <= correlations.degree(); ++l) {
        for (int m = 0; m <= l; ++m) {
            const int at = harmonics.row[m] + degree - l;
            for (int half = 0; half < (m == 0 ? 1 : 2); ++half) {
                moment.push_back(at + half * harmonics.row.back());
                norm.push_back(std::sqrt(harmonics.norm[at]));
            }
        }
    }
    correlations.place(moment, norm);
}

}  // namespace

void add_moments(int degree, const std::vector<AngularParameters>& angulars, Correlations& correlations,
                 PlanView& view, Tables& tables) {
    view.has_moments = true;
    view.nonnegative = facts(view.angular_form).nonnegative;
    view.degree = degree;
    add_expansions(angulars, view, tables);
    Harmonics harmonics(degree);
    add_newton_basis(harmonics, view, tables);
    place_correlations(harmonics, degree, correlations);
    view.n_harmonics = harmonics.row.back();
    view.harmonic_row = tables.keep(std::move(harmonics.row));
    view.harmonic_beta = tables.keep(std::move(harmonics.beta));
    view.harmonic_norm = tables.keep(std::move(harmonics.norm));
    view.harmonic_order = tables.keep(std::move(harmonics.order));
}

}  // namespace lmlp
