"""What pair_style lmlp refuses to go on with: numbers that overflow, atoms closer than in the data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lammps_case import ELEMENTS, Case, Models
from lammps_run import LammpsResult
from lmlp.export.model_file import read_model_file
from lmlp.export.writing import write_model_file


def input_of(case: Case, model: Path, settings: str = "", units: str = "metal", length: float = 1.0) -> str:
    return (
        case.header(units, length)
        + f"pair_style lmlp {settings}\npair_coeff * * {model} {' '.join(ELEMENTS)}\n"
    )


def fails(case: Case, script: str, *words: str, ranks: int = 1) -> LammpsResult:
    result = case.run(script, ranks=ranks, check=False)
    assert result.returncode != 0, result.output[-2000:]
    for word in words:
        assert word in result.output, result.output[-2000:]
    return result


def changed(models: Models, folder: Path, **changes) -> Path:
    path = folder / "changed.pt"
    write_model_file(replace(read_model_file(models.many), **changes), path, verify=False)
    return path


@pytest.mark.parametrize("ranks", [1, 2])
def test_overflowing_energies_end_all_ranks(case: Case, models: Models, ranks: int) -> None:
    weights = read_model_file(models.many).weights
    weights[-1] = weights[-1] / np.abs(weights[-1]).max() * 1.7e308
    model = changed(models, case.folder, weights=weights)
    fails(
        case,
        input_of(case, model) + "run 0\n",
        "evaluation failed on step 0",
        "not a finite number",
        ranks=ranks,
    )


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_atoms_too_close_are_named_before_what_follows(case: Case, models: Models, ranks: int) -> None:
    """A model that fails, and a distance below rmin that one rank sees: all ranks end with the distance."""
    weights = read_model_file(models.many).weights
    weights[-1] = weights[-1] / np.abs(weights[-1]).max() * 1.7e308
    model = changed(models, case.folder, weights=weights)
    lone = "create_atoms 1 single 1.0 1.0 1.0 units box\ncreate_atoms 1 single 1.3 1.0 1.0 units box\n"
    head, pair = input_of(case, model, "rmin 0.5 stop").split("pair_style", 1)
    fails(case, head + lone + "pair_style" + pair + "run 0\n", "closer than rmin 0.5", ranks=ranks)


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("asked", ["fix u all pair 1 lmlp sigma_f 1", "fix u all pair 1 lmlp grade 1"])
def test_overflowing_uncertainties_end_all_ranks(case: Case, models: Models, ranks: int, asked: str) -> None:
    """Forces and energies are finite, the squares of the members' deviations are not."""
    weights = read_model_file(models.many).weights
    weights[-1] = weights[-1] / np.abs(weights[-1]).max() * 1e200
    model = changed(models, case.folder, weights=weights)
    fails(
        case,
        input_of(case, model) + asked + "\nrun 0\n",
        "the uncertainty of atom",
        "not a finite number on step 0",
        ranks=ranks,
    )


@pytest.mark.parametrize(("units", "length"), [("metal", 1.0), ("electron", 1.0 / 0.529177210903)])
def test_distances_of_the_training_data(case: Case, models: Models, units: str, length: float) -> None:
    """The crystal's distances are above 1.1 Å; C–O has some below 0.9 · 2 Å, H–H has no limit."""
    model = changed(models, case.folder, shortest_distances={"C-O": 2.0, "H-C": 1.0})
    result = case.run(
        input_of(case, model, "", units, length) + "fix 1 all nve\ntimestep 1e-6\nrun 2\n", ranks=2
    )
    assert result.output.count("WARNING: Pair style lmlp: two atoms are") == 1
    limit = f"{0.9 * 2.0 * length:.6g}"
    assert f"closer than rmin {limit} (0.9 times the shortest C-O distance" in result.output
    assert "atoms closer than rmin on 3 of 3 evaluations" in result.output
    script = input_of(case, model, "rmin data stop", units, length) + "run 0\n"
    stopped = fails(case, script, f"closer than rmin {limit} (0.9 times the shortest", ranks=2)
    assert "C-O distance" in stopped.output or "O-C distance" in stopped.output
    quiet = case.run(input_of(case, model, "rmin off", units, length) + "run 0\n")
    assert "closer than" not in quiet.output


def test_distances_that_are_kept_or_unknown(case: Case, models: Models) -> None:
    far = changed(models, case.folder, shortest_distances={"C-O": 0.9, "H-C": 1.0, "O-O": 1.0})
    assert "closer than" not in case.run(input_of(case, far) + "run 0\n").output
    assert "closer than" not in case.run(input_of(case, models.many) + "run 0\n").output
    fails(
        case,
        input_of(case, models.many, "rmin data warn") + "run 0\n",
        "'rmin data' needs the shortest distances",
    )
    fails(case, input_of(case, models.many, "rmin data off") + "run 0\n", "is just 'rmin off'")
