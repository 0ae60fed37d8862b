"""σ and distances of models of format version 4 in evaluations: figures, files and words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
from lmlp.cli.app import app
from lmlp.evaluation import Evaluation, evaluate, write_report
from lmlp.evaluation.predictions import write_predictions
from lmlp.export.model_file import read_model_file
from lmlp.export.writing import write_model_file
from lmlp.model.spread import parse_spread_maps
from lmlp.structure import Structure
from scipy import stats
from typer.testing import CliRunner

from tests.models import random_crystal, some_spread_maps, write_random_model

SYMBOLS = ["H", "C", "O"]
N = 12


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("v4") / "model.pt"
    return write_random_model(path, "eeacsf-153", SYMBOLS, 4, spread_maps=True, distance=True)


def plain(seed: int) -> Structure:
    atoms = random_crystal(SYMBOLS, 6 + seed % 3, seed)
    return Structure(
        atoms.numbers.astype(np.int32),
        atoms.positions,
        atoms.cell.array,
        atoms.pbc,
        source=f"data.xyz:{seed}",
    )


def labeled(model: Path, size: float = 1.0) -> list[Structure]:
    """Structures with errors of the size that the model states, times ``size``."""
    rng = np.random.default_rng(0)
    structures = []
    for r in evaluate(model, [plain(seed) for seed in range(N)]).results:
        u = r.prediction.uncertainty
        assert u is not None
        assert u.virial is not None
        assert r.stress is not None
        turned = rng.normal(size=(3, 3))
        structures.append(
            replace(
                r.structure,
                energy=r.prediction.energy + size * u.energy * rng.normal(),
                forces=r.prediction.forces + size * u.forces * rng.normal(size=u.forces.shape),
                stress=r.stress + size * u.virial / r.structure.volume * (turned + turned.T) / np.sqrt(2.0),
            )
        )
    return structures


@pytest.fixture(scope="session")
def evaluation(model_path: Path) -> Evaluation:
    return evaluate(model_path, labeled(model_path))


def test_sigma_is_of_vectors_by_the_maps(evaluation: Evaluation) -> None:
    maps = parse_spread_maps(some_spread_maps(SYMBOLS), SYMBOLS)
    assert maps is not None
    results = evaluation.results
    species = np.concatenate([np.searchsorted([1, 6, 8], r.structure.numbers) for r in results])
    spread = np.concatenate([np.linalg.norm(r.prediction.uncertainty.forces_std, axis=1) for r in results])
    sigma = maps.sigma_forces(spread, species)
    errors = np.concatenate([r.force_errors for r in results])
    forces = evaluation.metrics()["calibration"]["forces"]
    assert forces["map"] == some_spread_maps(SYMBOLS)["forces"]
    assert "factor" not in forces
    found = forces["sigma"]
    component = np.repeat(sigma[:, None] / np.sqrt(3.0), 3, axis=1)
    assert found["n"] == len(sigma)
    assert found["nll"] == pytest.approx(-stats.norm.logpdf(errors, scale=component).mean(), rel=1e-10)
    assert found["coverage_1"] == pytest.approx(np.mean(np.abs(errors) <= component))
    lengths = np.linalg.norm(errors, axis=1)
    assert found["spearman"] == pytest.approx(stats.spearmanr(sigma, lengths).statistic)
    rms = np.sqrt(np.mean(lengths**2))
    assert found["ratio"] == pytest.approx(rms / np.sqrt(np.mean(sigma**2)))
    assert forces["fitted_factor"] == pytest.approx(rms / np.sqrt(np.mean(spread**2)))
    oxygen = species == 2
    own = forces["elements"]["O"]
    assert own["n"] == np.count_nonzero(oxygen)
    assert own["sharpness"] == pytest.approx(np.sqrt(np.mean(sigma[oxygen] ** 2)))


def test_energies_and_stresses_have_their_maps(evaluation: Evaluation) -> None:
    table = evaluation.metrics()["calibration"]
    maps = some_spread_maps(SYMBOLS)
    energy, stress = [], []
    for r in evaluation.results:
        u, n = r.prediction.uncertainty, len(r.structure)
        energy.append(np.hypot(maps["energy"]["floor"], maps["energy"]["factor"] * u.energy_std / n))
        virial = np.sqrt(np.mean(u.virial_std**2)) / n
        per_volume = n / r.structure.volume
        stress.append(np.hypot(maps["stress"]["floor"], maps["stress"]["factor"] * virial) * per_volume)
    assert table["energy"]["sigma"]["sharpness"] == pytest.approx(np.sqrt(np.mean(np.square(energy))))
    assert table["stress"]["sigma"]["sharpness"] == pytest.approx(np.sqrt(np.mean(np.square(stress))))
    assert table["stress"]["sigma"]["n"] == 6 * N
    json.dumps(evaluation.metrics(), allow_nan=False)


def test_axes_are_no_matter(evaluation: Evaluation, model_path: Path) -> None:
    rotation = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
    turned = [
        replace(
            r.structure,
            positions=r.structure.positions @ rotation,
            cell=r.structure.cell @ rotation,
            forces=r.structure.forces @ rotation,
            stress=None,
        )
        for r in evaluation.results
    ]
    one = evaluation.metrics()
    other = evaluate(model_path, turned).metrics()
    for key in ("spearman", "auroc", "ratio", "sharpness", "nll"):
        found, expected = (m["calibration"]["forces"]["sigma"][key] for m in (other, one))
        assert found == pytest.approx(expected, rel=1e-7)
    assert [row["grade"] for row in other["worst"]] == pytest.approx([row["grade"] for row in one["worst"]])


def test_errors_that_contradict_the_model_are_told(model_path: Path) -> None:
    agreeing, larger = (evaluate(model_path, labeled(model_path, size)) for size in (1.0, 3.0))
    for name in ("energy", "forces", "stress"):
        assert agreeing.metrics()["calibration"][name]["check"]["verdict"] == "agree"
        check = larger.metrics()["calibration"][name]["check"]
        assert check["verdict"] == "larger"
        assert "errors are larger than σ says" in check["sentence"]
    assert "learn these data" in str(larger)
    assert "force errors agree with σ" in str(agreeing)


def test_stored_multiples_decide(model_path: Path, tmp_path: Path) -> None:
    # of lengths of normal vectors, times three
    multiples = {"0.5": 2.7, "0.68": 3.2, "0.9": 4.3, "0.95": 4.8, "0.99": None}
    model = replace(
        read_model_file(model_path), calibration={"energy": {"n": 40}, "forces": {"quantiles": multiples}}
    )
    path = tmp_path / "stored.pt"
    write_model_file(model, path, verify=False)
    check = evaluate(path, labeled(path, 3.0)).metrics()["calibration"]["forces"]["check"]
    assert [one["multiple"] for one in check["levels"]] == [2.7, 3.2, 4.3, 4.8]
    assert check["verdict"] == "agree"
    assert evaluate(path, labeled(path)).metrics()["calibration"]["forces"]["check"]["verdict"] == "smaller"


def test_distances(evaluation: Evaluation) -> None:
    table = evaluation.metrics()["distance"]
    distances = [r.prediction.distances for r in evaluation.results]
    flat = np.concatenate(distances)
    errors = np.concatenate([np.linalg.norm(r.force_errors, axis=1) for r in evaluation.results])
    assert table["n"] == len(flat)
    assert table["largest"] == flat.max()
    assert table["above_1"] == np.mean(flat > 1.0)
    assert table["structures_above_1"] == np.mean([d.max() > 1.0 for d in distances])
    assert table["quantiles"]["0.9"] == np.quantile(flat, 0.9)
    worst = np.argmax(errors)  # one of 84 atoms
    others = np.delete(flat, worst)
    assert table["auroc"] == pytest.approx(np.mean(flat[worst] > others))
    assert sum(entry["n"] for entry in table["elements"].values()) == len(flat)
    assert evaluation.metrics()["worst"][0]["distance"] in [d.max() for d in distances]


def test_one_member_has_distances_alone(tmp_path: Path, model_path: Path) -> None:
    path = write_random_model(tmp_path / "one.pt", "eeacsf-153", SYMBOLS, 1, distance=True)
    one = evaluate(path, labeled(model_path))
    metrics = one.metrics()
    assert metrics["calibration"] is None
    assert metrics["distance"]["n"] == sum(len(r.structure) for r in one.results)
    assert metrics["worst"][0]["grade"] is None
    assert metrics["worst"][0]["distance"] > 0.0
    assert "distance:" in str(one)
    write_report(one, tmp_path / "one.html")
    assert "Distance from the training data" in (tmp_path / "one.html").read_text()


def test_predictions_have_a_column_each(evaluation: Evaluation, tmp_path: Path) -> None:
    write_predictions(evaluation, tmp_path / "p.xyz")
    frames = ase.io.read(tmp_path / "p.xyz", ":")
    for frame, result in zip(frames, evaluation.results, strict=True):
        u = result.prediction.uncertainty
        np.testing.assert_array_equal(frame.arrays["lmlp_sigma_forces"], u.sigma_forces)
        np.testing.assert_array_equal(frame.arrays["lmlp_distances"], result.prediction.distances)
        assert frame.info["lmlp_distance"] == result.prediction.distances.max()
        assert frame.info["lmlp_stress_uncertainty"] == u.virial / result.structure.volume


def test_report_and_terminal(evaluation: Evaluation, model_path: Path, tmp_path: Path) -> None:
    write_report(evaluation, tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    for words in ("NLL", "CRPS", "AUROC", "Force errors agree with σ.", "σ of O", "distance against force"):
        assert words in text
    data = tmp_path / "data.xyz"
    frames = ase.io.read(_predicted(evaluation, tmp_path), ":")
    ase.io.write(data, frames, format="extxyz")
    result = CliRunner().invoke(app, ["eval", str(model_path), str(data)], env={"COLUMNS": "80"})
    assert result.exit_code == 0, result.output
    assert "force errors agree with σ" in result.output
    assert "Distance from the training data" in result.output
    assert max(len(line) for line in result.output.splitlines()) <= 80


def _predicted(evaluation: Evaluation, folder: Path) -> Path:
    write_predictions(evaluation, folder / "p.xyz")
    return folder / "p.xyz"


def test_info_tells_maps_multiples_and_distance(model_path: Path, tmp_path: Path) -> None:
    found = evaluate(model_path, labeled(model_path)).metrics()["calibration"]
    model = replace(
        read_model_file(model_path),
        calibration={name: found[name]["sigma"] for name in ("energy", "forces")},
    )
    write_model_file(model, tmp_path / "m.pt", verify=False)
    output = CliRunner().invoke(app, ["info", str(tmp_path / "m.pt")], env={"COLUMNS": "200"}).output
    assert "H 20, 1.5; C 40, 2; O 60, 2.5 (meV/Å, length of the vector)" in output
    multiple = found["forces"]["sigma"]["quantiles"]["0.95"]
    assert f"95 % than {multiple:.2g} σ" in output
    assert "50 % are shorter than" in output
    assert "1 holds 99.9 % of the training atoms (H 1,000, C 1,000, O 1,000)" in output
    facts = json.loads(CliRunner().invoke(app, ["info", str(tmp_path / "m.pt"), "--json"]).output)
    assert facts["spread_maps"] == some_spread_maps(SYMBOLS)
    assert facts["calibration"]["forces"]["quantiles"]["0.95"] == multiple
    assert facts["distance"]["quantile"] == 0.999
