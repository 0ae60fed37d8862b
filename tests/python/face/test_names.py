"""What packages offer: ``dir()`` shows it, loading it is left for later, type checkers know it."""

import ast
import json
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import lmlp
import pytest

FACE = [
    "Descriptor",
    "LMLPCalculator",
    "Model",
    "__version__",
    "evaluate",
    "learn",
    "load",
    "reweight",
    "train",
]
PACKAGES = (
    *("audit", "calculators", "descriptor", "diagnosis", "evaluation", "export", "io", "lifelong", "near"),
    *("observables", "optim", "plots", "structure", "training"),
)
LAZY = ("audit", "calculators", "descriptor", "export", "lifelong", "observables", "training")
ROOT = Path(lmlp.__file__).parent


def python(code: str, folder: Path | None = None) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def loaded(code: str) -> set[str]:
    """Top modules beyond those that the interpreter has before."""
    listing = f"import json, sys\nbefore = set(sys.modules)\n{code}\n"
    listing += "print(json.dumps([m for m in set(sys.modules) - before]))"
    return set(json.loads(python(listing)[-1]))


def test_the_face() -> None:
    assert dir(lmlp) == FACE
    assert python("import lmlp, ase, lmlp.training, lmlp.cli; print(*dir(lmlp))")[0].split() == FACE
    for name in FACE:
        assert getattr(lmlp, name) is getattr(lmlp, name)
    with pytest.raises(AttributeError, match="module 'lmlp' has no attribute 'nothing'"):
        _ = lmlp.nothing  # type: ignore[attr-defined]


def test_import_is_light() -> None:
    names = loaded("import lmlp; dir(lmlp)")
    assert {name for name in names if name.startswith("lmlp")} == {"lmlp", "lmlp.lazy"}
    others = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)
    assert others == {"lmlp"}
    assert "importlib.metadata" not in names
    started = time.perf_counter()
    python("import lmlp")
    assert time.perf_counter() - started < 5.0  # the interpreter itself needs most of it


def test_loading_a_model_needs_no_torch() -> None:
    names = loaded("import lmlp; lmlp.load, lmlp.evaluate, lmlp.LMLPCalculator, lmlp.Descriptor")
    assert "torch" not in names
    assert "matplotlib.pyplot" not in names


@pytest.mark.parametrize("name", PACKAGES)
def test_packages_show_what_they_offer(name: str) -> None:
    package = import_module(f"lmlp.{name}")
    names = dir(package)
    assert names == sorted(package.__all__)
    assert names
    for each in names:
        assert not (ROOT / name / f"{each}.py").exists()  # a module would take its place
        assert getattr(package, each).__doc__ or not callable(getattr(package, each))


@pytest.mark.parametrize("name", LAZY)
def test_lazy_packages_load_nothing(name: str) -> None:
    assert not {"torch", "ase", "numpy"} & loaded(f"import lmlp.{name} as p; dir(p)")


@pytest.mark.parametrize("name", [n for n in LAZY if n != "training"])
def test_types_of_lazy_names(name: str) -> None:
    """What a package loads later is imported for type checkers, from the same place."""
    package = import_module(f"lmlp.{name}")
    assert imported(ast.parse((ROOT / name / "__init__.py").read_text())) == {
        each: getattr(package, each) for each in package.__all__
    }


def imported(tree: ast.Module) -> dict[str, object]:
    """Names that are imported under their own names, for type checkers too."""
    found: dict[str, object] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                if alias.asname == alias.name:
                    found[alias.name] = getattr(import_module(node.module), alias.name)
    return found


def test_types_of_the_face() -> None:
    stub = ast.parse((ROOT / "__init__.pyi").read_text())
    assert imported(stub) == {name: getattr(lmlp, name) for name in FACE if name != "__version__"}


@pytest.mark.slow
def test_type_checkers_know_the_face(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    (tmp_path / "script.py").write_text(
        "import lmlp\n"
        "from ase import Atoms\n"
        "reveal_type(lmlp.LMLPCalculator)\n"
        "model = lmlp.train('train.xyz', members=4, time_limit='6m')\n"
        "reveal_type(model)\n"
        "reveal_type(model.predict(Atoms('H')))\n"
        "reveal_type(model.predict([Atoms('H')]))\n"
        "reveal_type(lmlp.evaluate(model, 'test.xyz'))\n"
        "reveal_type(lmlp.__version__)\n"
        "lmlp.train('train.xyz', memebrs=4)\n"
    )
    code = f"import sys; sys.path[:0] = [{str(ROOT.parent)!r}]\n"
    code += "from mypy import api; print(api.run(['--follow-imports=silent', 'script.py'])[0])"
    text = "\n".join(python(code, tmp_path))
    for kind in (
        "def (model: str | pathlib.Path, *, backend: str",
        '"lmlp.face.model.Model"',
        '"lmlp.face.predicted.PredictedProperties"',
        '"list[lmlp.face.predicted.PredictedProperties]"',
        '"lmlp.evaluation.compare.Evaluation"',
        '"str"',
    ):
        assert kind in text.replace("builtins.", "").replace("Union[str, pathlib.Path]", "str | pathlib.Path")
    assert 'Unexpected keyword argument "memebrs"' in text
