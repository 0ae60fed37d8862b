"""Errors that were put into the labels come out of the evaluation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
from lmlp.calculators import many
from lmlp.calculators.backends import open_backend
from lmlp.elements import symbol
from lmlp.errors import DataError, GeometryError, OutputError, UnknownElementError
from lmlp.evaluation import Evaluation, evaluate, write_report
from lmlp.evaluation.predictions import write_predictions
from lmlp.evaluation.recalibrate import held_out
from lmlp.structure import Structure

from tests.models import random_crystal, write_random_model

SYMBOLS = ["H", "C", "O"]


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("m") / "model.pt", "eeacsf-153", SYMBOLS, members=4)


def structure(seed: int, n_atoms: int = 7) -> Structure:
    atoms = random_crystal(SYMBOLS, n_atoms, seed)
    return Structure(
        atoms.numbers.astype(np.int32),
        atoms.positions,
        atoms.cell.array,
        atoms.pbc,
        source=f"data.xyz:{seed}",
        info={"config_type": "odd" if seed % 2 else "even"},
    )


@pytest.fixture(scope="session")
def labeled(model_path: Path) -> tuple[list[Structure], np.ndarray, list[np.ndarray]]:
    """Structures whose labels are the model's predictions less known errors."""
    plain = [structure(seed, n_atoms=5 + seed % 3) for seed in range(6)]
    rng = np.random.default_rng(1)
    energy_errors = rng.normal(0.0, 0.01, len(plain))
    force_errors = [rng.normal(0.0, 0.2, (len(s), 3)) for s in plain]
    made = [
        replace(
            result.structure,
            energy=result.prediction.energy - len(result.structure) * energy_error,
            forces=result.prediction.forces - errors,
            stress=result.stress + 1e-3 * np.eye(3),
        )
        for result, energy_error, errors in zip(
            evaluate(model_path, plain).results, energy_errors, force_errors, strict=True
        )
    ]
    return made, energy_errors, force_errors


@pytest.fixture
def evaluation(model_path: Path, labeled) -> Evaluation:
    return evaluate(model_path, {"a.xyz": labeled[0][:4], "b.xyz": labeled[0][4:]})


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def test_errors(evaluation: Evaluation, labeled) -> None:
    structures, energy_errors, force_errors = labeled
    flat = np.concatenate([errors.ravel() for errors in force_errors])
    metrics = evaluation.metrics()
    assert metrics["energy_rmse"] == pytest.approx(rms(energy_errors), rel=1e-9)
    assert metrics["energy_mae"] == pytest.approx(np.abs(energy_errors).mean(), rel=1e-9)
    assert metrics["force_rmse"] == pytest.approx(rms(flat), rel=1e-9)
    assert metrics["force_mae"] == pytest.approx(np.abs(flat).mean(), rel=1e-9)
    # 1e-3 on the three diagonal components of six
    assert metrics["stress_rmse"] == pytest.approx(1e-3 * np.sqrt(0.5), rel=1e-9)
    assert metrics["n_structures"] == 6
    assert metrics["n_force_components"] == flat.size
    numbers = np.concatenate([s.numbers for s in structures])
    oxygen = np.concatenate(force_errors)[numbers == 8]
    assert set(metrics["elements"]) == {"H", "C", "O"}
    assert metrics["elements"]["O"]["force_rmse"] == pytest.approx(rms(oxygen), rel=1e-9)
    assert metrics["elements"]["O"]["n"] == oxygen.size
    assert metrics["files"]["b.xyz"]["energy_rmse"] == pytest.approx(rms(energy_errors[4:]), rel=1e-9)
    assert metrics["config_types"]["odd"]["energy_rmse"] == pytest.approx(rms(energy_errors[1::2]), rel=1e-9)
    json.dumps(metrics, allow_nan=False)


def test_worst_structures_come_first(evaluation: Evaluation, labeled) -> None:
    worst = evaluation.metrics()["worst"]
    lengths = [np.linalg.norm(errors, axis=1) for errors in labeled[2]]
    largest = [float(length.max()) for length in lengths]
    first = int(np.argmax(largest))
    assert worst[0]["source"] == f"data.xyz:{first}"
    assert [row["worst_atom_error"] for row in worst] == pytest.approx(sorted(largest, reverse=True))
    atom = int(np.argmax(lengths[first]))
    assert worst[0]["worst_atom"] == f"{symbol(int(labeled[0][first].numbers[atom]))} {atom}"
    assert worst[0]["force_error_max"] == pytest.approx(np.abs(labeled[2][first]).max())
    assert worst[0]["grade"] >= 1.0


def test_missing_labels_are_counted_not_zero(model_path: Path, labeled) -> None:
    structures, energy_errors, _ = labeled
    some = [replace(structures[0], energy=None), replace(structures[1], forces=None), structures[2]]
    metrics = evaluate(model_path, some).metrics()
    assert metrics["energy_rmse"] == pytest.approx(rms(energy_errors[1:3]), rel=1e-9)
    assert (metrics["n_energies"], metrics["n_without_energy"], metrics["n_without_forces"]) == (2, 1, 1)
    bare = [replace(s, energy=None, forces=None, stress=None) for s in structures]
    metrics = evaluate(model_path, bare).metrics()
    assert metrics["energy_rmse"] is None
    assert metrics["force_rmse"] is None
    assert metrics["elements"] == {}
    assert metrics["calibration"] == {}
    assert "stress_rmse" not in metrics


def test_calibration_uses_the_models_factor(evaluation: Evaluation) -> None:
    table = evaluation.metrics()["calibration"]
    std = np.concatenate([r.prediction.uncertainty.forces_std.ravel() for r in evaluation.results])
    errors = np.concatenate([r.force_errors.ravel() for r in evaluation.results])
    forces = table["forces"]
    assert forces["factor"] == evaluation.facts.force_factor == 2.0
    assert forces["sigma"]["coverage_1"] == pytest.approx(np.mean(np.abs(errors) <= 2.0 * std))
    assert forces["raw"]["coverage_1"] == pytest.approx(np.mean(np.abs(errors) <= std))
    assert forces["fitted_factor"] == pytest.approx(rms(errors) / rms(std))
    energy_std = np.array(
        [r.prediction.uncertainty.energy_std / len(r.structure) for r in evaluation.results]
    )
    energy_errors = np.array([r.energy_error for r in evaluation.results])
    assert table["energy"]["fitted_factor"] == pytest.approx(rms(energy_errors) / rms(energy_std))


def test_forces_that_vanish_by_symmetry_are_no_matter_of_sigma(model_path: Path) -> None:
    """Members agree on them to rounding; with them, no error would lie within any multiple of σ."""
    perfect = Structure(np.array([6], np.int32), np.zeros((1, 3)), 1.7 * np.eye(3), np.ones(3, bool))
    plain = [structure(seed) for seed in range(3)]
    rng = np.random.default_rng(2)
    noise = [rng.normal(0.0, 0.1, r.prediction.forces.shape) for r in evaluate(model_path, plain).results]
    data = [
        replace(r.structure, forces=r.prediction.forces + e)
        for r, e in zip(evaluate(model_path, plain).results, noise, strict=True)
    ]
    alone = evaluate(model_path, data).metrics()["calibration"]["forces"]
    both = [*data, replace(perfect, forces=np.full((1, 3), 1e-4))]  # of a reference that is not converged
    result = evaluate(model_path, both)
    assert result.metrics()["n_force_components"] == 66  # the errors themselves count
    assert result.metrics()["calibration"]["forces"] == alone


def test_one_member_has_no_calibration(tmp_path: Path, labeled) -> None:
    path = write_random_model(tmp_path / "one.pt", "eeacsf-153", SYMBOLS, members=1)
    metrics = evaluate(path, labeled[0]).metrics()
    assert metrics["calibration"] is None
    assert metrics["worst"][0]["grade"] is None


def test_batches_do_not_matter(model_path: Path, labeled, monkeypatch: pytest.MonkeyPatch) -> None:
    done = []
    whole = evaluate(model_path, labeled[0], progress=done.append)
    monkeypatch.setattr(many, "BATCH_SIZE", 1)
    single = evaluate(model_path, labeled[0], progress=done.append)
    assert done == [6, 1, 2, 3, 4, 5, 6]
    for one, two in zip(whole.results, single.results, strict=True):
        assert one.prediction.energy == two.prediction.energy
        np.testing.assert_array_equal(one.prediction.forces, two.prediction.forces)
        np.testing.assert_array_equal(one.prediction.uncertainty.forces, two.prediction.uncertainty.forces)


def test_torchscript_gives_the_same_errors(evaluation: Evaluation, model_path: Path, labeled) -> None:
    other = evaluate(open_backend(model_path, "torchscript"), labeled[0]).metrics()
    metrics = evaluation.metrics()
    for key in ("energy_rmse", "force_rmse", "stress_rmse"):
        assert other[key] == pytest.approx(metrics[key], rel=1e-9)


def test_bad_structures_are_named(model_path: Path, labeled) -> None:
    good = labeled[0][0]
    numbers = good.numbers.copy()
    numbers[1] = 7
    with pytest.raises(UnknownElementError, match=r"data\.xyz:0: N: not an element"):
        evaluate(model_path, [replace(good, numbers=numbers)])
    positions = good.positions.copy()
    positions[3] = positions[1]
    with pytest.raises(GeometryError, match=r"data\.xyz:0: atoms 1 and 3"):
        evaluate(model_path, [labeled[0][1], replace(good, positions=positions)])
    with pytest.raises(DataError, match="no structures"):
        evaluate(model_path, [])


def test_predictions_never_look_like_labels(evaluation: Evaluation, labeled, tmp_path: Path) -> None:
    path = tmp_path / "p.xyz"
    write_predictions(evaluation, path)
    frames = ase.io.read(path, ":")
    for frame, reference, result in zip(frames, labeled[0], evaluation.results, strict=True):
        assert frame.get_potential_energy() == reference.energy
        np.testing.assert_array_equal(frame.get_forces(), reference.forces)
        assert frame.info["lmlp_energy"] == result.prediction.energy
        np.testing.assert_array_equal(frame.arrays["lmlp_forces"], result.prediction.forces)
        np.testing.assert_array_equal(
            frame.arrays["lmlp_forces_uncertainty"], result.prediction.uncertainty.forces
        )
        assert frame.info["source"] == reference.source
        np.testing.assert_allclose(frame.positions, reference.positions, atol=0.0)
    with pytest.raises(OutputError, match="cannot be written"):
        write_predictions(evaluation, tmp_path / "nowhere" / "p.xyz")


def test_free_atoms_are_told_apart(model_path: Path, labeled, tmp_path: Path) -> None:
    """An error of eV of a lone atom would hide those of all others, and its small σ spoil the calibration."""
    atoms = [
        Structure(
            np.array([z], np.int32),
            np.zeros((1, 3)),
            30.0 * np.eye(3),
            np.ones(3, bool),
            energy,
            source=f"a:{z}",
        )
        for z, energy in ((1, -13.6), (8, None))
    ]
    without = evaluate(model_path, labeled[0])
    given = evaluate(model_path, [atoms[0], *labeled[0], atoms[1]])
    one, other = without.metrics(), given.metrics()
    assert one.pop("free_atoms") == []
    rows = other.pop("free_atoms")
    assert one == other
    assert [(r["source"], r["element"]) for r in rows] == [("a:1", "H"), ("a:8", "O")]
    assert rows[0]["energy_error"] == pytest.approx(rows[0]["energy"] + 13.6, abs=1e-12)
    assert rows[1]["energy_error"] is None
    elements = list(given.facts.elements)
    for a, b in zip(
        vars(held_out(without, elements)).values(), vars(held_out(given, elements)).values(), strict=True
    ):
        assert np.array_equal(a, b)
    write_report(given, tmp_path / "report.html")
    assert "Isolated atoms are not among the structures: H " in (tmp_path / "report.html").read_text()
    alone = evaluate(model_path, atoms).metrics()
    assert (alone["n_structures"], alone["n_energies"], alone["free_atoms"]) == (2, 1, [])
