"""Configure, build and run the C and C++ tests of the core with CMake and ctest."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.python.model_files import arrays, model_bytes, safetensors_bytes, version_4

REPOSITORY = Path(__file__).resolve().parents[2]


def tool(name: str) -> str:
    """Find a build tool: beside this Python, from its wheel, or on the PATH."""
    beside = Path(sys.executable).parent / name
    if beside.is_file():
        return str(beside)
    try:
        module = __import__(name)
        return str(Path(getattr(module, "CMAKE_BIN_DIR", getattr(module, "BIN_DIR", ""))) / name)
    except ImportError:
        pass
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} not found")
    return found


def build_and_run(build: Path, tmp_path: Path, *options: str, **environment: str) -> None:
    # in the random structures of the tests some centers are below these densities
    free_atoms = {"H": {"energy": -13.6, "density": 3.0}, "O": {"energy": -2042.0, "density": 60.0}}
    entries = version_4(free_atoms=free_atoms)
    model = tmp_path / "model.pt"
    model.write_bytes(model_bytes(entries, safetensors_bytes(arrays(entries))))
    variables = {**os.environ, "LMLP_TEST_MODEL": str(model), **environment}
    cmake = tool("cmake")
    definitions = [
        f"CMAKE_MAKE_PROGRAM={tool('ninja')}",
        f"Python_EXECUTABLE={sys.executable}",
        "LMLP_BUILD_TESTS=ON",
        "LMLP_BUILD_PYTHON=OFF",
        "LMLP_BUILD_LAMMPS_PLUGIN=OFF",
        *options,
    ]
    commands = [
        [cmake, "-S", str(REPOSITORY), "-B", str(build), "-G", "Ninja", *(f"-D{d}" for d in definitions)],
        [cmake, "--build", str(build), "--parallel", "2"],
        [str(Path(cmake).with_name("ctest")), "--test-dir", str(build), "--output-on-failure"],
    ]
    for command in commands:
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "100% tests passed" in done.stdout
    assert "Skipped" not in done.stdout


def test_c_and_cpp_tests(tmp_path):
    # a build folder that stays makes the next run short
    build_and_run(REPOSITORY / "build" / "tests", tmp_path, "CMAKE_BUILD_TYPE=Debug")


@pytest.mark.slow
def test_c_and_cpp_tests_with_sanitizers(tmp_path):
    # the kernels compile for minutes with sanitizers: those of two widths, lightly optimized
    build_and_run(
        REPOSITORY / "build" / "tests-asan",
        tmp_path,
        "CMAKE_BUILD_TYPE=RelWithDebInfo",
        "CMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1 -g1",
        "LMLP_X86_64_LEVELS=4",
        "LMLP_SANITIZE=address,undefined",
        UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1",
    )
