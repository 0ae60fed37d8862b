// What a descriptor spec may contain: ranges, names, and combinations that would give unusable forces.
#include "descriptor/spec_check.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "functions/form_names.hpp"
#include "lmlp/elements.hpp"
#include "lmlp/error.hpp"
#include "names.hpp"

namespace lmlp {

namespace {

using Kind = SymmetryFunction::Kind;
using Combine = SymmetryFunction::Combine;

std::string number(double value) {
    std::ostringstream text;
    text.precision(12);
    text << value;
    return text.str();
}

[[noreturn]] void fail(const std::string& where, const std::string& what) {
    throw Error(ErrorCode::invalid_argument, where + ": " + what);
}

[[noreturn]] void fail_value(const std::string& where, double given, const std::string& allowed) {
    fail(where, "given " + number(given) + ", allowed is " + allowed);
}

void check_name(const std::string& where, const std::string& given, const std::vector<std::string>& allowed) {
    if (std::find(allowed.begin(), allowed.end(), given) == allowed.end())
        fail(where, "'" + given + "' is unknown; allowed are " + join(allowed));
}

void check_nonsmooth(const DescriptorSpec& spec, const std::string& where, const std::string& what) {
    if (!spec.allow_nonsmooth)
        fail(where, what + "; set \"allow_nonsmooth\": true in the descriptor to use it nevertheless");
}

void check_weight(const DescriptorSpec& spec, const SymmetryFunction& f, const std::string& row) {
    const bool angular = f.kind == Kind::angular;
    try {
        if (spec.type == "ACSF") {
            atomic_number(f.weight);
            if (angular) atomic_number(f.weight2);
            return;
        }
        const ElementTable& table = ElementTable::get(spec.table);
        const int property = table.index(f.weight);
        if (!angular) return;
        if (f.combine == Combine::product) table.index(f.weight2);
        if (f.combine == Combine::difference && property == 0)
            fail(row + ".combine", "'difference' of property 1 is the same as its sum; use 'sum'");
    } catch (const Error& error) {
        const std::string message = error.what();
        if (message.rfind(row, 0) == 0) throw;
        fail(row + ".weight", message);
    }
}

void check_radial(const DescriptorSpec& spec, double eta, double shift, const std::string& row) {
    if (!std::isfinite(eta) || eta < 0) fail_value(row + ".eta", eta, "0 or more");
    const RadialFacts& form = facts(radial_form(spec));
    if (!form.zero_eta && eta == 0)
        fail_value(row + ".eta", eta, "more than 0 for the radial form " + spec.radial);
    if (eta < form.smooth_eta)
        check_nonsmooth(spec, row + ".eta",
                        "given " + number(eta) + ", but the radial form " + spec.radial +
                            " jumps at the cutoff below " + number(form.smooth_eta));
    if (!std::isfinite(shift) || shift < 0) fail_value(row + ".shift", shift, "0 or more");
    if (!form.has_shift && shift != 0)
        fail_value(row + ".shift", shift, "0 for the radial form " + spec.radial);
}

// Zero for every structure unless l of all factors can couple to 0.
void check_coupling(const SymmetryFunction& f, const std::string& row) {
    int total = 0, largest = 0;
    for (const CorrelationFactor& factor : f.factors) {
        total += factor.l;
        largest = std::max(largest, factor.l);
    }
    if (total % 2 == 0 && 2 * largest <= total) return;
    fail(row + ".factors", "l of " +
                               join(f.factors, [](const CorrelationFactor& factor) { return factor.l; }) +
                               " give zero for every structure; their sum must be even, and none may be "
                               "larger than the sum of the others");
}

void check_factor(const DescriptorSpec& spec, const CorrelationFactor& factor, const std::string& where) {
    try {
        if (spec.type == "ACSF")
            atomic_number(factor.weight);
        else
            ElementTable::get(spec.table).index(factor.weight);
    } catch (const Error& error) {
        fail(where + ".weight", error.what());
    }
    check_radial(spec, factor.eta, factor.shift, where);
    if (factor.l < 0 || factor.l > max_correlation_l)
        fail_value(where + ".l", factor.l, "an integer from 0 to " + std::to_string(max_correlation_l));
}

void check_correlation(const DescriptorSpec& spec, const SymmetryFunction& f, const std::string& row) {
    const int n = static_cast<int>(f.factors.size());
    if (n < min_factors || n > max_factors)
        fail(row + ".factors", "given " + std::to_string(n) + " factors, allowed are " +
                                   std::to_string(min_factors) + " to " + std::to_string(max_factors));
    for (int k = 0; k < n; ++k) check_factor(spec, f.factors[k], row + ".factors[" + std::to_string(k) + "]");
    check_coupling(f, row);
    if (spec.scaling != "linear")
        fail(row, "a correlation function may change sign: it needs scaling linear, given " + spec.scaling);
    if (!facts(angular_form(spec)).polynomial)
        fail(row, "correlation functions are built on moments, which the angular form " + spec.angular +
                      " does not have");
}

void check_power(const std::string& where, double given) {
    if (!(given >= 1 && given <= max_power) || given != std::floor(given))
        fail_value(where, given, "an integer from 1 to " + std::to_string(max_power));
}

void check_bump_angle(const DescriptorSpec& spec, const SymmetryFunction& f, const std::string& row) {
    if (!(f.xi > 0) || !std::isfinite(f.xi)) fail_value(row + ".xi", f.xi, "more than 0");
    if (!(f.lambda >= 0 && f.lambda <= 1)) fail_value(row + ".lambda", f.lambda, "0 to 1");
    if (f.lambda != 0 && f.lambda != 1)
        check_nonsmooth(
            spec, row + ".lambda",
            "given " + number(f.lambda) +
                ", but the angular form bump has a force cusp at 0 and 180 degrees unless lambda is 0 or 1");
}

void check_legendre(const DescriptorSpec& spec, const SymmetryFunction& f, const std::string& row) {
    if (f.l < 0 || f.l > max_legendre)
        fail_value(row + ".l", f.l, "an integer from 0 to " + std::to_string(max_legendre));
    if (f.l > 0 && spec.scaling != "linear")
        fail(row + ".l", "given " + std::to_string(f.l) +
                             ", but a Legendre sum with l > 0 changes sign: scaling " + spec.scaling +
                             " needs l = 0, or use scaling linear");
}

void check_power_of_cosine(const DescriptorSpec& spec, const SymmetryFunction& f, const std::string& row) {
    if (f.lambda != 1 && f.lambda != -1) fail_value(row + ".lambda", f.lambda, "1 or -1");
    check_power(row + ".zeta", f.zeta);
    if (facts(angular_form(spec)).xi) check_power(row + ".xi", f.xi);
}

void check_angular(const DescriptorSpec& spec, const SymmetryFunction& f, const std::string& row) {
    switch (angular_form(spec)) {
        case AngularForm::cos_int:
        case AngularForm::cos:
            return check_power_of_cosine(spec, f, row);
        case AngularForm::bump:
            return check_bump_angle(spec, f, row);
        case AngularForm::legendre:
            return check_legendre(spec, f, row);
    }
}

}  // namespace

void check_header(const DescriptorSpec& spec) {
    check_name("descriptor.type", spec.type, {"eeACSF", "ACSF"});
    if (!(spec.cutoff > 0) || !std::isfinite(spec.cutoff))
        fail_value("descriptor.cutoff", spec.cutoff, "more than 0 Angstrom");
    if (!(spec.angular_cutoff > 0 && spec.angular_cutoff <= spec.cutoff))
        fail_value("descriptor.angular_cutoff", spec.angular_cutoff,
                   "more than 0, at most the cutoff " + number(spec.cutoff));
    check_name("descriptor.radial", spec.radial, radial_names());
    if (!spec.angular.empty()) check_name("descriptor.angular", spec.angular, angular_names());
    check_name("descriptor.scaling", spec.scaling, scaling_names());
    if (spec.type == "eeACSF") check_name("descriptor.table", spec.table, ElementTable::names());
    if (spec.scaling == "sqrt" && !facts(radial_form(spec)).smooth_root)
        check_nonsmooth(spec, "descriptor.scaling",
                        "sqrt with the radial form " + spec.radial + " makes the forces jump at the cutoff");
}

void DescriptorSpec::check() const {
    check_header(*this);
    if (functions.empty()) fail("descriptor.functions", "there must be at least one function");
    for (std::size_t i = 0; i < functions.size(); ++i) {
        const std::string row = "descriptor.functions[" + std::to_string(i) + "]";
        if (functions[i].kind == Kind::correlation) {
            check_correlation(*this, functions[i], row);
            continue;
        }
        check_weight(*this, functions[i], row);
        check_radial(*this, functions[i].eta, functions[i].shift, row);
        if (functions[i].kind != Kind::angular) continue;
        if (angular.empty()) fail("descriptor", "key 'angular' is missing, but there are angular functions");
        check_angular(*this, functions[i], row);
    }
}

}  // namespace lmlp
