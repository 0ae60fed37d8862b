"""``backend torchscript``: built against this environment's torch, equal to the native backend.

The two backends share no code: one is C++ kernels, the other the TorchScript of the model file. Measured:
1e-15 eV/Å; the bar is 1e-10, relative above 1.
"""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lammps_case import DUMP, ELEMENTS, FIELDS, Case
from lammps_run import LMP, LammpsResult, columns, write_data
from lmlp.export.model_file import read_model_file
from lmlp.export.writing import write_model_file

SYMBOLS = " ".join(ELEMENTS)
BAR = 1e-10
# A library with the right names that was made for something else.
FAKE = """
#include <stddef.h>
#include "lmlp/torch_backend.h"
int lmlp_torch_backend_abi_version(void) {{ return {version}; }}
const char* lmlp_torch_backend_last_error(void) {{ return ""; }}
lmlp_status lmlp_torch_backend_get_info(lmlp_torch_backend_info* info) {{
    info->torch_version = "2.6.0";
    info->loaded_version = "2.7.1";
    info->loaded_folder = "/somewhere/torch";
    return LMLP_OK;
}}
void lmlp_torch_model_load(void) {{}}
void lmlp_torch_model_free(void) {{}}
void lmlp_torch_model_device(void) {{}}
void lmlp_torch_evaluate(void) {{}}
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the backend as the command does and return the XDG_CACHE_HOME it lies in (10 s of CPU time)."""
    from lmlp.lammps import torch_backend

    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        build = torch_backend.plan(optimize=0)
        torch_backend.run(build)
        torch_backend.install(build)
    return folder


@pytest.fixture
def run(case: Case, cache: Path):
    """Run LAMMPS with the backend in the user's cache folder."""
    environment = {"XDG_CACHE_HOME": str(cache), "LMLP_TORCH_BACKEND": ""}

    def go(script: str, *, ranks: int = 1, check: bool = True) -> LammpsResult:
        return case.run(script, ranks=ranks, check=check, environment=environment)

    return go


def same(a: np.ndarray, b: np.ndarray) -> None:
    np.testing.assert_allclose(a, b, rtol=BAR, atol=BAR)


@pytest.mark.parametrize("ranks", [1, 2])
def test_everything_as_the_native_backend(case: Case, run, full_run, ranks: int) -> None:
    expected = full_run("metal", ranks)
    result = run(case.full_script(settings="backend torchscript"), ranks=ranks)
    assert "backend torchscript (torch " in result.output
    for name in ("energy", "vector"):
        same(result.value(name), expected.value(name))
    pressure = expected.value("pressure")
    np.testing.assert_allclose(result.value("pressure"), pressure, rtol=0, atol=BAR * np.abs(pressure).max())
    dump, native = result.dump("full.dump"), expected.dump("full.dump")
    assert set(dump) == set(native)
    for name, values in native.items():
        stress = name.startswith(("c_st", "c_cs"))  # bar·Å³
        scale = np.abs(values).max() if stress else 1.0
        np.testing.assert_allclose(dump[name], values, rtol=BAR, atol=BAR * scale, err_msg=name)
    for name in ("f_u[1]", "f_u[4]"):
        assert np.abs(native[name]).max() > 0  # σ and extrapolation counts are not idle


def test_spread_maps_and_distances(case: Case, run) -> None:
    model = case.models.mapped
    asked = {"model": model, "fields": FIELDS + " distance 1"}
    expected = case.run(case.full_script(**asked))
    native = expected.dump("full.dump")  # the other run writes the file anew
    result = run(case.full_script(settings="backend torchscript", **asked), ranks=2)
    same(result.value("vector"), expected.value("vector"))
    dump = result.dump("full.dump")
    for name in ("f_u[1]", "f_u[2]", "f_u[3]", "f_u[5]"):
        assert native[name].min() > 0.0
        same(dump[name], native[name])


def test_distances_without_an_ensemble(case: Case, run) -> None:
    dumps = []
    for settings in ("", "backend torchscript"):
        pair = f"pair_style lmlp {settings}\npair_coeff * * {case.models.far} {SYMBOLS}\n"
        script = "fix u all pair 1 lmlp distance 1\ndump u all custom 1 u.dump id f_u\n"
        script += "dump_modify u sort id format float %.17g\nrun 0\n"
        dumps.append(run(case.header() + pair + script).dump("u.dump")["f_u"])
    assert dumps[0].min() > 0.1
    same(dumps[1], dumps[0])


def test_real_units_and_threads(case: Case, run, full_run) -> None:
    expected = full_run("real", 1)
    result = run(case.full_script("real", "backend torchscript threads 2"))
    assert "2 threads per MPI rank" in result.output
    same(result.value("energy"), expected.value("energy"))
    same(result.dump("full.dump")["fx"], expected.dump("full.dump")["fx"])


def short_script(case: Case, pair: str, more: str = "run 0\n", dump: str = "short.dump") -> str:
    dump = f"dump d all custom 1 {dump} id fx fy fz\n{DUMP}\n"
    return case.header() + pair + dump + more + 'print "energy: $(pe:%.17g)"\n'


def forces(result: LammpsResult, dump: str = "short.dump") -> np.ndarray:
    return columns(result.dump(dump), "fx", "fy", "fz")


def test_free_atoms(case: Case, run, tmp_path: Path) -> None:
    data = read_model_file(case.models.many)
    free = {"H": {"energy": -12.5, "density": 30.0}, "O": {"energy": -2042.0, "density": 4.0}}
    write_model_file(replace(data, free_atoms=free), tmp_path / "free.pt", verify=False)
    found = []
    for model, settings in ((case.models.many, ""), ("free.pt", ""), ("free.pt", "backend torchscript")):
        pair = f"pair_style lmlp {settings}\npair_coeff * * {model} {SYMBOLS}\n"
        result = run(short_script(case, pair), ranks=2)
        found.append((result.value("energy"), forces(result)))
    (bare, _), (energy, native), (scripted, other) = found
    assert abs(energy - bare)[0] > 0.1
    same(scripted, energy)
    same(other, native)


def test_hybrid_with_null_types_beside_a_native_instance(case: Case, run) -> None:
    def pair(first: str) -> str:
        return (
            f"pair_style hybrid/overlay {first} lmlp lj/cut 4.0\n"
            f"pair_coeff * * lmlp 1 {case.models.many} H NULL O\n"
            f"pair_coeff * * lmlp 2 {case.models.other} {SYMBOLS}\npair_coeff 2 3 lj/cut 0.01 1.5\n"
        )

    result = run(short_script(case, pair("lmlp backend torchscript")), ranks=2)
    native = run(short_script(case, pair("lmlp"), dump="native.dump"), ranks=2)
    assert result.output.count("backend torchscript (") == 1
    assert native.output.count("backend torchscript (") == 0
    same(result.value("energy"), native.value("energy"))
    assert np.abs(forces(native, "native.dump")).max() > 0.05
    same(forces(result), forces(native, "native.dump"))


def test_dynamics_and_uncertainties_leave_the_force_bits_alone(case: Case, run) -> None:
    """Also the calls after the first, which TorchScript likes to compile anew, and changing lists."""
    pair = f"pair_style lmlp backend torchscript\npair_coeff * * {case.models.many} {SYMBOLS}\n"
    move = "velocity all create 300 1\nfix n all nve\ntimestep 0.0005\nrun 12\n"
    inputs = {"plain": pair, "asked": pair + "fix u all pair 1 lmlp sigma_f 1 ew 1\n"}
    inputs["native"] = pair.replace("backend torchscript", "")
    after = {}
    for name, lines in inputs.items():
        after[name] = forces(run(short_script(case, lines, move, name)), name)
    np.testing.assert_array_equal(after["plain"], after["asked"])
    assert np.abs(after["plain"] - after["native"]).max() > 0  # two backends
    same(after["plain"], after["native"])


def test_atoms_without_neighbors_and_ranks_without_atoms(case: Case, run) -> None:
    write_data(
        case.folder / "apart.data", np.array([1, 3]), np.array([[1.0] * 3, [1.5] * 3]), np.eye(3) * 30, 3
    )

    def script(backend: str, shift: float) -> str:
        return (
            "units metal\natom_style atomic\nread_data apart.data\nmass * 12.0\n"
            f"group second type 3\ndisplace_atoms second move {shift} 0 0\n"
            f"pair_style lmlp backend {backend}\npair_coeff * * {case.models.many} {SYMBOLS}\n"
            'run 0\nprint "energy: $(pe:%.17g)"\n'
        )

    for shift in (0.0, 9.0):
        result = run(script("torchscript", shift), ranks=2)
        same(result.value("energy"), run(script("native", shift)).value("energy"))


def test_backend_changed_between_runs_and_kept_by_restart_files(case: Case, run) -> None:
    coeff = f"pair_coeff * * {case.models.many} {SYMBOLS}\n"
    more = (
        'run 0\nprint "first: $(pe:%.17g)"\npair_style lmlp backend torchscript\nrun 0\n'
        "write_restart kept.restart\n"
    )
    result = run(short_script(case, "pair_style lmlp\n" + coeff, more))
    same(result.value("energy"), result.value("first"))
    again = run('read_restart kept.restart\nmass * 12.0\nrun 0\nprint "energy: $(pe:%.17g)"\n')
    assert "backend torchscript (torch " in again.output
    same(again.value("energy"), result.value("first"))


def fails(result: LammpsResult, *words: str) -> None:
    assert result.returncode != 0, result.output[-2000:]
    text = " ".join(result.output.split())
    for word in words:
        assert word in text, result.output[-3000:]


def pair_style(case: Case, settings: str = "") -> str:
    pair = f"pair_style lmlp backend torchscript {settings}\n"
    return case.header() + pair + f"pair_coeff * * {case.models.many} {SYMBOLS}\nrun 0\n"


def test_absent(case: Case, tmp_path: Path) -> None:
    for given in ("", str(tmp_path), str(tmp_path / "none.so")):
        environment = {"XDG_CACHE_HOME": str(tmp_path), "LMLP_TORCH_BACKEND": given}
        result = case.run(pair_style(case), ranks=2, check=False, environment=environment)
        fails(result, "there is no lmlp_torch_backend.so", "run `lmlp build-torch-backend`", str(tmp_path))


def test_not_a_library(case: Case, tmp_path: Path) -> None:
    (tmp_path / "text.so").write_text("text")
    environment = {"LMLP_TORCH_BACKEND": str(tmp_path / "text.so")}
    result = case.run(pair_style(case), check=False, environment=environment)
    fails(result, "text.so cannot be opened", "run `lmlp build-torch-backend` again")


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("LMLP_TORCH_BACKEND_ABI_VERSION", ["built for torch 2.6.0, but torch 2.7.1", "/somewhere/torch"]),
        ("999", ["has version 999 of the interface, this plugin needs version"]),
    ],
    ids=["other torch", "other interface"],
)
def test_built_for_something_else(case: Case, tmp_path: Path, version: str, words: list[str]) -> None:
    from lmlp.lammps.torch_backend import find_compiler, source_folder

    (tmp_path / "fake.cpp").write_text('extern "C" {' + FAKE.format(version=version) + "}")
    command = [*find_compiler(), "-shared", "-fPIC", f"-I{source_folder()}", "fake.cpp", "-o", "fake.so"]
    subprocess.run(command, cwd=tmp_path, check=True)
    environment = {"LMLP_TORCH_BACKEND": str(tmp_path / "fake.so")}
    result = case.run(pair_style(case), ranks=2, check=False, environment=environment)
    fails(result, "fake.so", "run `lmlp build-torch-backend` again", *words)


def test_cuda(case: Case, run, full_run) -> None:
    import torch

    if torch.cuda.is_available():
        result = run(case.full_script(settings="backend torchscript device cuda"), ranks=2)
        assert "device cuda:0" in result.output
        same(result.value("energy"), full_run("metal", 2).value("energy"))
        same(result.dump("full.dump")["fx"], full_run("metal", 2).dump("full.dump")["fx"])
        return
    result = run(pair_style(case, "device cuda"), ranks=2, check=False)
    words = "sees no CUDA device" if torch.version.cuda else "was built without CUDA"
    fails(result, f"device cuda: torch {torch.__version__} {words}", "use device cpu")


def test_doctor_tries_the_backend(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lmlp.diagnosis.torch_backend import check_torch_backend

    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.delenv("LMLP_TORCH_BACKEND", raising=False)
    program = tmp_path / "lmp"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(LMP)} "$@"\n')
    program.chmod(0o755)
    found = check_torch_backend(str(program), None, "")
    assert (found.status, Path(found.values["path"]).parents[2]) == ("ok", cache)
