// lmlp::Error crosses into Python as the matching class of lmlp.errors.
#include <pybind11/pybind11.h>

#include <string_view>

#include "bindings.hpp"

namespace lmlp {

namespace {

const char* python_name(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid_argument:
            return "InvalidArgumentError";
        case ErrorCode::unknown_element:
            return "UnknownElementError";
        case ErrorCode::geometry:
            return "GeometryError";
        case ErrorCode::model_file:
            return "ModelFileError";
        case ErrorCode::uncertainty:
            return "UncertaintyError";
        case ErrorCode::not_finite:
            return "NotFiniteError";
        default:
            return "LMLPError";
    }
}

}  // namespace

void bind_errors(py::module_&) {
    py::register_local_exception_translator([](std::exception_ptr pointer) {
        try {
            if (pointer) std::rethrow_exception(pointer);
        } catch (const Error& error) {
            const py::object type =
                error.code() == ErrorCode::io
                    ? py::reinterpret_borrow<py::object>(PyExc_OSError)
                    : py::object(py::module_::import("lmlp.errors").attr(python_name(error.code())));
            // a path may be no valid UTF-8
            const std::string_view text = error.what();
            const auto message = py::reinterpret_steal<py::object>(
                PyUnicode_DecodeUTF8(text.data(), static_cast<py::ssize_t>(text.size()), "backslashreplace"));
            PyErr_SetObject(type.ptr(), message.ptr());
        }
    });
}

}  // namespace lmlp
