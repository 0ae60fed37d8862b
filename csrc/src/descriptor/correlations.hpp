// Correlation functions: means over the unit sphere of products of densities of the neighbors,
//   G = 1/(4 pi) integral rho_1(n) ... rho_N(n) dn,   rho_k(n) = sum_j w_k(Z_j) f_k(R_ij) P_l_k(u_ij . n),
// invariant under rotation and reflection. With moments y_lm = sum_j w f Y_lm(u_ij):
//   rho(n) = sum_m y_lm Y_lm(n),   G = sum_m y_lm y'_lm / (2l + 1) for N = 2.
// For N > 2 the integral is a sum over points, exact for the degree sum_k l_k. Products of even degree take
// equal values at n and -n: half a sphere of points is enough.
#pragma once

#include <span>
#include <vector>

#include "lmlp/symmetry_functions.hpp"

namespace lmlp {

// Functions of N >= 3 factors on one set of points. Points are padded to whole vectors (weight 0).
struct CorrelationGroup {
    int n_factors;
    int n_points;             // padded
    const double* weight;     // [n_points], their sum is 1
    const double* harmonics;  // Y_lm(n) [n_components, n_points]
    int n_fields;             // distinct densities rho on these points
    const int* field_density;
    const int* field_l;
    int n;                // functions
    const int* field;     // [n, n_factors]
    const int* function;  // index of the function among all correlation functions [n]
};

// Functions of two factors that share degree and first density: pairs [pair_begin, pair_end), whose second
// densities lie in [begin, end), whole vectors of any width.
struct PairRow {
    int l, first, begin, end, pair_begin, pair_end;
};

// Plain pointers for the kernels, as PlanView.
struct CorrelationView {
    int n;               // functions
    const int* feature;  // [n]

    // Distinct pairs of radial function and weight, by radial function: those of r are
    // [density_begin[r], density_begin[r + 1]).
    int n_densities;
    const int* density_begin;      // [n_angular_radials + 1]
    const double* density_weight;  // [n_densities, n_species]

    // Components y_lm of a density: l^2 for m = 0, l^2 + 2m - 1 (cosine) and l^2 + 2m (sine) for m > 0, each
    // a row of all densities, padded to `stride`. Each is the moment at `component_moment` of a block of
    // moments times N_lm.
    int degree;
    int n_components, stride;
    const int* component_moment;
    const double* component_norm;

    // Functions of two factors.
    int n_pair_rows;
    const PairRow* pair_row;
    const int *pair_second, *pair_function;

    int n_groups;
    const CorrelationGroup* group;
};

// Weights of one correlation function, [n_factors, n_elements].
std::vector<double> correlation_weights(const DescriptorSpec& spec, const SymmetryFunction& function,
                                        std::span<const int> atomic_numbers);

// What a view points to.
class Correlations {
  public:
    Correlations() = default;
    Correlations(const Correlations&) = delete;
    Correlations& operator=(const Correlations&) = delete;

    // The radial functions of all factors come first; radial_index tells the plan's index of each factor of
    // each correlation function, in order.
    void build(const DescriptorSpec& spec, std::span<const int> atomic_numbers,
               std::span<const int> radial_index, int n_radials);
    // Largest l of any factor, -1 without correlation functions.
    int degree() const { return view_.n > 0 ? view_.degree : -1; }
    // How moments lie in their block; called when the plan knows.
    void place(std::span<const int> component_moment, std::span<const double> component_norm);
    const CorrelationView& view() const { return view_; }

  private:
    struct Group {
        std::vector<double> weight, harmonics;
        std::vector<int> field_density, field_l, field, function;
        int n_factors = 0, total_l = 0;
    };
    struct Pair {
        int l, first, second, function;
    };
    void add_pairs(std::vector<Pair> pairs);
    int add_field(Group& group, int density, int l);
    Group& group_of(int n_factors, int total_l);
    void fill_view();

    std::vector<int> feature_, density_begin_, component_moment_;
    std::vector<PairRow> pair_row_;
    std::vector<int> pair_second_, pair_function_;
    std::vector<double> density_weight_, component_norm_;
    std::vector<Group> groups_;
    std::vector<CorrelationGroup> group_views_;
    CorrelationView view_{};
};

}  // namespace lmlp
