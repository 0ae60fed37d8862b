"""The examples in the docstrings of the face run, and every public name has one."""

import doctest
from pathlib import Path

import lmlp
import pytest
from ase.build import molecule

OWN = ("predict", "features", "calculator", "save")
OBJECTS = {name: getattr(lmlp, name) for name in dir(lmlp) if name != "__version__"}
OBJECTS |= {f"Model.{name}": getattr(lmlp.Model, name) for name in OWN}


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_example(name: str, folder: Path) -> None:
    names: dict[str, object] = {"lmlp": lmlp, "atoms": molecule("H2O"), "model": lmlp.load("model.pt")}
    names["frames"] = [molecule("H2O") for _ in range(20)]
    own = [
        test
        for test in doctest.DocTestFinder(recurse=False).find(OBJECTS[name], name, globs=names)
        if test.examples
    ]
    assert len(own) == 1, f"{name} has no example"
    assert len(own[0].examples) >= 2
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(own[0])
    assert result.attempted >= 2
    assert result.failed == 0


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_docstrings_name_errors(name: str) -> None:
    text = OBJECTS[name].__doc__
    assert "Raises:" in text or name in ("Model", "Model.calculator")
