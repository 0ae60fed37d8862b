"""Acceptance of Monte Carlo fixes by full energies: trial deletions, ideal gases, uptake and crystals.

A trial deletion puts its atoms into a group that is excluded from all others and asks for the energy.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lammps_case import ELEMENTS, Case, Models
from lammps_run import LammpsResult, write_data
from lmlp import _core
from lmlp.export.model_file import read_model_file
from lmlp.export.writing import write_model_file
from reference_values import evaluate

SYMBOLS = " ".join(ELEMENTS)
# of LAMMPS for units metal: eV/K, eV ps, and eV per (g/mol)(Å/ps)²
BOLTZMANN, PLANCK, MASS_UNIT = 8.617343e-5, 4.135667403e-3, 1.0364269e-4
MASS = 12.0


def pair_lines(model: Path, symbols: str = SYMBOLS) -> str:
    return f"pair_style lmlp\npair_coeff * * {model} {symbols}\n"


def energy(model: Path, species: np.ndarray, positions: np.ndarray, cell: np.ndarray) -> float:
    return evaluate(_core.Potential(str(model)), species, positions, cell).energy


def wavelength_cubed(temperature: float, mass: float) -> float:
    return (PLANCK**2 / (2 * np.pi * mass * MASS_UNIT * BOLTZMANN * temperature)) ** 1.5


def fugacity_term(temperature: float, density: float, mass: float = MASS) -> float:
    """Return kT ln(ρΛ³), the chemical potential of an ideal gas without its particles' own energy."""
    return BOLTZMANN * temperature * np.log(density * wavelength_cubed(temperature, mass))


ATOMIC = np.array([-1.0, -2.0, -1.5])  # eV; exp(E/kT) has to be a number


@pytest.fixture(scope="module")
def interacting(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first model with small energies of the atoms."""
    path = tmp_path_factory.mktemp("interacting") / "interacting.pt"
    write_model_file(replace(read_model_file(models.many), atomic_energies=ATOMIC), path, verify=False)
    return path


@pytest.fixture(scope="module")
def ideal(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of atoms that do not interact and have energies of their own."""
    data = read_model_file(models.other)
    path = tmp_path_factory.mktemp("ideal") / "ideal.pt"
    weights = [*data.weights[:-1], np.zeros_like(data.weights[-1])]
    write_model_file(replace(data, weights=weights, atomic_energies=ATOMIC), path, verify=False)
    return path


def atom_energy(model: Path, species: int = 0) -> float:
    return energy(model, np.array([species]), np.zeros((1, 3)), 50.0 * np.eye(3))


def gas(folder: Path, n: int, edge: float, style: str = "atomic") -> str:
    """Write ``n`` atoms of type 1 on a grid of a cubic box."""
    side = int(np.ceil(n ** (1 / 3)))
    grid = np.array([[i, j, k] for i in range(side) for j in range(side) for k in range(side)][:n])
    write_data(folder / "gas.data", np.ones(n, dtype=int), (grid + 0.5) * edge / side, edge * np.eye(3), 3)
    return (
        f"units metal\natom_style {style}\natom_modify map yes\nread_data gas.data\nmass * {MASS}\n"
        "thermo_modify lost error\n"
    )


AVERAGE = (
    "variable n equal atoms\nfix a all ave/time 1 {steps} {steps} v_n ave one start 1\n"
    'run {steps}\nprint "mean: $(f_a:%.10g)"\n'
)


@pytest.mark.parametrize("ranks", [1, 2])
def test_ideal_gas_of_atoms(case: Case, ideal: Path, ranks: int) -> None:
    """⟨N⟩ is that of the reservoir, and so are the rates at which trials are accepted."""
    temperature, mean, edge, steps = 900.0, 20.0, 24.0, 150
    mu = atom_energy(ideal) + fugacity_term(temperature, mean / edge**3)
    result = case.run(
        gas(case.folder, 20, edge)
        + pair_lines(ideal)
        + f"fix g all gcmc 1 20 0 1 4321 {temperature} {mu:.15g} 0.2 full_energy\n"
        + AVERAGE.format(steps=steps)
        + 'print "trials: $(f_g[3]) $(f_g[4]) $(f_g[5]) $(f_g[6])"\n',
        ranks=ranks,
    )
    # 3000 trials change N by one; about 2 N of them forget it: the error of the mean is below 1
    assert result.value("mean")[0] == pytest.approx(mean, abs=3.0)
    inserted, in_accepted, deleted, out_accepted = result.value("trials")
    n = np.arange(200)
    weights = np.exp(n * np.log(mean) - mean - np.cumsum(np.log(np.maximum(n, 1))))
    expected_in = np.sum(weights * np.minimum(1, mean / (n + 1)))
    expected_out = np.sum(weights * np.minimum(1, n / mean))
    assert in_accepted / inserted == pytest.approx(expected_in, abs=0.06)
    assert out_accepted / deleted == pytest.approx(expected_out, abs=0.06)


MOLECULE = "dimer\n\n2 atoms\n\nCoords\n\n1 0 0 0\n2 1.1 0 0\n\nTypes\n\n1 1\n2 2\n"


def dimers(case: Case, model: Path, n: int, edge: float) -> str:
    (case.folder / "dimer.mol").write_text(MOLECULE)
    return (
        gas(case.folder, 1, edge, "molecular").replace("read_data gas.data", "")
        + f"region box block 0 {edge} 0 {edge} 0 {edge}\ncreate_box 3 box\nmass * {MASS}\n"
        + f"molecule dimer dimer.mol\ncreate_atoms 0 random {n} 5 box mol dimer 7 overlap 4.0 maxtry 500\n"
        + pair_lines(model)
    )


@pytest.fixture
def dimer_lines(case: Case):
    """Input with dimers; ``mass`` has to come after the box."""

    def make(model: Path, n: int, edge: float) -> str:
        text = dimers(case, model, n, edge)
        first = f"mass * {MASS}\nthermo_modify lost error\n"
        assert first in text
        return text.replace(first, "", 1)

    return make


@pytest.mark.parametrize("ranks", [1, 2])
def test_dilute_gas_of_molecules(case: Case, models: Models, dimer_lines, ranks: int) -> None:
    """Atoms of a molecule on trial deletion leave together; in their excluded group they see each other."""
    temperature, mean, edge, steps = 900.0, 6.0, 60.0, 120
    positions = np.array([[0.0, 0, 0], [1.1, 0, 0]])
    intra = energy(models.other, np.array([0, 1]), positions, edge * np.eye(3))
    # intra_energy takes the molecule's own energy out of both trials
    mu = fugacity_term(temperature, mean / edge**3, 2 * MASS)
    result = case.run(
        dimer_lines(models.other, 6, edge)
        + f"fix g all gcmc 1 20 0 0 4321 {temperature} {mu:.15g} 0.2 mol dimer full_energy "
        + f"intra_energy {intra:.15g}\n"
        + AVERAGE.format(steps=steps)
        + 'print "trials: $(f_g[4]) $(f_g[6])"\n',
        ranks=ranks,
    )
    assert (result.value("trials") > 100).all()
    # pairs of molecules meet with a probability of 1e-2: the gas is ideal within the tolerance
    assert result.value("mean")[0] == pytest.approx(2 * mean, abs=4.0)


def bracket(case: Case, script: str, fix: str, delta: float, term: float, ranks: int) -> None:
    """At a low temperature a deletion happens or not as the sign of E(before) − E(after) − μ says.

    Args:
        case: where to run.
        script: the system and its pair style.
        fix: with a place for μ; at most one particle of the reservoir, so that none is inserted.
        delta: E(before) − E(after) of the only possible deletion, from the core.
        term: kT ln(Λ³/V), which acts as a part of μ.
        ranks: of MPI.
    """
    margin = 0.3  # eV; 17 kT at 200 K
    for sign, expected in ((1, False), (-1, True)):
        mu = delta + term + sign * margin
        result: LammpsResult = case.run(
            script + fix.format(mu=f"{mu:.15g}") + 'run 2\nprint "deleted: $(f_g[5]) $(f_g[6])"\n',
            ranks=ranks,
        )
        tried, deleted = result.value("deleted")
        assert tried > 3
        assert (deleted > 0) == expected


@pytest.mark.parametrize("ranks", [1, 2])
def test_energy_of_the_deletion_of_an_atom(case: Case, interacting: Path, ranks: int) -> None:
    """Within 0.3 eV of the core's energies of the crystal with and without the atom."""
    crystal, temperature = case.crystal, 200.0
    rest = np.arange(1, 24)
    before = energy(interacting, crystal.species, crystal.positions, crystal.cell)
    after = energy(interacting, crystal.species[rest], crystal.positions[rest], crystal.cell)
    script = "atom_modify map yes\n" + case.header() + pair_lines(interacting) + "group gas id 1\n"
    fix = f"fix g gas gcmc 1 20 0 1 4321 {temperature} {{mu}} 0.2 full_energy max 1\n"
    term = fugacity_term(temperature, 1 / np.linalg.det(crystal.cell))
    bracket(case, script, fix, before - after, term, ranks)


@pytest.mark.parametrize("ranks", [1, 2])
def test_energy_of_the_deletion_of_a_molecule(case: Case, interacting: Path, dimer_lines, ranks: int) -> None:
    """A dimer whose atoms are neighbors of each other and of an atom that stays."""
    edge, temperature = 12.0, 200.0
    positions = np.array([[1.0, 1, 1], [2.1, 1, 1], [1.5, 2.5, 1.2]])
    species = np.array([0, 1, 2])
    before = energy(interacting, species, positions, edge * np.eye(3))
    after = energy(interacting, species[2:], positions[2:], edge * np.eye(3))
    text = dimer_lines(interacting, 1, edge)
    create = next(line for line in text.splitlines() if line.startswith("create_atoms"))
    placed = (
        "create_atoms 1 single 1 1 1\ncreate_atoms 2 single 2.1 1 1\ncreate_atoms 3 single 1.5 2.5 1.2\n"
        "set atom 1*2 mol 1\nset atom 3 mol 9\ngroup gas id 1 2"
    )
    fix = f"fix g gas gcmc 1 20 0 0 4321 {temperature} {{mu}} 0.2 mol dimer full_energy max 2\n"
    term = fugacity_term(temperature, 1 / edge**3, 2 * MASS)
    bracket(case, text.replace(create, placed), fix, before - after, term, ranks)


@pytest.mark.parametrize("ranks", [1, 2])
def test_ions_of_charge_regulation(case: Case, ideal: Path, ranks: int) -> None:
    """Pairs of ions of an ideal salt: weights a^2n / n!² with a = V c exp(−E/kT)."""
    edge, steps, temperature = 20.0, 150, 900.0
    cation, anion = atom_energy(ideal, 0), atom_energy(ideal, 1)
    per_volume = 6.02214e-4  # ions per Å³ at 1 mol/l
    a = 5.0
    # what the energies take away at this temperature, pI gives back; each ion has its own
    exponents = [
        -np.log10(a / (edge**3 * per_volume)) - e / (BOLTZMANN * temperature) / np.log(10)
        for e in (cation, anion)
    ]
    script = (
        f"units metal\natom_style charge\natom_modify map yes\nregion box block 0 {edge} 0 {edge} 0 {edge}\n"
        f"create_box 3 box\nmass * {MASS}\ncreate_atoms 1 random 5 3 box\ncreate_atoms 2 random 5 4 box\n"
        "set type 1 charge 1\nset type 2 charge -1\n"
        + pair_lines(ideal)
        + "fix g all charge/regulation 1 2 "
        + f"pIp {exponents[0]:.12g} pIm {exponents[1]:.12g} "
        + f"temp {temperature} lunit_nm 0.1 nevery 1 nmc 20 seed 4321 tag yes onlysalt yes 1 -1\n"
        + AVERAGE.format(steps=steps)
        + 'print "trials: $(f_g[1]) $(f_g[2])"\n'
    )
    result = case.run(script, ranks=ranks)
    n = np.arange(100)
    logs = 2 * n * np.log(a) - 2 * np.cumsum(np.log(np.maximum(n, 1)))
    weights = np.exp(logs - logs.max())
    expected = 2 * np.sum(n * weights) / weights.sum()
    assert result.value("trials")[1] > 300
    assert result.value("mean")[0] == pytest.approx(expected, abs=1.5)


@pytest.mark.parametrize("ranks", [1, 2])
def test_widom_insertions_have_the_energy_of_an_atom(case: Case, ideal: Path, ranks: int) -> None:
    """In an ideal gas the excess chemical potential is the energy of an atom alone."""
    script = gas(case.folder, 8, 20.0) + pair_lines(ideal)
    result = case.run(
        script + 'fix g all widom 1 10 1 4321 3000.0 full_energy\nrun 2\nprint "mu: $(f_g[1]:%.12g)"\n',
        ranks=ranks,
    )
    assert result.value("mu")[0] == pytest.approx(atom_energy(ideal), abs=1e-5)


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_crystal_loses_no_atom(case: Case, interacting: Path, ranks: int) -> None:
    """The energy that an atom has in it is taken from what deletions are tried with."""
    crystal = case.crystal
    before = energy(interacting, crystal.species, crystal.positions, crystal.cell)
    rest = [np.setdiff1d(np.arange(24), [i]) for i in range(24)]
    deltas = [
        before - energy(interacting, crystal.species[r], crystal.positions[r], crystal.cell) for r in rest
    ]
    # each type by itself: its most loosely bound atom stays
    for kind in range(3):
        term = fugacity_term(300.0, 8 / np.linalg.det(crystal.cell))
        mu = max(d for d, s in zip(deltas, crystal.species, strict=True) if s == kind) + term + 0.5
        script = "atom_modify map yes\n" + case.header() + pair_lines(interacting)
        result = case.run(
            script
            + f"group gas type {kind + 1}\n"
            + f"fix g gas gcmc 1 20 0 {kind + 1} 4321 300.0 {mu:.15g} 0.2 full_energy max 8 group gas\n"
            + 'run 3\nprint "atoms: $(atoms) $(f_g[5])"\n',
            ranks=ranks,
        )
        n_atoms, tried = result.value("atoms")
        assert tried > 10
        assert n_atoms == 24
