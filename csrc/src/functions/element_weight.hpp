// Element weights of eeACSFs and of plain ACSFs (element mode). Evaluated once, at construction.
#pragma once

#include <cstdlib>
#include <string>

#include "lmlp/elements.hpp"
#include "lmlp/symmetry_functions.hpp"

namespace lmlp {

// w(Z_j) = h_t(Z_j) / M_t
struct PropertyWeight {
    static double radial(const ElementTable& table, int property, int z) {
        return static_cast<double>(table.value(z, property)) / table.maximum(property);
    }
};

// w = [h(j) + h(k)] / (2 M)
struct SumWeight {
    static double angular(const ElementTable& table, int property, int z_j, int z_k) {
        return static_cast<double>(table.value(z_j, property) + table.value(z_k, property)) /
               (2 * table.maximum(property));
    }
};

// w = (|h(j) - h(k)| + b) / M;  b = 1, but 0 where both h are 0
struct DifferenceWeight {
    static double angular(const ElementTable& table, int property, int z_j, int z_k) {
        const int h_j = table.value(z_j, property);
        const int h_k = table.value(z_k, property);
        const int b = h_j == 0 && h_k == 0 ? 0 : 1;
        return static_cast<double>(std::abs(h_j - h_k) + b) / table.maximum(property);
    }
};

// w = [h(j) h'(k) + h'(j) h(k)] / (2 M M')
struct ProductWeight {
    static double angular(const ElementTable& table, int property, int property2, int z_j, int z_k) {
        const int sum = table.value(z_j, property) * table.value(z_k, property2) +
                        table.value(z_j, property2) * table.value(z_k, property);
        return static_cast<double>(sum) / (2 * table.maximum(property) * table.maximum(property2));
    }
};

// Element mode: a radial function selects one element, an angular one an unordered element pair, weight 2.
struct SelectWeight {
    static double radial(const std::string& selected, int z) {
        return atomic_number(selected) == z ? 1.0 : 0.0;
    }
    static double angular(const SymmetryFunction& function, int z_j, int z_k) {
        const int z_1 = atomic_number(function.weight);
        const int z_2 = atomic_number(function.weight2);
        return (z_j == z_1 && z_k == z_2) || (z_j == z_2 && z_k == z_1) ? 2.0 : 0.0;
    }
};

inline double radial_weight(const DescriptorSpec& spec, const SymmetryFunction& function, int z) {
    if (spec.type == "ACSF") return SelectWeight::radial(function.weight, z);
    const ElementTable& table = ElementTable::get(spec.table);
    return PropertyWeight::radial(table, table.index(function.weight), z);
}

inline double angular_weight(const DescriptorSpec& spec, const SymmetryFunction& function, int z_j, int z_k) {
    if (spec.type == "ACSF") return SelectWeight::angular(function, z_j, z_k);
    const ElementTable& table = ElementTable::get(spec.table);
    const int property = table.index(function.weight);
    switch (function.combine) {
        case SymmetryFunction::Combine::sum:
            return SumWeight::angular(table, property, z_j, z_k);
        case SymmetryFunction::Combine::difference:
            return DifferenceWeight::angular(table, property, z_j, z_k);
        case SymmetryFunction::Combine::product:
            break;
    }
    return ProductWeight::angular(table, property, table.index(function.weight2), z_j, z_k);
}

}  // namespace lmlp
