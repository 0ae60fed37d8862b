"""Reweighted means against what each member gives alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms, units
from lmlp import LMLPCalculator
from lmlp.calculators.backends import CoreBackend
from lmlp.calculators.members import MemberEnergies, energy_factor
from lmlp.errors import DataError, GeometryError, UncertaintyError, UnknownElementError
from lmlp.export.model_file import read_model_file
from lmlp.export.writing import write_model_file
from lmlp.observables import observe, parse_quantities

from tests.models import random_crystal, single_members, some_spread_maps, write_random_model

TEMPERATURE = 120.0
KT = units.kB * TEMPERATURE
ELEMENTS = ["H", "C", "O"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("observed") / "model.pt"
    return write_random_model(path, "eeacsf-153", ELEMENTS, members=4)


@pytest.fixture
def members(model: Path) -> MemberEnergies:
    return MemberEnergies(CoreBackend(model, 1))


def trimer(x: float, y: float) -> Atoms:
    """An O–H bond of 1 Å, and a second H somewhere beside it."""
    return Atoms("OH2", [[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, x, y]])


def metropolis(model: Path, n_frames: int, seed: int) -> list[Atoms]:
    """Move the second H in a square by Monte Carlo, each move to anywhere in it; keep the energy in info."""
    calculator, rng = LMLPCalculator(model, threads=1), np.random.default_rng(seed)
    frames: list[Atoms] = []
    for x, y, chance in rng.uniform((0.7, 0.7, 0.0), (1.6, 1.6, 1.0), (n_frames, 3)):
        trial = trimer(x, y)
        trial.info["own"] = calculator.get_potential_energy(trial)
        change = trial.info["own"] - frames[-1].info["own"] if frames else 0.0
        frames.append(trial if chance < np.exp(-change / KT) else frames[-1])
    return frames


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    means = [part.mean() for part in np.array_split(values, 20)]
    return float(values.mean()), float(np.std(means, ddof=1) / np.sqrt(20))


@pytest.fixture(scope="module")
def trajectory(model: Path) -> list[Atoms]:
    return metropolis(model, 4000, 1)


def test_weights_agree_with_runs_of_each_member(
    model: Path, trajectory: list[Atoms], members: MemberEnergies, tmp_path: Path
) -> None:
    quantities = parse_quantities("distance:0-2,energy")
    found = observe(trajectory, quantities, members, temperature=TEMPERATURE)
    assert found["energy"].method == "direct"
    own: dict[str, list[float]] = {"distance:0-2": [], "energy": []}
    for m, single in enumerate(single_members(read_model_file(model))):
        path = tmp_path / f"{m}.pt"
        write_model_file(single, path, verify=False)
        frames = metropolis(path, 2000, 10 + m)
        for name, values in (
            ("distance:0-2", np.array([frame.get_distance(0, 2) for frame in frames])),
            ("energy", np.array([frame.info["own"] for frame in frames])),
        ):
            mean, error = mean_and_error(values)
            own[name].append(mean)
            # both have such an error; the weights of 4000 frames leave 2000 or more
            assert abs(mean - found[name].members[m]) < 4.0 * np.sqrt(2.0) * error
    # the members differ by far more than these errors: 0.18 Å, 4 of them are 0.05 Å
    assert np.ptp(own["distance:0-2"]) > 0.12
    for name, means in own.items():
        assert np.corrcoef(means, found[name].members)[0, 1] > 0.95
        assert found[name].sigma == pytest.approx(np.std(means, ddof=1), rel=0.2)


def test_both_methods_agree_with_integrals(trajectory: list[Atoms], members: MemberEnergies) -> None:
    """The second H has two coordinates: sums over a grid are exact means."""
    grid = 0.7 + 0.9 * (np.arange(40) + 0.5) / 40
    places = [trimer(x, y) for x in grid for y in grid]
    energies = np.array([members(frame) for frame in places]).T
    distance = np.array([frame.get_distance(0, 2) for frame in places])

    def integral(potential: np.ndarray, values: np.ndarray) -> float:
        weights = np.exp(-(potential - potential.min()) / KT)
        return float((weights * values).sum() / weights.sum())

    mean = energies.mean(axis=0)
    exact = [integral(energy, distance) for energy in energies]
    center = integral(mean, distance)
    first_order = [center - integral(mean, (distance - center) * (e - mean)) / KT for e in energies]
    assert np.abs(np.subtract(exact, first_order)).max() > 0.04  # these members are far apart
    for method, expected in (("direct", exact), ("cumulant", first_order)):
        found = observe(
            trajectory, parse_quantities("distance:0-2"), members, temperature=TEMPERATURE, method=method
        )
        np.testing.assert_allclose(found["distance:0-2"].members, expected, atol=0.015)  # sampling
        assert found["distance:0-2"].sigma == pytest.approx(np.std(expected, ddof=1), rel=0.1)


def test_energies_are_those_of_the_calculator(model: Path, members: MemberEnergies) -> None:
    crystal = random_crystal(ELEMENTS)
    crystal.calc = LMLPCalculator(model, threads=1)
    energies = members(crystal)
    assert energies.shape == (4,)
    assert energies.mean() == pytest.approx(crystal.get_potential_energy(), abs=1e-10)
    std = crystal.calc.get_property("energy_std", crystal)
    assert energies.std(ddof=1) == pytest.approx(std, rel=1e-10)


def test_stored_energies_are_used_only_of_the_same_model(
    trajectory: list[Atoms], model: Path, members: MemberEnergies, tmp_path: Path
) -> None:
    frame = trimer(1.0, 1.1)
    assert members.stored(frame) is None
    frame.info.update(members.entry(frame))
    np.testing.assert_array_equal(members.stored(frame), members(trimer(1.0, 1.1)))
    other = MemberEnergies(
        CoreBackend(write_random_model(tmp_path / "m.pt", "eeacsf-153", ELEMENTS, members=4, seed=2))
    )
    assert other.stored(frame) is None
    # wrong on purpose: used because they are there
    kept = []
    for k, one in enumerate(trajectory[:40]):
        copy = one.copy()
        copy.info.update(members.entry(one))
        copy.info["lmlp_member_energies"] = np.arange(4.0) + k
        kept.append(copy)
    found = observe(kept, parse_quantities("energy"), members, temperature=TEMPERATURE)
    np.testing.assert_allclose(found["energy"].members, np.arange(4.0) + 19.5)


@pytest.mark.parametrize("n_members", [2, 3, 9])
def test_stored_energies_survive_a_file(tmp_path: Path, n_members: int) -> None:
    path = write_random_model(tmp_path / "m.pt", "eeacsf-153", ELEMENTS, members=n_members)
    members = MemberEnergies(CoreBackend(path))
    frame = trimer(1.0, 1.1)
    frame.info.update(members.entry(frame))
    ase.io.write(tmp_path / "t.xyz", frame)
    np.testing.assert_array_equal(members.stored(ase.io.read(tmp_path / "t.xyz")), members(frame))


def test_the_factor_of_a_model(model: Path, tmp_path: Path) -> None:
    data = read_model_file(model)
    assert energy_factor(CoreBackend(model).facts) == data.energy_uncertainty_factor == 2.0
    for number, (factor, expected) in enumerate(((1.25, 1.25), (0.2, 1.0))):
        maps = some_spread_maps(ELEMENTS)
        maps["energy"]["factor"] = factor
        path = tmp_path / f"{number}.pt"
        write_model_file(replace(data, spread_maps=maps), path, verify=False)
        assert energy_factor(CoreBackend(path).facts) == expected


def test_frames_that_cannot_be_used(trajectory: list[Atoms], members: MemberEnergies, tmp_path: Path) -> None:
    quantities = parse_quantities("energy,distance:0-2")
    frames = trajectory[:30]
    for number, (odd, error, message) in enumerate(
        (
            (Atoms("OH", [[0, 0, 0], [0, 0, 1]]), DataError, "there are 2 atoms"),
            (Atoms("ONH", np.diag([1.0, 2.0, 3.0])), UnknownElementError, "N"),
            (Atoms("OH2", [[0, 0, 0], [0, 0, 0], [0, 1, 1]]), GeometryError, "same place"),
        )
    ):
        with pytest.raises(error, match=rf"frame {number}: .*{message}"):
            observe([*frames[:number], odd, *frames], quantities, members, temperature=TEMPERATURE)
    with pytest.raises(DataError, match="15 frames"):
        observe(frames, quantities, members, temperature=TEMPERATURE, skip=15)
    one = write_random_model(tmp_path / "one.pt", "eeacsf-153", ELEMENTS, members=1)
    with pytest.raises(UncertaintyError, match="one member"):
        MemberEnergies(CoreBackend(one))
