"""The pages of docs/lammps keep to what LAMMPS does: keywords, defaults, fields, and every example runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from lammps_case import Case
from lammps_run import write_data

PAGES = Path(__file__).resolve().parents[3] / "docs" / "lammps"
NAMES = ["compute_pair_lmlp", "fix_lmlp_select", "fix_pair_lmlp", "pair_lmlp"]
SECTIONS = ["Syntax", "Examples", "Description", "Restrictions", "Related commands", "Default"]


def section(name: str, title: str) -> str:
    """Text of a page between a heading of the second level and the next."""
    text = (PAGES / f"{name}.md").read_text()
    found = re.search(rf"^## {title}[^\n]*\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"{name}.md has no section {title}"
    return found.group(1)


def examples(name: str) -> list[str]:
    """Parts of the examples that are set apart by an empty line."""
    block = re.search(r"```lammps\n(.*?)```", section(name, "Examples"), re.DOTALL)
    assert block
    return block.group(1).strip().split("\n\n")


def keywords(name: str) -> list[str]:
    """First column of the first table of the page's syntax."""
    return re.findall(r"^\| `(\w+)` \|", section(name, "Syntax"), re.MULTILINE)


def test_every_command_has_a_whole_page() -> None:
    assert sorted(path.stem for path in PAGES.glob("*.md")) == NAMES
    overview = (PAGES.parent / "lammps.md").read_text()
    for name in NAMES:
        assert f"(lammps/{name}.md)" in overview
        for title in SECTIONS:
            assert section(name, title).strip(), (name, title)


def test_keywords_of_the_pair_style(case: Case) -> None:
    result = case.run(case.header() + "pair_style lmlp nonsense\n", check=False)
    told = re.search(r"allowed: (.*?)(\(|Last|For more)", " ".join(result.output.split()))
    assert told
    allowed = {part.split()[0] for part in told.group(1).split(", ") if part.strip()}
    assert allowed == set(keywords("pair_lmlp"))


def test_keywords_of_the_selecting_fix(case: Case) -> None:
    """The page names the keywords that the error message names; its defaults are values they can have."""
    default = section("fix_lmlp_select", "Default").strip().split("\n")[0]
    values = dict(part.split()[:2] for part in default.split(", "))
    assert set(values) | {"instance"} == set(keywords("fix_lmlp_select"))
    style = f"pair_style lmlp\npair_coeff * * {case.models.many} H C O\n"
    line = " ".join(f"{key} {value}" for key, value in values.items())
    case.run(case.header() + style + f"fix s all lmlp/select 1 a.xyz {line} instance 1\nrun 0\n")
    result = case.run(case.header() + style + "fix s all lmlp/select 1 a.xyz nonsense 1\n", check=False)
    usage = " ".join(result.output.split()).partition("usage:")[2]
    assert re.findall(r"\[(\w+) ", usage) == keywords("fix_lmlp_select")


def script_around(case: Case, lines: str) -> str:
    """Input in which an example can run: atoms and types as its symbols say, a model that it names."""
    named = re.search(r"(\w+\.pt)((?: [A-Z][a-z]?\b| NULL)+)", lines)
    symbols = named.group(2).split() if named else ["H", "C", "O"]
    n_types = len(symbols)
    crystal = case.crystal
    types = 1 + np.arange(len(crystal.species)) % n_types
    cell = np.diag([12.0, 12.0, 12.0])  # lj/cut of the examples does not like atoms an Ångström apart
    positions = np.array([[i % 3, i // 3 % 3, i // 9] for i in range(len(types))]) * 4.0 + 0.3
    write_data(case.folder / "example.data", types, positions, cell, n_types)
    style = "" if "pair_style" in lines else f"pair_style lmlp\npair_coeff * * model.pt {' '.join(symbols)}\n"
    text = (
        "units metal\natom_style atomic\nread_data example.data\nmass * 12.0\ntimestep 0.0005\n"
        "group solute type 1\nfix nve all nve\nvelocity all create 300 5 loop geom\n" + style + lines + "\n"
    )
    if "instance 2" in lines:
        several = f"pair_style hybrid/overlay lmlp lmlp\npair_coeff * * lmlp 1 model.pt {' '.join(symbols)}\n"
        text = text.replace(style, several + several.splitlines()[1].replace("lmlp 1", "lmlp 2") + "\n")
    return text.replace("model.pt", str(case.models.mapped)) + "run 0 post no\n"


@pytest.mark.parametrize(
    ("name", "lines"),
    [(name, lines) for name in NAMES for lines in examples(name) if "torchscript" not in lines],
    ids=lambda value: value.splitlines()[0][:40] if " " in value else value,
)
def test_examples_run(case: Case, name: str, lines: str) -> None:
    if name == "fix_lmlp_select":  # each line by itself: the last one reads what the second defined
        thermo = [line for line in lines.splitlines() if line.startswith("thermo")]
        fixes = [line for line in lines.splitlines() if line.startswith("fix")]
        for fix in fixes:
            case.run(script_around(case, "\n".join([fix, *thermo])))
        return
    case.run(script_around(case, lines))
