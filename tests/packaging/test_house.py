"""The shape of the code: no circle of imports, no long file, no crowded folder."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
MOST_LINES = 350
MOST_FILES = 20
CODE = ("csrc", "lammps_plugin", "python", "tests", "benchmarks", "examples")


def tracked() -> list[Path]:
    """All files of the repository below the folders with code; skips outside a checkout."""
    try:
        listed = subprocess.run(
            ["git", "-C", str(ROOT), "ls-files", "-z", *CODE], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    paths = [Path(name) for name in listed.split("\0") if name]
    return [path for path in paths if (ROOT / path).is_file()]


def imports() -> dict[str, set[str]]:
    """Which modules of the package each one imports, inside functions and for type checkers too."""
    graph = grimp.build_graph("lmlp", cache_dir=None)
    found: dict[str, set[str]] = {}
    for module in graph.modules:
        found[module] = set(graph.find_modules_directly_imported_by(module))
        lines = graph.get_import_details(importer=module, imported="lmlp") if "lmlp" in found[module] else []
        if all(detail["line_contents"] == "from lmlp import _core" for detail in lines):
            found[module].discard("lmlp")  # the compiled extension
    return found


def test_no_module_imports_itself_through_others() -> None:
    left = imports()
    assert len(left) > 100
    while done := {module for module, imported in left.items() if not imported & left.keys()}:
        left = {module: imported for module, imported in left.items() if module not in done}
    while unused := left.keys() - set().union(*left.values()):
        left = {module: imported for module, imported in left.items() if module not in unused}
    assert {module: sorted(imported & left.keys()) for module, imported in left.items()} == {}


def test_no_file_is_long() -> None:
    code = [path for path in tracked() if path.suffix in (".py", ".cpp", ".hpp", ".h")]
    assert len(code) > 500
    lines = {str(path): len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in code}
    assert {path: n for path, n in lines.items() if n > MOST_LINES} == {}


def test_no_folder_is_crowded() -> None:
    files = Counter(str(path.parent) for path in tracked())
    assert {folder: n for folder, n in files.items() if n > MOST_FILES} == {}
