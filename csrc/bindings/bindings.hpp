// What every binding file shares: array checks at the border and one function per area.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <string>

#include "lmlp/error.hpp"

namespace lmlp {

namespace py = pybind11;

// Row-major arrays; other layouts and types are converted on entry, never read wrongly.
template <class T>
using Array = py::array_t<T, py::array::c_style | py::array::forcecast>;

void bind_errors(py::module_& module);
void bind_elements(py::module_& module);
void bind_descriptor(py::module_& module);
void bind_jacobian(py::module_& module);
void bind_neighbor_list(py::module_& module);
void bind_potential(py::module_& module);

// Shape check with a message that names the array, the given and the expected shape (-1: any).
template <class T>
void expect_shape(const Array<T>& array, const char* name, std::initializer_list<py::ssize_t> shape) {
    bool fits = static_cast<std::size_t>(array.ndim()) == shape.size();
    py::ssize_t axis = 0;
    std::string expected;
    for (py::ssize_t n : shape) {
        fits = fits && (n < 0 || array.shape(axis) == n);
        expected += (axis ? ", " : "") + (n < 0 ? std::string("*") : std::to_string(n));
        ++axis;
    }
    if (fits) return;
    std::string given;
    for (py::ssize_t i = 0; i < array.ndim(); ++i) given += (i ? ", " : "") + std::to_string(array.shape(i));
    throw Error(ErrorCode::invalid_argument,
                std::string(name) + " has shape [" + given + "], expected [" + expected + "]");
}

}  // namespace lmlp
