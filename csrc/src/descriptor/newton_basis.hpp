// Newton's form of the polynomials q_lm of PlanView: sums over l become
//   sum_l c_l q_lm(z) = sum_i d_i (z - t_0) ... (z - t_i-1),   d = T c,
// whose value and slope take one operation per term each. The nodes t are Leja points for the weight
// (1 - z^2)^(m/2) that harmonics of this m carry: with them the form is as accurate as the recurrence of the
// q_lm, measured up to degree 64.
#pragma once

#include <span>
#include <vector>

namespace lmlp {

// n nodes for harmonics of order m.
std::vector<double> leja_points(int m, int n);

// T [n (i), n (l - m)], upper triangular; beta[l - m] belongs to q_lm = z q_l-1,m - beta q_l-2,m.
std::vector<double> newton_coefficients(std::span<const double> nodes, std::span<const double> beta);

}  // namespace lmlp
