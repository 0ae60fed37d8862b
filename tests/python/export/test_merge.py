"""Merging ensembles."""

import dataclasses

import numpy as np
import pytest
from lmlp.calculators.backends import open_backend
from lmlp.errors import ModelFileError
from lmlp.evaluation import evaluate
from lmlp.evaluation.recalibrate import recalibrated
from lmlp.evaluation.result import StructureResult
from lmlp.export.merge import merge_models
from lmlp.export.model_file import read_model_file
from lmlp.export.writing import write_model_file
from lmlp.io import write_structures
from lmlp.model.data import ModelData
from lmlp.model.spread import SpreadMaps, parse_spread_maps
from lmlp.structure import Structure
from typer.testing import CliRunner

from tests.python.export.models import small_model


@pytest.fixture(scope="module")
def models() -> tuple[ModelData, ModelData]:
    return small_model(2, seed=1), small_model(3, seed=2)


def structures(n: int = 12) -> list[Structure]:
    rng = np.random.default_rng(5)
    grid = np.array([(i, j, k) for i in range(2) for j in range(2) for k in range(2)], dtype=float)
    return [
        Structure(
            numbers=np.array([1, 8, 1, 1, 8, 1, 8, 1], dtype=np.int32),
            positions=1.7 * grid + 0.15 * rng.normal(size=(8, 3)),
            cell=np.zeros((3, 3)),
            pbc=np.zeros(3, dtype=bool),
            energy=float(-6200.0 + rng.normal()),
            forces=rng.normal(size=(8, 3)),
            source=f"test.xyz:{k}",
        )
        for k in range(n)
    ]


def test_members_predict_what_they_did_before(models, tmp_path):
    merged = merge_models(models, ["a.pt", "b.pt"])
    predictions = {}
    for name, model in (("a", models[0]), ("b", models[1]), ("merged", merged)):
        write_model_file(model, tmp_path / f"{name}.pt", verify=False)
        predictions[name] = evaluate(tmp_path / f"{name}.pt", structures()).results
    for a, b, m in zip(*(predictions[k] for k in ("a", "b", "merged")), strict=True):
        x, y, z = a.prediction, b.prediction, m.prediction
        assert z.energy == pytest.approx((2 * x.energy + 3 * y.energy) / 5, rel=1e-12)
        # variances of the parts and of their means
        within = x.uncertainty.energy_std**2 + 2 * y.uncertainty.energy_std**2
        between = 2 * 3 / 5 * (x.energy - y.energy) ** 2
        # differences of energies of 6200 eV: 1e-12 of them
        assert z.uncertainty.energy_std == pytest.approx(np.sqrt((within + between) / 4), abs=1e-7)
        np.testing.assert_allclose(z.forces, (2 * x.forces + 3 * y.forces) / 5, atol=1e-10)


def test_errors_of_the_parts_are_not_those_of_the_whole(models):
    claimed = [
        dataclasses.replace(
            m, energy_rmse=0.001, force_rmse=0.02, calibration={"n": 1}, energy_uncertainty_factor=7.0
        )
        for m in models
    ]
    merged = merge_models(claimed, ["a.pt", "b.pt"])
    assert merged.energy_rmse is None
    assert merged.force_rmse is None
    assert merged.calibration == {}
    assert merged.energy_uncertainty_factor == 2.0
    origin = merged.provenance["merged"]
    assert [(o["file"], o["n_members"], o["energy_rmse"]) for o in origin] == [
        ("a.pt", 2, 0.001),
        ("b.pt", 3, 0.001),
    ]


def test_ranges_of_the_features_are_joined(models):
    a, b = models
    low, high = np.zeros((2, 8)), np.ones((2, 8))
    a = dataclasses.replace(a, feature_min=low, feature_max=high)
    b = dataclasses.replace(b, feature_min=low - 1.0, feature_max=high - 0.5)
    merged = merge_models([a, b], ["a", "b"])
    np.testing.assert_array_equal(merged.feature_min, low - 1.0)
    np.testing.assert_array_equal(merged.feature_max, high)
    without = merge_models([a, dataclasses.replace(b, feature_min=None)], ["a", "b"])
    assert without.feature_min is None
    assert without.feature_max is None


def changed_descriptor(model: ModelData, **changes: object) -> ModelData:
    return dataclasses.replace(model, descriptor={**model.descriptor, **changes})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda m: dataclasses.replace(m, elements=["O", "H"]),
            r"elements \['O', 'H'\] instead of \['H', 'O'\]",
        ),
        (lambda m: dataclasses.replace(m, activation="tanh"), "activation tanh instead of stanh"),
        (lambda m: dataclasses.replace(m, hidden_layers=[6, 4]), r"hidden layers \[6, 4\]"),
        (
            lambda m: dataclasses.replace(m, atomic_energies=m.atomic_energies + np.array([0.0, 1e-6])),
            "atomic energy of O",
        ),
        (lambda m: changed_descriptor(m, cutoff=5.0), "cutoff 5.0 instead of 4.0"),
        (lambda m: changed_descriptor(m, angular_cutoff=3.0), "angular_cutoff 3.0 instead of None"),
        (
            lambda m: changed_descriptor(m, functions=m.descriptor["functions"][1:]),
            "7 symmetry functions instead of 8",
        ),
        (
            lambda m: changed_descriptor(m, functions=m.descriptor["functions"][::-1]),
            "symmetry function 0 is",
        ),
    ],
)
def test_models_that_differ_are_refused(models, change, message):
    with pytest.raises(ModelFileError, match=f"b.pt cannot be merged with a.pt: .*{message}"):
        merge_models([models[0], change(models[1])], ["a.pt", "b.pt"])


def test_equal_members_are_refused(models):
    with pytest.raises(
        ModelFileError, match=r"member 0 of b.pt is equal to member 0 of a.pt: .* another seed"
    ):
        merge_models([models[0], models[0]], ["a.pt", "b.pt"])
    with pytest.raises(ModelFileError, match="at least two"):
        merge_models([models[0]], ["a.pt"])


def test_errors_and_calibration_are_measured_anew(models, tmp_path):
    path = tmp_path / "merged.pt"
    merged = merge_models(models, ["a.pt", "b.pt"])
    write_model_file(merged, path, verify=False)
    evaluation = evaluate(open_backend(path), structures())
    measured = recalibrated(merged, evaluation)
    errors = np.array([r.energy_error for r in evaluation.results])
    assert measured.energy_rmse == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-9)
    forces = np.concatenate([r.force_errors for r in evaluation.results])
    assert measured.force_rmse == pytest.approx(np.sqrt(np.mean(forces**2)), rel=1e-9)
    spread = np.concatenate([r.prediction.uncertainty.forces_std for r in evaluation.results])
    factor = np.sqrt(np.mean(forces**2) / np.mean(spread**2))
    assert measured.force_uncertainty_factor == pytest.approx(factor, rel=1e-9)
    hydrogen = np.concatenate([r.structure.numbers for r in evaluation.results]) == 1
    maps = parse_spread_maps(measured.spread_maps, measured.elements)
    for rows, own in ((hydrogen, maps.forces[0]), (~hydrogen, maps.forces[1])):
        sigma = own(np.linalg.norm(spread[rows], axis=1))
        # what makes the errors most likely has their size on the average, but for the belief in all elements
        assert np.mean((forces[rows] ** 2).sum(axis=1) / sigma**2) == pytest.approx(1.0, abs=0.1)
    assert measured.calibration["forces"]["elements"]["H"]["n"] == hydrogen.sum()
    again = dataclasses.replace(evaluation, results=[_without_forces(r) for r in evaluation.results])
    kept = recalibrated(measured, again)
    assert kept.spread_maps["forces"] == measured.spread_maps["forces"]
    assert kept.force_rmse is None
    by_factor = dataclasses.replace(measured, spread_maps=None)
    older = recalibrated(by_factor, again).spread_maps["forces"]["H"]
    assert older == {"floor": 0.0, "factor": measured.force_uncertainty_factor}


def _without_forces(result: StructureResult) -> StructureResult:
    return dataclasses.replace(result, structure=dataclasses.replace(result.structure, forces=None))


def with_distance(model: ModelData, sha: str, seed: int) -> ModelData:
    rng = np.random.default_rng(seed)
    n = (len(model.elements), model.n_features)
    return dataclasses.replace(
        model,
        spread_maps=SpreadMaps.raw(2).block(model.elements),
        distance={"quantile": 0.999, "atoms": {"H": 4, "O": 5}},
        distance_shift=rng.normal(size=n),
        distance_scale=rng.uniform(1.0, 2.0, size=n),
        distance_axes=np.zeros((n[0], 1, n[1])),
        provenance={"data_sha256": sha},
    )


def test_the_distance_is_kept_where_the_data_are_the_same(models):
    a, b, c = with_distance(models[0], "x", 1), with_distance(models[1], "x", 2), models[1]
    merged = merge_models([a, b], ["a", "b"])
    np.testing.assert_array_equal(merged.distance_scale, a.distance_scale)
    assert merged.distance == a.distance
    assert merged.spread_maps == SpreadMaps.raw(2).block(["H", "O"])
    for other in (dataclasses.replace(b, provenance={"data_sha256": "y"}), c):
        without = merge_models([a, other], ["a", "b"])
        assert without.distance is None
        assert without.feature_distance is None
        assert without.distance_scale is None
    assert merge_models(models, ["a", "b"]).spread_maps is None  # of older versions: by factors


def test_command(models, tmp_path):
    from lmlp.cli.app import app

    for name, model in zip("ab", models, strict=True):
        write_model_file(model, tmp_path / f"{name}.pt", verify=False)
    write_structures(tmp_path / "test.xyz", structures())
    files = [str(tmp_path / "a.pt"), str(tmp_path / "b.pt"), "-o", str(tmp_path / "c.pt")]
    plain = CliRunner().invoke(app, ["merge", *files])
    assert plain.exit_code == 0, plain.output
    assert "5 members" in plain.output
    assert "not calibrated" in plain.output
    assert read_model_file(tmp_path / "c.pt").energy_rmse is None
    measured = CliRunner().invoke(app, ["merge", *files, "--force", "--data", str(tmp_path / "test.xyz")])
    assert measured.exit_code == 0, measured.output
    model = read_model_file(tmp_path / "c.pt")
    assert model.energy_rmse is not None
    assert f"{1e3 * model.energy_rmse:.4g} meV/atom" in measured.output
    assert model.provenance["tested_on"]["n_structures"] == 12
