"""neigh_modify exclude: atoms left out of everything are no centers; other pairs left out are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lammps_case import DUMP, ELEMENTS, FIELDS, PRESSURES, Case
from lammps_run import NKTV2P, LammpsResult, columns, write_data
from lmlp import _core
from reference_values import Reference, evaluate

GONE = [2, 7, 8]  # indices; two of them within the cutoff of each other
WARNING = "pairs left out by neigh_modify exclude"

# every way to say it: these atoms (or the type that they are given) interact with nothing
WAYS = {
    "group with all": "neigh_modify exclude group gone all",
    "all with group": "neigh_modify exclude group all gone",
    "group with the rest and itself": (
        "group rest subtract all gone\n"
        "neigh_modify exclude group gone rest\nneigh_modify exclude group gone gone"
    ),
    "type with every type": "\n".join(f"neigh_modify exclude type 4 {t}" for t in (1, 2, 3, 4)),
    "type with the own one, group with the rest": (
        "neigh_modify exclude type 4 4\ngroup rest subtract all gone\nneigh_modify exclude group rest gone"
    ),
}


def lines(case: Case, exclude: str, atom_style: str = "atomic") -> str:
    """Return a run of the crystal, its excluded atoms of a type of their own, with everything asked for."""
    types = case.crystal.species + 1
    types[GONE] = 4
    write_data(case.folder / "gone.data", types, case.crystal.positions, case.crystal.cell, 4)
    symbols = [*ELEMENTS, "H"]
    ids = " ".join(str(i + 1) for i in GONE)
    return (
        f"units metal\natom_style {atom_style}\nbox tilt large\nread_data gone.data\nmass * 12.0\n"
        f"pair_style lmlp\npair_coeff * * {case.models.many} {' '.join(symbols)}\n"
        f"group gone id {ids}\n{exclude}\ncompute e all pair lmlp\ncompute pa all pe/atom\n"
        f"compute st all stress/atom NULL virial\nfix u all pair 1 lmlp {FIELDS}\n"
        "dump d all custom 1 gone.dump id type x y z fx fy fz c_pa c_st[*] f_u[*]\n"
        f"{DUMP}\nthermo_style custom step pe press c_e[1]\nrun 0\n"
        f'print "energy: $(pe:%.17g)"\nprint "pressure: {PRESSURES}"\nprint "volume: $(vol:%.17g)"\n'
        'print "vector: $(c_e[1]:%.17g) $(c_e[2]:%.17g) $(c_e[5]:%.17g) $(c_e[7]:%.17g)"\n'
    )


def of_the_rest(case: Case) -> tuple[Reference, np.ndarray]:
    """What the core says of the crystal without those atoms, and the indices of the others."""
    rest = np.setdiff1d(np.arange(24), GONE)
    crystal = case.crystal
    potential = _core.Potential(str(case.models.many))
    return evaluate(potential, crystal.species[rest], crystal.positions[rest], crystal.cell), rest


@pytest.mark.parametrize(
    ("way", "ranks"), [(way, 1 + k % 2) for k, way in enumerate(WAYS)] + [(next(iter(WAYS)), 4)]
)
def test_atoms_left_out_of_everything_are_not_there(case: Case, way: str, ranks: int) -> None:
    """Energies, forces, virials, uncertainties and counts are those of the other atoms alone."""
    result = case.run(lines(case, WAYS[way]), ranks=ranks)
    expected, rest = of_the_rest(case)
    dump = result.dump("gone.dump")
    assert result.value("energy")[0] == pytest.approx(expected.energy, rel=1e-13)
    np.testing.assert_allclose(columns(dump, "fx", "fy", "fz")[rest], expected.forces, rtol=0, atol=1e-9)
    np.testing.assert_allclose(dump["c_pa"][rest], expected.energies, rtol=0, atol=1e-9)
    w = expected.virial
    virial = np.array([w[0, 0], w[1, 1], w[2, 2], w[0, 1], w[0, 2], w[1, 2]])
    pressure = NKTV2P["metal"] * virial / result.value("volume")[0]
    np.testing.assert_allclose(result.value("pressure"), pressure, rtol=1e-9, atol=1e-6)
    sigma_e, _, extrapolating, member = result.value("vector")
    assert extrapolating == np.count_nonzero(expected.extrapolating)
    assert member == pytest.approx(expected.member_energies[0].sum(), rel=1e-12)
    assert sigma_e > 0
    names = [name for name in dump if name not in ("id", "type", "x", "y", "z")]
    assert len(names) == 3 + 1 + 6 + 4
    np.testing.assert_array_equal(columns(dump, *names)[GONE], 0.0)
    assert WARNING not in result.output, "nothing is wrong"


@pytest.mark.parametrize("exclude", ["molecule/intra all", "molecule/inter all"])
def test_both_kinds_of_molecule_exclusions_leave_nothing(case: Case, exclude: str) -> None:
    """One of them leaves pairs, so that every atom is a center; both together leave none."""
    write_data(case.folder / "c.data", case.crystal.species + 1, case.crystal.positions, case.crystal.cell, 3)
    text = (case.folder / "c.data").read_text().replace("Atoms # atomic", "Atoms # molecular").splitlines()
    start = text.index("Atoms # molecular") + 2
    for k in range(24):
        number, kind, *position = text[start + k].split()
        text[start + k] = " ".join([number, str(1 + k % 6), kind, *position])
    (case.folder / "c.data").write_text("\n".join(text) + "\n")
    head = (
        "units metal\natom_style molecular\natom_modify map yes\nbox tilt large\nread_data c.data\n"
        f"mass * 12.0\npair_style lmlp\npair_coeff * * {case.models.many} {' '.join(ELEMENTS)}\n"
    )
    show = 'run 0\nprint "energy: $(pe:%.17g)"\n'
    other = {"molecule/intra all": "molecule/inter all", "molecule/inter all": "molecule/intra all"}[exclude]
    partly = case.run(head + f"neigh_modify exclude {exclude}\n" + show, ranks=2)
    assert partly.value("energy")[0] < -20000.0, "E_atom of 24 centers"
    assert WARNING in partly.output
    both = f"neigh_modify exclude {exclude}\nneigh_modify exclude {other}\n"
    nothing = case.run(head + both + show, ranks=2)
    assert nothing.value("energy")[0] == 0.0
    assert WARNING not in nothing.output


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize(
    "exclude", ["group gone gone", "type 1 4", "group gone rest"], ids=["frozen", "types", "others"]
)
def test_atoms_left_out_of_some_pairs_stay_centers(case: Case, exclude: str, ranks: int) -> None:
    """The energy lacks nothing of E_atom; the warning tells that forces of mobile atoms are wrong, too."""
    exclude = "group rest subtract all gone\nneigh_modify exclude " + exclude
    result = case.run(lines(case, exclude) + "run 0\n", ranks=ranks)
    rest, _ = of_the_rest(case)
    assert result.value("energy")[0] < rest.energy - 0.5 * len(GONE) * 13.6
    assert result.output.count(WARNING) == 2, "once per run"
    assert "so are the forces on all atoms near them, mobile ones included" in " ".join(result.output.split())


def apart(folder: Path, gap: float) -> str:
    """Two dimers of different groups along x, whose nearest atoms are ``gap`` Å apart."""
    positions = np.array([[2.0, 5, 5], [3.0, 5, 5], [3.0 + gap, 5, 5], [4.0 + gap, 5, 5]])
    write_data(folder / "apart.data", np.array([1, 3, 1, 3]), positions, np.diag([40.0, 10.0, 10.0]), 3)
    return (
        "units metal\natom_style atomic\nread_data apart.data\nmass * 12.0\n"
        "group left id 1 2\ngroup right id 3 4\nneigh_modify exclude group left right\n"
    )


@pytest.mark.parametrize("ranks", [1, 2])
def test_groups_that_are_apart_are_told_when_they_meet(case: Case, ranks: int) -> None:
    pair = f"pair_style lmlp\npair_coeff * * {case.models.many} {' '.join(ELEMENTS)}\n"
    far = case.run(apart(case.folder, 4.2) + pair + "fix 1 all move linear 0 0 0\nrun 3\n", ranks=ranks)
    assert WARNING not in far.output, "within the skin, beyond the cutoff of 4 Å"
    move = "fix 1 right move linear -1 0 0\ntimestep 0.05\nrun 8\n"
    result = case.run(apart(case.folder, 4.2) + pair + move, ranks=ranks)
    assert result.output.count(WARNING) == 1
    assert "on step 5 for one atoms 2 and 3" in " ".join(result.output.split())
    near = case.run(apart(case.folder, 3.0) + pair + "run 0\n", ranks=ranks)
    assert near.output.count(WARNING) == 1


def test_atoms_of_other_pair_styles_are_not_looked_at(case: Case) -> None:
    """Excluded pairs with atoms that are not the model's change none of its environments."""
    pair = (
        f"pair_style hybrid/overlay lmlp lj/cut 5.0\npair_coeff * * lmlp {case.models.many} H C NULL\n"
        "pair_coeff 3 3 lj/cut 0.01 2.0\npair_coeff 1*2 3 lj/cut 0.01 2.0\n"
    )
    script = apart(case.folder, 2.0).replace("exclude group left right", "exclude type 1 3")
    result: LammpsResult = case.run(script + pair + "run 0\n")
    assert WARNING not in result.output
