# nlohmann-json comes from the system where CMake finds it, else from the Python package nlohmann-json (a build
# requirement in pyproject.toml).
if(LMLP_BUILD_PYTHON)
    find_package(Python REQUIRED COMPONENTS Interpreter Development.Module)
else()
    find_package(Python REQUIRED COMPONENTS Interpreter)
endif()

# lmlp_python_path(RESULT DISTRIBUTION SUFFIX): folder that holds the file ending in SUFFIX of an installed
# Python distribution, empty where it is not installed.
function(lmlp_python_path result distribution suffix)
    execute_process(
        COMMAND ${Python_EXECUTABLE} -c "
import importlib.metadata as m
files = m.files('${distribution}') or []
hits = [f for f in files if str(f).endswith('${suffix}')]
print(str(hits[0].locate().resolve())[:-len('${suffix}')].rstrip('/') if hits else '')"
        OUTPUT_VARIABLE path OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    set(${result} "${path}" PARENT_SCOPE)
endfunction()

find_package(nlohmann_json 3.11 QUIET)
if(NOT nlohmann_json_FOUND)
    lmlp_python_path(json_include nlohmann-json include/nlohmann/json.hpp)
    if(NOT json_include)
        message(FATAL_ERROR "nlohmann-json not found: pip install nlohmann-json, or install nlohmann-json3-dev")
    endif()
    add_library(nlohmann_json::nlohmann_json INTERFACE IMPORTED)
    target_include_directories(nlohmann_json::nlohmann_json SYSTEM INTERFACE ${json_include}/include)
endif()

find_package(Threads REQUIRED)
if(LMLP_OPENMP)
    find_package(OpenMP REQUIRED COMPONENTS CXX)
endif()
