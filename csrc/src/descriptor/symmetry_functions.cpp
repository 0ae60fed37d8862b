// Descriptor specs: JSON to spec and back. Every key is known, every required key is there.
#include "lmlp/symmetry_functions.hpp"

#include <cmath>
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "descriptor/spec_check.hpp"
#include "functions/form_names.hpp"
#include "lmlp/error.hpp"
#include "names.hpp"

namespace lmlp {

namespace {

using Json = nlohmann::ordered_json;
using Names = std::vector<std::string>;

[[noreturn]] void fail(const std::string& where, const std::string& what) {
    throw Error(ErrorCode::invalid_argument, where + ": " + what);
}

// One JSON object: its keys are checked against what is allowed, its values are read with their place named.
class Reader {
  public:
    Reader(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
        if (!object.is_object()) fail(where_, "expected an object, given " + object.dump());
    }

    void allow_only(const Names& allowed, const std::string& reason) const {
        for (const auto& item : object_.items()) {
            bool known = false;
            for (const std::string& key : allowed) known = known || key == item.key();
            if (!known)
                fail(where_, "unknown key '" + item.key() + "'" + reason + "; allowed are " + join(allowed));
        }
    }
    bool has(const char* key) const { return object_.contains(key); }

    std::string text(const char* key) const {
        const Json& value = get(key);
        if (!value.is_string()) fail(place(key), "expected a string, given " + value.dump());
        return value.get<std::string>();
    }
    double number(const char* key) const {
        const Json& value = get(key);
        if (!value.is_number()) fail(place(key), "expected a number, given " + value.dump());
        return value.get<double>();
    }
    int integer(const char* key) const {
        const double value = number(key);
        if (value != std::floor(value) || std::fabs(value) > 1e9)
            fail(place(key), "expected an integer, given " + get(key).dump());
        return static_cast<int>(value);
    }
    bool boolean(const char* key) const {
        const Json& value = get(key);
        if (!value.is_boolean()) fail(place(key), "expected true or false, given " + value.dump());
        return value.get<bool>();
    }
    const Json& array(const char* key) const {
        const Json& value = get(key);
        if (!value.is_array()) fail(place(key), "expected a list, given " + value.dump());
        return value;
    }
    std::string place(const char* key) const { return where_ + "." + key; }

  private:
    const Json& get(const char* key) const {
        if (!object_.contains(key)) fail(where_, std::string("key '") + key + "' is missing");
        return object_.at(key);
    }
    const Json& object_;
    std::string where_;
};

bool has_shift(const DescriptorSpec& spec) {
    return facts(radial_form(spec)).has_shift;
}

const AngularFacts& angular_facts_of(const DescriptorSpec& spec) {
    return facts(angular_form(spec));
}

// Parameters that the angular form reads.
Names angular_parameters(const DescriptorSpec& spec) {
    const AngularFacts& form = angular_facts_of(spec);
    Names names;
    if (form.lambda) names.push_back("lambda");
    if (form.zeta) names.push_back("zeta");
    if (form.xi) names.push_back("xi");
    if (form.l) names.push_back("l");
    return names;
}

Names row_keys(const DescriptorSpec& spec, SymmetryFunction::Kind kind) {
    Names keys = {"kind", "weight", "eta"};
    if (has_shift(spec)) keys.push_back("shift");
    if (kind == SymmetryFunction::Kind::radial) return keys;
    if (spec.type == "eeACSF") keys.push_back("combine");
    keys.push_back("weight2");
    for (const std::string& key : angular_parameters(spec)) keys.push_back(key);
    return keys;
}

SymmetryFunction::Combine read_combine(const Reader& reader) {
    if (!reader.has("combine")) return SymmetryFunction::Combine::sum;
    const std::string name = reader.text("combine");
    if (name == "sum") return SymmetryFunction::Combine::sum;
    if (name == "difference") return SymmetryFunction::Combine::difference;
    if (name == "product") return SymmetryFunction::Combine::product;
    fail(reader.place("combine"), "'" + name + "' is unknown; allowed are sum, difference, product");
}

void read_angular(const Reader& reader, const DescriptorSpec& spec, SymmetryFunction& function) {
    function.combine = spec.type == "eeACSF" ? read_combine(reader) : SymmetryFunction::Combine::sum;
    const bool two_weights = spec.type == "ACSF" || function.combine == SymmetryFunction::Combine::product;
    if (two_weights) {
        function.weight2 = reader.text("weight2");
    } else if (reader.has("weight2")) {
        fail(reader.place("weight2"), "only combine 'product' and type 'ACSF' have a second weight");
    }
    const AngularFacts& form = angular_facts_of(spec);
    if (form.lambda) function.lambda = reader.number("lambda");
    if (form.zeta) function.zeta = reader.integer("zeta");
    if (form.xi) function.xi = reader.number("xi");
    if (form.l) function.l = reader.integer("l");
}

CorrelationFactor read_factor(const Json& json, const DescriptorSpec& spec, const std::string& where) {
    const Reader reader(json, where);
    Names keys = {"weight", "eta", "l"};
    if (has_shift(spec)) keys.push_back("shift");
    reader.allow_only(keys, " for a factor with radial form " + spec.radial);
    CorrelationFactor factor;
    factor.weight = reader.text("weight");
    factor.eta = reader.number("eta");
    if (has_shift(spec)) factor.shift = reader.number("shift");
    factor.l = reader.integer("l");
    return factor;
}

void read_correlation(const Reader& reader, const DescriptorSpec& spec, SymmetryFunction& function) {
    function.kind = SymmetryFunction::Kind::correlation;
    reader.allow_only({"kind", "factors"}, " for a correlation function");
    std::size_t index = 0;
    for (const Json& json : reader.array("factors"))
        function.factors.push_back(
            read_factor(json, spec, reader.place("factors") + "[" + std::to_string(index++) + "]"));
}

SymmetryFunction read_function(const Json& row, const DescriptorSpec& spec, std::size_t index) {
    const Reader reader(row, "descriptor.functions[" + std::to_string(index) + "]");
    SymmetryFunction function;
    const std::string kind = reader.text("kind");
    if (kind == "correlation") {
        read_correlation(reader, spec, function);
        return function;
    }
    if (kind != "radial" && kind != "angular")
        fail(reader.place("kind"), "'" + kind + "' is unknown; allowed are radial, angular, correlation");
    if (kind == "angular") {
        function.kind = SymmetryFunction::Kind::angular;
        if (spec.angular.empty())
            fail("descriptor", "key 'angular' is missing, but there are angular functions");
    }
    std::string reason = " for a " + kind + " function of type " + spec.type + ", radial form " + spec.radial;
    if (kind == "angular") reason += ", angular form " + spec.angular;
    reader.allow_only(row_keys(spec, function.kind), reason);
    function.weight = reader.text("weight");
    function.eta = reader.number("eta");
    if (has_shift(spec)) function.shift = reader.number("shift");
    if (kind == "angular") read_angular(reader, spec, function);
    return function;
}

Json parse(const std::string& text) {
    try {
        return Json::parse(text);
    } catch (const nlohmann::json::exception& error) {
        throw Error(ErrorCode::invalid_argument,
                    std::string("descriptor is not valid JSON: ") + error.what());
    }
}

Json correlation_to_json(const DescriptorSpec& spec, const SymmetryFunction& function) {
    Json row;
    row["kind"] = "correlation";
    row["factors"] = Json::array();
    for (const CorrelationFactor& factor : function.factors) {
        Json json;
        json["weight"] = factor.weight;
        json["eta"] = factor.eta;
        if (has_shift(spec)) json["shift"] = factor.shift;
        json["l"] = factor.l;
        row["factors"].push_back(json);
    }
    return row;
}

Json function_to_json(const DescriptorSpec& spec, const SymmetryFunction& function) {
    if (function.kind == SymmetryFunction::Kind::correlation) return correlation_to_json(spec, function);
    const bool angular = function.kind == SymmetryFunction::Kind::angular;
    Json row;
    row["kind"] = angular ? "angular" : "radial";
    row["weight"] = function.weight;
    if (angular && spec.type == "eeACSF") {
        const char* names[] = {"sum", "difference", "product"};
        row["combine"] = names[static_cast<int>(function.combine)];
    }
    if (angular && !function.weight2.empty()) row["weight2"] = function.weight2;
    row["eta"] = function.eta;
    if (has_shift(spec)) row["shift"] = function.shift;
    if (!angular) return row;
    const AngularFacts& form = angular_facts_of(spec);
    if (form.lambda) row["lambda"] = function.lambda;
    if (form.zeta) row["zeta"] = function.zeta;
    if (form.xi) row["xi"] = function.xi;
    if (form.l) row["l"] = function.l;
    return row;
}

}  // namespace

const std::vector<std::string>& radial_names() {
    static const Names names = form_names(radial_facts);
    return names;
}

const std::vector<std::string>& angular_names() {
    static const Names names = form_names(angular_facts);
    return names;
}

const std::vector<std::string>& scaling_names() {
    static const Names names = form_names(scaling_facts);
    return names;
}

DescriptorSpec DescriptorSpec::from_json(const std::string& text) {
    const Json json = parse(text);
    const Reader reader(json, "descriptor");
    reader.allow_only({"type", "cutoff", "angular_cutoff", "radial", "angular", "scaling", "table",
                       "allow_nonsmooth", "functions"},
                      "");
    DescriptorSpec spec;
    spec.type = reader.text("type");
    spec.cutoff = reader.number("cutoff");
    spec.angular_cutoff = reader.has("angular_cutoff") ? reader.number("angular_cutoff") : spec.cutoff;
    spec.radial = reader.text("radial");
    spec.angular = reader.has("angular") ? reader.text("angular") : "";
    spec.scaling = reader.text("scaling");
    if (reader.has("table")) spec.table = reader.text("table");
    if (reader.has("allow_nonsmooth")) spec.allow_nonsmooth = reader.boolean("allow_nonsmooth");
    check_header(spec);
    std::size_t index = 0;
    for (const Json& row : reader.array("functions"))
        spec.functions.push_back(read_function(row, spec, index++));
    spec.check();
    return spec;
}

std::string DescriptorSpec::to_json() const {
    Json json;
    json["type"] = type;
    json["cutoff"] = cutoff;
    if (angular_cutoff != cutoff) json["angular_cutoff"] = angular_cutoff;
    json["radial"] = radial;
    if (!angular.empty()) json["angular"] = angular;
    json["scaling"] = scaling;
    if (type == "eeACSF") json["table"] = table;
    if (allow_nonsmooth) json["allow_nonsmooth"] = true;
    json["functions"] = Json::array();
    for (const SymmetryFunction& function : functions)
        json["functions"].push_back(function_to_json(*this, function));
    return json.dump();
}

}  // namespace lmlp
