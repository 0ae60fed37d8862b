// What a descriptor consists of, as written in a model file. Parsing checks everything a user can get wrong.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace lmlp {

// One density of a correlation function: rho(n) = sum_j w(Z_j) f(R_ij) P_l(u_ij . n) on the unit sphere.
struct CorrelationFactor {
    std::string weight = "1";
    double eta = 0.0;
    double shift = 0.0;
    int l = 0;
};

struct SymmetryFunction {
    enum class Kind { radial, angular, correlation };
    enum class Combine { sum, difference, product };

    Kind kind = Kind::radial;
    // eeACSF mode: name of an element property ("1", "n", "s", ...). Element mode: a chemical symbol.
    std::string weight = "1";
    // angular: second property of `product`, second symbol in element mode
    std::string weight2;
    Combine combine = Combine::sum;
    double eta = 0.0;    // 1/Angstrom^2, dimensionless for the radial form `bump`
    double shift = 0.0;  // Angstrom, only for radial forms that have one
    double lambda = 1.0;
    int zeta = 1;
    double xi = 1.0;  // integer for `cos`
    int l = 0;        // only for `legendre`
    // Only for `correlation`, which has no other parameter: the mean over the unit sphere of their product.
    std::vector<CorrelationFactor> factors;
};

struct DescriptorSpec {
    std::string type = "eeACSF";  // or "ACSF": element mode
    double cutoff = 6.0;          // Angstrom
    double angular_cutoff = 6.0;  // Angstrom, <= cutoff
    std::string radial = "gaussian_bump";
    std::string angular = "cos";
    std::string scaling = "sqrt";
    std::string table = "h-xe";
    bool allow_nonsmooth = false;  // accept combinations whose forces have a cusp or a jump
    std::vector<SymmetryFunction> functions;

    // Throws Error(invalid_argument) that names the row, the key, what was given and what is allowed.
    static DescriptorSpec from_json(const std::string& text);
    std::string to_json() const;
    // What from_json() checks beyond syntax; for specs made in code. Throws Error(invalid_argument).
    void check() const;
};

// Weights of every function: per element (radial), per unordered element pair (angular) in the order (0,0),
// (0,1), (1,1), (0,2), ..., per factor and element (correlation). Throws Error(unknown_element) where an
// element is not in the table.
std::vector<std::vector<double>> element_weights(const DescriptorSpec& spec,
                                                 std::span<const int> atomic_numbers);

// Limits of the integer parameters zeta and xi (of `cos`) and l.
inline constexpr int max_power = 1024;
inline constexpr int max_legendre = 64;
// Limits of correlation functions: number of factors, l of a factor.
inline constexpr int min_factors = 2;
inline constexpr int max_factors = 4;
inline constexpr int max_correlation_l = 8;

// Names known to the core: what specs, bindings and tests enumerate.
const std::vector<std::string>& radial_names();
const std::vector<std::string>& angular_names();
const std::vector<std::string>& scaling_names();

}  // namespace lmlp
