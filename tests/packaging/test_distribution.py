"""The source distribution and the wheel are complete: build, install beside nothing else of ours, use."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def call(*command: object, cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        env=environment,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the files that git knows, as a release would be."""
    source = tmp_path_factory.mktemp("source")
    files = (
        subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True)
        .stdout.decode()
        .split("\0")
    )
    for name in filter(None, files):
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (REPOSITORY / name).is_file():
            target.write_bytes((REPOSITORY / name).read_bytes())
    code = "import sys; from scikit_build_core.build import build_sdist; build_sdist(sys.argv[1])"
    output = tmp_path_factory.mktemp("sdist")
    call(sys.executable, "-c", code, output, cwd=source)
    return next(output.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    call(*command, "--wheel-dir", folder, sdist, cwd=folder)
    return next(folder.glob("*.whl"))


def test_sdist_is_complete(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    for name in (
        "LICENSE",
        "lammps_plugin/LICENSE",
        "CMakeLists.txt",
        "csrc/include/lmlp/lmlp.h",
        "README.md",
        "CONTRIBUTING.md",
    ):
        assert name in names
    assert "python/lmlp/evaluation/templates/report.html" in names
    assert not [name for name in names if name.startswith((".ci/", "benchmarks/", "demo/", "build/"))]


def test_wheel_works_in_a_fresh_environment(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "lmlp/evaluation/templates/report.html" in names
    assert {"lmlp/py.typed", "lmlp/__init__.pyi", "lmlp/_core.pyi"} <= set(names)
    assert "lmlp/lammps/torch_backend/torch_backend.cpp" in names
    assert "lmlp/lammps/torch_backend/lmlp/torch_backend.h" in names
    assert any(name.startswith("lmlp/_core") for name in names)
    assert not [name for name in names if name.startswith("tests/")]
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    # dependencies are this environment's own, seen through a path file: only our wheel is installed anew
    site = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
    others = [path for path in sys.path if path.endswith("site-packages")]
    (site / "dependencies.pth").write_text("\n".join(others))
    call(
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--force-reinstall",
        wheel,
        cwd=tmp_path,
    )
    where = call(python, "-c", "import lmlp._core; print(lmlp._core.__file__)", cwd=tmp_path)
    assert where.strip().startswith(str(site))
    lmlp = tmp_path / "venv" / "bin" / "lmlp"
    command = (lmlp, "init", "--elements", "H,O", "--members", 2, "--hidden", "8,6", "-o", "m.pt")
    call(*command, cwd=tmp_path)
    assert '"n_members": 2' in call(lmlp, "info", "m.pt", "--json", cwd=tmp_path)
    code = (
        "from ase.build import molecule; from lmlp import LMLPCalculator\n"
        "a = molecule('H2O'); a.calc = LMLPCalculator('m.pt'); print(a.get_forces().shape)"
    )
    assert call(python, "-c", code, cwd=tmp_path).strip() == "(3, 3)"
