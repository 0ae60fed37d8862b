// Chemical symbols and the two tables of element properties.
#include "lmlp/elements.hpp"

#include <algorithm>
#include <array>

#include "lmlp/error.hpp"
#include "names.hpp"

namespace lmlp {

namespace {

constexpr std::array<std::string_view, max_atomic_number + 1> symbols = {
    "",   "H",  "He", "Li", "Be", "B",  "C",  "N",  "O",  "F",  "Ne", "Na", "Mg", "Al", "Si", "P",  "S",
    "Cl", "Ar", "K",  "Ca", "Sc", "Ti", "V",  "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As",
    "Se", "Br", "Kr", "Rb", "Sr", "Y",  "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In", "Sn",
    "Sb", "Te", "I",  "Xe", "Cs", "Ba", "La", "Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho",
    "Er", "Tm", "Yb", "Lu", "Hf", "Ta", "W",  "Re", "Os", "Ir", "Pt", "Au", "Hg", "Tl", "Pb", "Bi", "Po",
    "At", "Rn", "Fr", "Ra", "Ac", "Th", "Pa", "U",  "Np", "Pu", "Am", "Cm", "Bk", "Cf", "Es", "Fm", "Md",
    "No", "Lr", "Rf", "Db", "Sg", "Bh", "Hs", "Mt", "Ds", "Rg", "Cn", "Nh", "Fl", "Mc", "Lv", "Ts", "Og"};

// Place in the periodic table: period n, main-group number s (2 throughout the d and f blocks), d, f.
struct Place {
    int n, s, d, f;
};

Place place(int z) {
    constexpr std::array<int, 8> first = {1, 3, 11, 19, 37, 55, 87, 119};
    int n = 1;
    while (z >= first[n]) ++n;
    const int column = z - first[n - 1];
    if (n == 1) return {1, z == 1 ? 1 : 8, 0, 0};
    if (column < 2) return {n, column + 1, 0, 0};
    const int n_f = n >= 6 ? 14 : 0;
    const int n_d = n >= 4 ? 10 : 0;
    if (column < 2 + n_f) return {n, 2, 0, column - 1};
    if (column < 2 + n_f + n_d) return {n, 2, column - 1 - n_f, 0};
    return {n, column + 1 - n_f - n_d, 0, 0};
}

int property_value(std::string_view property, int z) {
    const Place p = place(z);
    if (property == "1") return 1;
    if (property == "n") return p.n;
    if (property == "s") return p.s;
    if (property == "d") return p.d;
    if (property == "f") return p.f;
    if (property == "6-n") return 6 - p.n;
    if (property == "8-n") return 8 - p.n;
    if (property == "9-s") return 9 - p.s;
    if (property == "11-d") return p.d > 0 ? 11 - p.d : 0;
    return p.f > 0 ? 15 - p.f : 0;  // 15-f
}

}  // namespace

int atomic_number(std::string_view symbol) {
    const auto found = std::find(symbols.begin() + 1, symbols.end(), symbol);
    if (found == symbols.end())
        throw Error(ErrorCode::unknown_element,
                    "unknown element '" + std::string(symbol) + "': expected a chemical symbol from H to Og");
    return static_cast<int>(found - symbols.begin());
}

std::string_view symbol(int atomic_number) {
    if (atomic_number < 1 || atomic_number > max_atomic_number)
        throw Error(ErrorCode::unknown_element,
                    "unknown atomic number " + std::to_string(atomic_number) + ": expected 1 to 118");
    return symbols[atomic_number];
}

ElementTable::ElementTable(std::string name, int max_atomic_number, std::vector<std::string> properties,
                           std::vector<int> maxima)
    : name_(std::move(name)),
      max_atomic_number_(max_atomic_number),
      properties_(std::move(properties)),
      maxima_(std::move(maxima)) {
    for (int z = 1; z <= max_atomic_number_; ++z)
        for (const std::string& property : properties_) values_.push_back(property_value(property, z));
}

const ElementTable& ElementTable::get(std::string_view name) {
    static const std::vector<ElementTable> tables = {
        ElementTable("h-xe", 54, {"1", "n", "s", "d", "6-n", "9-s", "11-d"}, {1, 5, 8, 10, 5, 8, 10}),
        ElementTable("h-og", 118, {"1", "n", "s", "d", "f", "8-n", "9-s", "11-d", "15-f"},
                     {1, 7, 8, 10, 14, 7, 8, 10, 14})};
    for (const ElementTable& table : tables)
        if (table.name() == name) return table;
    throw Error(ErrorCode::invalid_argument,
                "unknown element table '" + std::string(name) + "': expected one of " + join(names()));
}

const std::vector<std::string>& ElementTable::names() {
    static const std::vector<std::string> names = {"h-xe", "h-og"};
    return names;
}

int ElementTable::index(std::string_view property) const {
    const auto found = std::find(properties_.begin(), properties_.end(), property);
    if (found == properties_.end())
        throw Error(ErrorCode::invalid_argument, "unknown element property '" + std::string(property) +
                                                     "': table " + name_ + " has " + join(properties_));
    return static_cast<int>(found - properties_.begin());
}

int ElementTable::value(int atomic_number, int property) const {
    if (atomic_number < 1 || atomic_number > max_atomic_number_)
        throw Error(ErrorCode::unknown_element, "element " + std::string(symbol(atomic_number)) +
                                                    " is not in table " + name_ + ", which ends at " +
                                                    std::string(symbol(max_atomic_number_)) +
                                                    (name_ == "h-xe" ? ": use table h-og" : ""));
    return values_[(atomic_number - 1) * properties_.size() + property];
}

}  // namespace lmlp
