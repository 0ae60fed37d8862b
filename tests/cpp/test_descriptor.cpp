// Descriptors of every form on both paths, with odd numbers of neighbors: for sanitizers, and backward
// against tangent. Values are tested in Python against the reference.
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "functions/form_names.hpp"
#include "lmlp/descriptor.hpp"
#include "lmlp/error.hpp"

namespace {

std::string angular_parameters(const std::string& angular, int i) {
    const std::string lambda = i % 2 ? "1" : angular == "bump" ? "0" : "-1";
    if (angular == "cos_int") return "\"lambda\":" + lambda + ",\"zeta\":" + std::to_string(1 + 3 * i);
    if (angular == "cos") return "\"lambda\":" + lambda + ",\"zeta\":2,\"xi\":" + std::to_string(1 + i);
    if (angular == "bump") return "\"lambda\":" + lambda + ",\"xi\":1.5";
    return "\"l\":" + std::to_string(i);
}

bool has_shift(const std::string& radial) {
    return lmlp::radial_facts[lmlp::form_index(lmlp::radial_facts, radial)].has_shift;
}

// n_radials distinct radial functions, of which each serves n_angulars angular ones
std::string spec(const std::string& radial, const std::string& angular, int n_radials, int n_angulars) {
    std::string rows;
    for (int r = 0; r < n_radials; ++r) {
        const std::string eta = "\"eta\":" + std::to_string(0.1 + 0.2 * r);
        const std::string shift = has_shift(radial) ? ",\"shift\":1.5" : "";
        rows += std::string(r ? "," : "") + "{\"kind\":\"radial\",\"weight\":\"s\"," + eta + shift + "}";
        for (int a = 0; a < n_angulars; ++a)
            rows += ",{\"kind\":\"angular\",\"weight\":\"n\"," + eta + shift + "," +
                    angular_parameters(angular, a) + "}";
    }
    return R"({"type":"eeACSF","cutoff":5.0,"angular_cutoff":4.0,"scaling":"linear","radial":")" + radial +
           R"(","angular":")" + angular + R"(","functions":[)" + rows + "]}";
}

struct Data {
    std::vector<std::int64_t> offsets = {0};
    std::vector<std::int32_t> species;
    std::vector<double> vectors;
    lmlp::Environments view() const {
        return {static_cast<std::int64_t>(offsets.size()) - 1, offsets.data(), species.data(),
                vectors.data()};
    }
};

Data random_data(std::mt19937& random) {
    std::normal_distribution<double> normal;
    Data data;
    for (int n : {0, 1, 2, 3, 5, 8, 9, 16, 17, 33}) {
        for (int p = 0; p < n; ++p) {
            data.species.push_back(static_cast<std::int32_t>(random() % 3));
            for (int k = 0; k < 3; ++k) data.vectors.push_back(2 * normal(random));
        }
        data.offsets.push_back(data.offsets.back() + n);
    }
    return data;
}

void check_adjoint(const std::string& text, lmlp::AngularPath path, std::mt19937& random) {
    const std::vector<int> elements = {1, 8, 26};
    const lmlp::Descriptor descriptor(lmlp::DescriptorSpec::from_json(text), elements);
    const Data data = random_data(random);
    const lmlp::Environments environments = data.view();
    const lmlp::ComputeOptions options{2, path};
    std::normal_distribution<double> normal;
    const int sides = 2;
    const std::size_t n_g = environments.n_centers * descriptor.n_features();
    std::vector<double> g(n_g), v(sides * n_g), d_g(sides * n_g);
    std::vector<double> d(sides * data.vectors.size()), pairs(sides * data.vectors.size());
    for (double& x : v) x = normal(random);
    for (double& x : d) x = normal(random);
    descriptor.features(environments, g.data(), options);
    descriptor.backward(environments, v.data(), sides, pairs.data(), options);
    descriptor.tangent(environments, d.data(), sides, d_g.data(), options);
    for (double x : g) CHECK(std::isfinite(x));
    for (int s = 0; s < sides; ++s) {
        double left = 0, right = 0, size = 1e-3;
        for (std::size_t i = 0; i < data.vectors.size(); ++i)
            left += pairs[s * data.vectors.size() + i] * d[s * data.vectors.size() + i];
        for (std::size_t i = 0; i < n_g; ++i) {
            right += v[s * n_g + i] * d_g[s * n_g + i];
            size += std::fabs(v[s * n_g + i] * d_g[s * n_g + i]);
        }
        CHECK(std::fabs(left - right) < 1e-11 * size);
    }
}

// A kept state gives the same bits as computing everything again, as often as it is asked.
void check_state(const std::string& text, lmlp::AngularPath path, std::mt19937& random) {
    const std::vector<int> elements = {1, 8, 26};
    const lmlp::Descriptor descriptor(lmlp::DescriptorSpec::from_json(text), elements);
    Data data = random_data(random);
    std::normal_distribution<double> normal;
    for (int p = 0; p < 40; ++p) {  // a narrow bundle: sums of 1/2 - 1/2 cos cancel
        data.species.push_back(0);
        for (int k = 0; k < 3; ++k) data.vectors.push_back((k == 2 ? 2 : 0) + 0.01 * normal(random));
    }
    data.offsets.push_back(data.offsets.back() + 40);
    const lmlp::Environments environments = data.view();
    const lmlp::ComputeOptions options{1, path};
    const std::size_t n_g = environments.n_centers * descriptor.n_features();
    std::vector<double> g(n_g), kept_g(n_g), v(2 * n_g);
    std::vector<double> pairs(2 * data.vectors.size()), kept_pairs(pairs.size());
    for (double& x : v) x = normal(random);
    lmlp::DescriptorState state;
    for (int again = 0; again < 2; ++again) {
        descriptor.features(environments, g.data(), options);
        descriptor.features(environments, kept_g.data(), state, options);
        CHECK(g == kept_g);
        for (int sides : {1, 2}) {
            descriptor.backward(environments, v.data(), sides, pairs.data(), options);
            descriptor.backward(environments, v.data(), sides, kept_pairs.data(), state, options);
            CHECK(pairs == kept_pairs);
        }
    }
    lmlp::Environments fewer = environments;
    --fewer.n_centers;
    bool refused = false;
    try {
        descriptor.backward(fewer, v.data(), 1, pairs.data(), state, options);
    } catch (const lmlp::Error&) {
        refused = true;
    }
    CHECK(refused);
}

void check_states(std::mt19937& random) {
    for (const char* angular : {"cos_int", "cos", "bump"}) {
        const std::string linear = spec("gaussian_bump", angular, 3, 2);
        std::string root = linear;
        root.replace(root.find("linear"), 6, "sqrt");
        for (const std::string& text : {linear, root})
            check_state(text, lmlp::AngularPath::automatic, random);
        if (std::string(angular) == "bump") continue;
        for (const std::string& text : {linear, root}) check_state(text, lmlp::AngularPath::moments, random);
    }
}

}  // namespace

int main() {
    std::mt19937 random(1);
    for (const std::string& radial : lmlp::radial_names())
        for (const std::string& angular : lmlp::angular_names())
            for (const int n : {1, 2, 3, 7}) {
                check_adjoint(spec(radial, angular, n, 4), lmlp::AngularPath::triples, random);
                if (angular == "bump") continue;
                check_adjoint(spec(radial, angular, n, 4), lmlp::AngularPath::moments, random);
                check_adjoint(spec(radial, angular, n, 4), lmlp::AngularPath::automatic, random);
            }
    // degrees around the widths of vectors
    for (int l = 1; l < 18; ++l)
        check_adjoint(spec("bump", "cos_int", 1, 1 + l / 3), lmlp::AngularPath::moments, random);
    check_states(random);
    return finish();
}
