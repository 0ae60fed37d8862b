// Error type of the core. Messages name what was given, what is allowed, and where.
#pragma once

#include <stdexcept>
#include <string>

namespace lmlp {

// Same order as lmlp_status in lmlp.h.
enum class ErrorCode : int {
    ok = 0,
    invalid_argument = 1,  // a value outside what is allowed
    unknown_element = 2,   // element not in the model or not in the element table
    geometry = 3,          // coincident atoms, NaN or infinite coordinates, singular cell
    model_file = 4,        // not a model, truncated, altered, or of a newer version
    io = 5,                // the file cannot be opened or read
    uncertainty = 6,       // asked for an uncertainty that the model cannot give
    internal = 7,
    not_finite = 8  // an energy, a gradient or an uncertainty overflows
};

class Error : public std::runtime_error {
  public:
    Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
    ErrorCode code() const noexcept { return code_; }

  private:
    ErrorCode code_;
};

}  // namespace lmlp
