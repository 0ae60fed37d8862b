"""``lmlp build-torch-backend``: what it needs and says; the real library is tested in tests/lammps."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from lmlp.cli.app import app
from lmlp.errors import BuildError
from lmlp.lammps import torch_backend
from typer.testing import CliRunner

# "Compiles" a library that any Python can load and that has the function which is asked for.
COMPILER = """#!/bin/sh
echo "$@" >> {log}
case "$1" in --version) echo one; exit 0;; esac
for word; do last=$word; done
echo 'int lmlp_torch_backend_abi_version(void) {{ return {version}; }}' > "$last.c"
cc -shared -fPIC "$last.c" -o "$last" && rm "$last.c"
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CXX", raising=False)
    return tmp_path / "cache" / "lmlp" / "torch-backend"


def make_compiler(folder: Path, text: str = COMPILER, version: int = 1) -> Path:
    path = folder / "compiler"
    path.write_text(text.format(log=folder / "log", version=version))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, ["build-torch-backend", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def compilations(folder: Path) -> int:
    return sum("-shared" in line for line in (folder / "log").read_text().splitlines())


def test_compiles_once_and_again_when_told(cache: Path, tmp_path: Path) -> None:
    compiler = make_compiler(tmp_path)
    assert "compiled and loaded" in run("--compiler", compiler)
    link = cache / torch_backend.FILE_NAME
    assert link.is_symlink()
    assert not os.path.isabs(os.readlink(link))
    assert "compiled before" in run("--compiler", compiler)
    assert compilations(tmp_path) == 1
    run("--compiler", compiler, "--force")
    assert compilations(tmp_path) == 2
    # only what belongs there
    assert sorted(path.name for path in link.resolve().parent.iterdir()) == [torch_backend.FILE_NAME]


def test_output_is_a_copy_that_the_text_names(cache: Path, tmp_path: Path) -> None:
    target = tmp_path / "mine" / "backend.so"
    output = run("--compiler", make_compiler(tmp_path), "-o", target)
    assert f"export LMLP_TORCH_BACKEND={target}" in output
    assert target.is_file()
    assert not target.is_symlink()
    run("--compiler", make_compiler(tmp_path), "-o", tmp_path)
    assert (tmp_path / torch_backend.FILE_NAME).is_file()


def test_another_torch_is_another_build(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = str(make_compiler(tmp_path))
    first = torch_backend.plan(compiler=compiler)
    facts = replace(torch_backend.torch_facts(), version="2.6.0+cu124", cuda="12.4", cxx11_abi=False)
    monkeypatch.setattr(torch_backend, "torch_facts", lambda: facts)
    second = torch_backend.plan(compiler=compiler)
    assert first.key != second.key
    assert second.key.startswith("torch-2.6.0+cu124-")
    assert '-DLMLP_TORCH_CUDA="12.4"' in second.command
    assert "-D_GLIBCXX_USE_CXX11_ABI=0" in second.command


def test_failures_name_the_cause_and_leave_what_was_there(cache: Path, tmp_path: Path) -> None:
    run("--compiler", make_compiler(tmp_path))
    before = (cache / torch_backend.FILE_NAME).read_bytes()
    with pytest.raises(BuildError, match="no C\\+\\+ compiler nothing-of-the-kind"):
        torch_backend.plan(compiler="nothing-of-the-kind")
    broken = '#!/bin/sh\n[ "$1" = --version ] || echo "x.h: error: C++20 please" >&2\n[ "$1" = --version ]\n'
    build = torch_backend.plan(compiler=str(make_compiler(tmp_path, broken)))
    with pytest.raises(BuildError, match=r"the compiler failed: x\.h: error: C\+\+20 please"):
        torch_backend.run(build)
    build = torch_backend.plan(compiler=str(make_compiler(tmp_path, version=0)) + " -DX")
    with pytest.raises(BuildError, match="what was built does not load"):
        torch_backend.run(build)
    assert (cache / torch_backend.FILE_NAME).read_bytes() == before


def test_without_torch(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(BuildError, match="no torch in this Python environment"):
        torch_backend.plan()


def test_torch_without_headers(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(BuildError, match=r"has no include/torch/csrc/jit/api/module\.h"):
        torch_backend.plan()
