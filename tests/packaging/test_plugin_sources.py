"""The parts of the LAMMPS plugin know only those below them (docs/development.md)."""

import re
from pathlib import Path

import pytest

PLUGIN = Path(__file__).resolve().parents[2] / "lammps_plugin" / "src"
ORDER = ["common", "model", "atoms", "step", "pair", "select", "entry"]  # from below


def test_every_folder_has_its_place() -> None:
    assert sorted(folder.name for folder in PLUGIN.iterdir()) == sorted(ORDER)


@pytest.mark.parametrize("folder", ORDER)
def test_includes_lead_down(folder: str) -> None:
    allowed = ORDER[: ORDER.index(folder) + 1]
    upward = [
        f"{file.name}: {name}"
        for file in sorted((PLUGIN / folder).iterdir())
        for name in re.findall(r'#include "([^"]+)"', file.read_text())
        if name.split("/")[0] in ORDER and name.split("/")[0] not in allowed
    ]
    assert upward == []


def test_headers_do_not_include_each_other_in_a_circle() -> None:
    includes = {
        f"{file.parent.name}/{file.name}": re.findall(r'#include "([^"]+)"', file.read_text())
        for file in PLUGIN.rglob("*.h")
    }
    while leaves := [name for name, needs in includes.items() if not set(needs) & includes.keys()]:
        for name in leaves:
            del includes[name]
    assert sorted(includes) == []
