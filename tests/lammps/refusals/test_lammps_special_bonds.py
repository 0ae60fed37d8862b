"""special_bonds: a model needs all pairs of bonded atoms; what removes or scales some is refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from lammps_case import ELEMENTS, Case
from lammps_run import LammpsResult
from lmlp import _core
from reference_values import evaluate

CURE = "use special_bonds lj/coul 1 1 1"
# a chain H-C-O-C with one bond per link, and an atom beside it; Å
POSITIONS = np.array([[2.0, 2, 2], [3.1, 2, 2], [3.6, 3.2, 2], [4.9, 3.4, 2.3], [5.0, 5.8, 3.0]])
TYPES = np.array([1, 2, 3, 2, 1])
EDGE = 11.0
BONDS = [(1, 2), (2, 3), (3, 4)]


def data(style: str, bonds: list[tuple[int, int]]) -> str:
    """Write a data file of an atom style with molecules."""
    lines = ["chain", "", "5 atoms", f"{len(bonds)} bonds", "3 atom types", "1 bond types", ""]
    lines += [f"0 {EDGE} {a}lo {a}hi" for a in "xyz"] + ["", f"Atoms # {style}", ""]
    charge = " 0.0" if style == "full" else ""
    for k, (kind, (x, y, z)) in enumerate(zip(TYPES, POSITIONS, strict=True), start=1):
        lines.append(f"{k} 1 {kind}{charge} {x} {y} {z}")
    if bonds:
        lines += ["", "Bonds", ""] + [f"{k} 1 {i} {j}" for k, (i, j) in enumerate(bonds, start=1)]
    return "\n".join(lines) + "\n"


def script(case: Case, style: str = "full", bonds: list[tuple[int, int]] | None = None) -> str:
    (case.folder / "chain.data").write_text(data(style, BONDS if bonds is None else bonds))
    extra = "extra/bond/per/atom 4 extra/special/per/atom 8"
    return (
        f"units metal\natom_style {style}\nread_data chain.data {extra}\nmass * 12.0\n"
        f"bond_style zero\nbond_coeff *\npair_style lmlp\n"
        f"pair_coeff * * {case.models.many} {' '.join(ELEMENTS)}\n"
    )


SHOW = 'run 0\nprint "energy: $(pe:%.17g)"\n'


def is_whole(case: Case, result: LammpsResult) -> None:
    """The energy is that of all pairs."""
    potential = _core.Potential(str(case.models.many))
    expected = evaluate(potential, TYPES - 1, POSITIONS, EDGE * np.eye(3)).energy
    assert result.value("energy")[0] == pytest.approx(expected, rel=1e-13)


def is_refused(result: LammpsResult, *words: str) -> None:
    output = " ".join(result.output.split())
    assert result.returncode != 0, output[-1000:]
    for word in (CURE, *words):
        assert word in output, output[-1000:]


REFUSED = {
    "": "bonded (1-2) pairs of atoms a factor of 0 (lj) and 0 (coul)",  # LAMMPS's default
    "lj/coul 1 0 0": "1-3 pairs of atoms a factor of 0 (lj) and 0 (coul)",
    "lj/coul 1 1 0": "1-4 pairs of atoms a factor of 0 (lj) and 0 (coul)",
    "lj/coul 1 1 0.5": "1-4 pairs of atoms a factor of 0.5 (lj) and 0.5 (coul)",
    "lj/coul 0.999 1 1": "bonded (1-2) pairs of atoms a factor of 0.999 (lj)",
    "lj 0 1 1 coul 1 1 1": "bonded (1-2) pairs of atoms a factor of 0 (lj) and 1 (coul)",
    "amber": "bonded (1-2)",
    "charmm": "bonded (1-2)",
}


@pytest.mark.parametrize(
    ("factors", "style", "ranks"),
    [(factors, "full", 1 + k % 2) for k, factors in enumerate(REFUSED)]
    + [("lj/coul 1 0 0", style, 1) for style in ("bond", "angle", "molecular")],
)
def test_pairs_that_are_removed_or_scaled_are_refused(
    case: Case, factors: str, style: str, ranks: int
) -> None:
    line = f"special_bonds {factors}\n" if factors else ""
    result = case.run(script(case, style) + line + SHOW, ranks=ranks, check=False)
    is_refused(result, REFUSED[factors], "on step 0, for one of atoms")


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("factors", ["lj/coul 1 1 1", "lj 1 1 1 coul 0 0 0.5", "lj 1 1 1 coul 0.5 0.5 0.5"])
def test_factors_that_change_no_environment(case: Case, factors: str, ranks: int) -> None:
    """The Coulomb factors are those of other styles; the pairs stay in the lists."""
    is_whole(case, case.run(script(case) + f"special_bonds {factors}\n" + SHOW, ranks=ranks))


@pytest.mark.parametrize("style", ["full", "bond", "molecular"])
def test_factors_without_bonds_or_without_such_pairs(case: Case, style: str) -> None:
    is_whole(case, case.run(script(case, style, []) + SHOW))
    two = script(case, style, [(1, 2)]) + "special_bonds lj/coul 1 0 0\n"
    is_whole(case, case.run(two + SHOW))


def test_factors_given_between_runs(case: Case) -> None:
    """After pair_coeff, after a good run, and mended again."""
    good, bad = "special_bonds lj/coul 1 1 1\n", "special_bonds lj/coul 0 1 1\n"
    is_whole(case, case.run(script(case) + bad + good + SHOW))
    result = case.run(script(case) + good + SHOW + bad + "run 0\n", check=False)
    is_whole(case, result)
    is_refused(result, "bonded (1-2)")
    minimized = case.run(script(case) + bad + "minimize 0 0 5 5\n", check=False)
    is_refused(minimized)


@pytest.mark.parametrize("ranks", [1, 2])
def test_bonds_that_come_during_a_run(case: Case, ranks: int) -> None:
    """Fixes that make bonds are refused at once, molecules that arrive when they do."""
    create = "fix c all bond/create 1 1 2 1.5 1\n"
    refused = case.run(script(case, bonds=[]) + create + "run 5\n", ranks=ranks, check=False)
    is_refused(refused, "fix bond/create makes bonds")
    (case.folder / "pair.mol").write_text(
        "pair\n\n2 atoms\n1 bonds\n\nCoords\n\n1 0 0 0\n2 1.1 0 0\n\nTypes\n\n1 1\n2 2\n\n"
        "Charges\n\n1 0\n2 0\n\nBonds\n\n1 1 1 2\n"
    )
    arrive = (
        "molecule pair pair.mol\nregion r block 0 11 0 11 7 11\n"
        "fix d all deposit 1 0 3 77 mol pair region r near 2.0\nfix 1 all nve\ntimestep 0.0001\nrun 8\n"
    )
    refused = case.run(script(case, bonds=[]) + arrive, ranks=ranks, check=False)
    is_refused(refused, "bonded (1-2)")
    assert "on step 0" not in refused.output
    whole = case.run(script(case, bonds=[]) + "special_bonds lj/coul 1 1 1\n" + arrive, ranks=ranks)
    assert "ERROR" not in whole.output


def test_bonds_of_atoms_that_are_not_the_models(case: Case) -> None:
    """Default factors serve the other style of a hybrid; none of its bonded atoms is in an environment."""
    model = f"pair_coeff * * lmlp {case.models.many} H NULL NULL\n"
    lines = script(case, bonds=[(2, 3), (3, 4)]).replace(
        "pair_style lmlp\n", "pair_style hybrid lmlp lj/cut 5.0\n"
    )
    head = lines[: lines.index("pair_coeff")]
    other = "pair_coeff 2*3 2*3 lj/cut 0.001 1.0\npair_coeff 1 2*3 lj/cut 0.001 1.0\n"
    case.run(head + model + other + SHOW)
    mixed = (
        f"pair_coeff * * lmlp {case.models.many} H C NULL\n"
        + other.replace("2*3 2*3", "3 3")
        + ("pair_coeff 1 3 lj/cut 0.001 1.0\npair_coeff 2 3 lj/cut 0.001 1.0\n")
    )
    refused = case.run(head.replace("hybrid", "hybrid/overlay") + mixed + SHOW, check=False)
    # atoms 2 and 4 are 1-3 neighbors through an atom of the other style
    is_refused(refused, "1-3 pairs")


def test_factors_of_one_style_of_a_hybrid(case: Case) -> None:
    """pair_modify special gives the model all pairs where another style needs other factors."""
    lines = script(case).replace("pair_style lmlp\n", "pair_style hybrid/overlay lmlp lj/cut 5.0\n")
    lines = lines.replace("pair_coeff * * ", "pair_coeff * * lmlp ") + "pair_coeff * * lj/cut 0.0 1.0\n"
    factors = "special_bonds lj/coul 1e-20 1e-20 0.5\n"
    is_refused(case.run(lines + factors + SHOW, check=False), "pair_modify pair lmlp special lj/coul 1 1 1")
    is_whole(case, case.run(lines + factors + "pair_modify pair lmlp special lj/coul 1 1 1\n" + SHOW))
