"""The stub of the compiled core names what the compiled module has: functions, classes, arguments."""

import ast
import re
from pathlib import Path
from typing import Any

import lmlp
from lmlp import _core
from numpy import ndarray

STUB = Path(lmlp.__file__).parent / "_core.pyi"
TREE = ast.parse(STUB.read_text(encoding="utf-8"))


def arguments(function: ast.FunctionDef) -> list[tuple[str, bool, str]]:
    """Name of each argument, whether it must be named, and its default."""
    a = function.args
    defaults = [None] * (len(a.args) - len(a.defaults)) + list(a.defaults)
    pairs = [(arg, False, default) for arg, default in zip(a.args, defaults, strict=True)]
    pairs += [(arg, True, default) for arg, default in zip(a.kwonlyargs, a.kw_defaults, strict=True)]
    return [(arg.arg, named, "" if d is None else ast.unparse(d)) for arg, named, d in pairs]


def compiled_arguments(function: Any) -> list[tuple[str, bool, str]]:
    """The same, from the signature that the binding writes into the docstring."""
    line = function.__doc__.splitlines()[0]
    (definition,) = ast.parse(f"def {line}: ...").body
    assert isinstance(definition, ast.FunctionDef)
    return arguments(definition)


def stub_members(nodes: list[ast.stmt]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for node in nodes:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            members[node.name] = stub_members(node.body)
        elif isinstance(node, ast.FunctionDef):
            is_property = any(ast.unparse(d) == "property" for d in node.decorator_list)
            members[node.name] = "property" if is_property else arguments(node)
    return members


def compiled_members(owner: Any) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in vars(owner).items():
        if name.startswith("_") and name not in ("__init__", "__len__"):
            continue
        if isinstance(value, type):
            members[name] = compiled_members(value)
        elif isinstance(value, property):
            members[name] = "property"
        elif callable(value):
            members[name] = compiled_arguments(value)
    return members


def test_stub_names_what_is_compiled() -> None:
    assert stub_members(TREE.body) == compiled_members(_core)


def test_keys_of_results(tmp_path: Path) -> None:
    from tests.models import write_random_model

    info = _core.Potential(write_random_model(tmp_path / "m.pt", "eeacsf-153", ["H", "C", "O"])).info()
    table = _core.element_table("h-xe")
    for name, found in (("_Info", info), ("_ElementTable", table)):
        node = next(n for n in TREE.body if isinstance(n, ast.ClassDef) and n.name == name)
        keys = {n.target.id: n.annotation for n in node.body if isinstance(n, ast.AnnAssign)}
        assert set(keys) == set(found)
        for key, annotation in keys.items():
            kind = re.match(r"\w+", ast.unparse(annotation))
            assert kind is not None
            assert type(found[key]).__name__ == kind[0], key


def test_arrays_have_the_types_that_are_named() -> None:
    offsets, neighbors, shifts, vectors = _core.find_neighbors(
        [[0.0, 0, 0], [0, 0, 1]], [[0.0] * 3] * 3, [False] * 3, 2.0
    )
    assert all(isinstance(array, ndarray) for array in (offsets, neighbors, shifts, vectors))
    assert [str(a.dtype) for a in (offsets, neighbors, shifts, vectors)] == [
        *("int64", "int64", "int32", "float64")
    ]
