// A descriptor spec, factorized: each distinct radial function is evaluated once per pair, each distinct
// angular function once per triple, and element weights act on sums over one element or one element pair.
//
//   S_k^e   = sum_{j in e} f_k(R_ij)                                  radial sum of element e
//   S_c^ee' = sum_{j in e, k in e', unordered} f f a     angular sum of combination c = (radial, angular)
//   G_n     = T( sum_e w_n(e) S^e )   or   T( sum_ee' w_n(e, e') S^ee' )
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "descriptor/correlations.hpp"
#include "functions/forms.hpp"
#include "lmlp/descriptor.hpp"

namespace lmlp {

struct AngularParameters {
    double lambda = 0;
    double xi = 0;
    int zeta = 0;
    int l = 0;
};

// Plain pointers into a Plan: kernels see nothing else, so that no inline library code is compiled for one
// instruction set and used on another.
struct PlanView {
    int n_species, n_features;
    RadialForm radial_form;
    AngularForm angular_form;
    ScalingForm scaling_form;
    double cutoff, angular_cutoff;

    // Distinct radial functions: [0, n_angular_radials) serve angular and correlation functions, with the
    // angular cutoff.
    int n_radials, n_angular_radials;
    const double* eta;
    const double* shift;
    const double* radial_cutoff;          // of each radial function
    const std::uint8_t* used_by_radials;  // 1: has radial rows

    int n_angulars;
    const AngularParameters* angular;

    // Combinations sorted by radial function: those of r are [combo_begin[r], combo_begin[r + 1]).
    int n_combos;
    int combo_stride;          // n_combos, padded to whole vectors of any width
    const int* combo_begin;    // [n_angular_radials + 1]
    const int* combo_angular;  // [n_combos]

    // Functions by slots: every distinct element weight (channel) times every radial function, then every
    // distinct weight of element pairs times every combination, whether a function uses it or not.
    int n_slots;
    int n_radial_channels, n_angular_channels;
    int radial_stride;  // n_radials, padded
    int n_element_pairs;
    const double* radial_weight;   // [n_radial_channels, n_species]
    const double* angular_weight;  // [n_angular_channels, n_element_pairs]
    const int* feature_slot;       // [n_features], -1: a correlation function

    // Moment path: a(c) = sum_l legendre[a][l] P_l(c), and real harmonics scaled so that
    // sum_m Y_lm(u) Y_lm(v) = P_l(u.v). Y_lm = N_lm q_lm(z) (A_m or B_m), A_m + i B_m = (x + iy)^m, where
    // q_lm is the monic polynomial of degree l - m proportional to the m-th derivative of P_l:
    //   q_mm = 1,   q_l+1,m = z q_lm - beta_l+1,m q_l-1,m,   dq_lm/dz = (l - m) q_l,m+1.
    // Nothing divides by sin(theta): there are no polar singularities. Tables by degree run downward, entry i
    // for l = degree - i, so that all rows of harmonics (one per m, l >= m) start at a vector's start; they
    // are zero padded to whole vectors of any width.
    bool has_moments;
    bool nonnegative;                  // every a >= 0: a small sum can be told from its terms
    int degree;                        // L
    int stride;                        // degree + 1, padded
    const double* legendre;            // [n_angulars, stride]
    int angular_stride;                // n_angulars, padded
    const double* legendre_by_degree;  // the transpose, [degree + 1, angular_stride]
    const double* at_one;              // a(1), [n_angulars]
    int n_harmonics;                   // of all rows, padded
    const int* harmonic_row;           // start of row m, [degree + 2]
    const double* harmonic_beta;       // beta_lm [degree + 1 (m), degree + 2 (l, upward)]
    const double* harmonic_norm;       // N_lm^2 [n_harmonics]
    const double* harmonic_order;      // l - m [n_harmonics]
    const double* newton_node;    // [n_harmonics], those of each row in the order of use (newton_basis.hpp)
    const double* newton_matrix;  // row m: a column of the padded row's size for each of its entries
    const int* newton_row;        // start of that of row m, [degree + 1]

    CorrelationView correlation;
};

// Index of the unordered pair of species. Static: kernels of each instruction set need their own.
static inline int element_pair(int a, int b) {
    return a < b ? b * (b + 1) / 2 + a : a * (a + 1) / 2 + b;
}

// Tables start at a cache line, so that no vector of them crosses one.
template <class T>
struct AlignedAllocator {
    using value_type = T;
    static constexpr std::align_val_t alignment{64};
    AlignedAllocator() = default;
    template <class U>
    AlignedAllocator(const AlignedAllocator<U>&) noexcept {}
    T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), alignment)); }
    void deallocate(T* p, std::size_t) noexcept { ::operator delete(p, alignment); }
    bool operator==(const AlignedAllocator&) const = default;
};
using Table = std::vector<double, AlignedAllocator<double>>;

// Tables that a view points into.
class Tables {
  public:
    template <class T, class Allocator>
    const T* keep(std::vector<T, Allocator> table) {
        const auto owner = std::make_shared<const std::vector<T, Allocator>>(std::move(table));
        kept_.push_back(owner);
        return owner->data();
    }

  private:
    std::vector<std::shared_ptr<const void>> kept_;
};

class Plan {
  public:
    Plan(const DescriptorSpec& spec, std::span<const int> atomic_numbers);
    Plan(const Plan&) = delete;
    Plan& operator=(const Plan&) = delete;

    const PlanView& view() const { return view_; }

  private:
    PlanView view_{};
    Tables tables_;
    Correlations correlations_;
};

}  // namespace lmlp
