"""Model files with a baseline: every reader evaluates it or refuses the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from lmlp import LMLPCalculator, _core
from lmlp.cli.app import app
from lmlp.errors import ModelFileError
from lmlp.export import upgrade
from lmlp.export.merge import merge_models
from lmlp.export.model_file import read_model_file
from lmlp.export.reference_potential import reference_results
from lmlp.export.verify import verify_model_file
from lmlp.export.writing import model_file_bytes, write_model_file
from lmlp.model.baseline import make_zbl
from lmlp.model.data import ModelData
from lmlp.neighbors import find_neighbors
from typer.testing import CliRunner

from .models import same_bits, small_model
from .test_model_file import header_of, reseal

ELEMENTS = ("H", "O", "Cl")


@pytest.fixture(scope="module")
def model() -> ModelData:
    return small_model(elements=ELEMENTS, baseline=True)


@pytest.fixture(scope="module")
def path(model: ModelData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("zbl") / "model.pt"
    differences = write_model_file(model, path)
    # the verification looks at close pairs: thousands of eV/Å, measured to agree to 1e-12 of that
    assert max(abs(d.reference) for d in differences if "gradients" in d.quantity) > 100.0
    return path


def crowded() -> Atoms:
    """A periodic structure with distances far below any bond."""
    rng = np.random.default_rng(14)
    cell = np.array([[3.1, 0.0, 0.0], [0.4, 2.9, 0.0], [-0.3, 0.5, 3.3]])
    positions = rng.random((8, 3)) @ cell
    return Atoms([ELEMENTS[i % 3] for i in range(8)], positions, cell=cell, pbc=True)


def test_all_readers_agree_on_short_distances(model: ModelData, path: Path) -> None:
    atoms = crowded()
    pairs = find_neighbors(atoms.positions, atoms.cell.array, True, model.descriptor["cutoff"])
    distances = np.linalg.norm(pairs.vectors, axis=1)
    assert 0.3 < distances.min() < 0.5
    species = np.array([ELEMENTS.index(s) for s in atoms.symbols])
    results = reference_results(model, pairs, species)
    bare = reference_results(replace(model, baseline=None), pairs, species)
    assert (results.energies - bare.energies).sum(1).min() > 5.0
    forces = np.zeros((8, 3))
    gradients = results.pair_gradients.mean(0)
    np.add.at(forces, pairs.centers, gradients)
    np.add.at(forces, pairs.neighbors, -gradients)
    virial = np.einsum("pa,pb->ab", pairs.vectors, gradients)
    for backend in ("core", "torchscript"):
        atoms.calc = LMLPCalculator(path, backend=backend, threads=1)
        scale = np.abs(forces).max()
        # measured: 1e-15 relative
        np.testing.assert_allclose(atoms.get_forces(), forces, rtol=0, atol=1e-12 * scale)
        np.testing.assert_allclose(
            atoms.get_potential_energies(), results.energies.mean(0), rtol=0, atol=1e-9
        )
        stress = atoms.get_stress(voigt=False) * atoms.get_volume()
        np.testing.assert_allclose(stress, 0.5 * (virial + virial.T), rtol=0, atol=1e-11 * scale)


def test_uncertainty_does_not_change(model: ModelData, path: Path, tmp_path: Path) -> None:
    write_model_file(replace(model, baseline=None), tmp_path / "bare.pt", verify=False)
    found = []
    for file in (path, tmp_path / "bare.pt"):
        atoms = crowded()
        atoms.calc = LMLPCalculator(file, threads=1)
        found.append(
            (atoms.calc.get_property("energy_std", atoms), atoms.calc.get_property("forces_std", atoms))
        )
    # the members differ by their networks alone; measured: rounding of forces of 1e3 eV/Å
    assert found[0][0] == pytest.approx(found[1][0], abs=1e-10)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=0, atol=1e-10)


def test_forces_are_derivatives(path: Path) -> None:
    atoms = crowded()
    atoms.calc = LMLPCalculator(path, threads=1)
    forces = atoms.get_forces()
    h = 1e-5
    for atom in range(4):
        energies = []
        for step in (h, -h):
            moved = atoms.copy()
            moved.positions[atom, atom % 3] += step
            moved.calc = atoms.calc
            energies.append(moved.get_potential_energy())
        numerical = -(energies[0] - energies[1]) / (2 * h)
        assert forces[atom, atom % 3] == pytest.approx(numerical, abs=2e-7 * np.abs(forces).max())


@pytest.mark.parametrize("symbols", ["HH", "HC", "HN", "HO", "CC", "CN", "CO", "NN", "NO", "OO"])
def test_dimers_repel_at_short_distance(tmp_path_factory: pytest.TempPathFactory, symbols: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "dimers.pt"
    if not folder.exists():
        write_model_file(small_model(elements=("H", "C", "N", "O"), baseline=True), folder, verify=False)
    calculator = LMLPCalculator(folder, threads=1)
    energies, pushes = [], []
    for distance in (0.01, 0.1, 0.3, 1.6):
        dimer = Atoms(symbols, [[0, 0, 0], [0, 0, distance]], calculator=calculator)
        energies.append(dimer.get_potential_energy())
        pushes.append(dimer.get_forces()[1, 2])
    assert np.isfinite([energies, pushes]).all()
    # measured: H–H, the weakest, 7 eV above the separated atoms and 97 eV/Å at 0.3 Å
    assert energies[0] > energies[1] > energies[2] > energies[3] + 5.0
    assert pushes[0] > pushes[1] > pushes[2] > 80.0


def test_readers_of_version_1_refuse_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert header_of(path.read_bytes())["format_version"] == 2
    monkeypatch.setattr(upgrade, "FORMAT_VERSION", 1)
    with pytest.raises(ModelFileError, match=r"format version 2 .* is newer than 1"):
        read_model_file(path)


def test_models_without_baseline_are_written_as_before(model: ModelData) -> None:
    header = header_of(model_file_bytes(replace(model, baseline=None)))
    assert header["format_version"] == 1
    assert "baseline" not in header


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 1}, "format version 1, which knows none"),
        ({"format_version": 99}, "newer than"),
        ({"baseline": {"type": "d3"}}, "knows zbl"),
        ({"baseline": {"type": "zbl", "pairs": {"H-O": [0.1, 0.2]}}}, "exactly the keys"),
        ({"baseline": [1]}, "baseline|attribute"),
    ],
)
def test_what_is_not_understood_is_refused_by_both_readers(
    path: Path, tmp_path: Path, changes: dict, message: str
) -> None:
    content = path.read_bytes()
    bad = tmp_path / "bad.pt"
    bad.write_bytes(reseal(content, {**header_of(content), **changes}))
    with pytest.raises(ModelFileError, match=message):
        read_model_file(bad)
    with pytest.raises(ModelFileError, match=message):
        _core.Potential(str(bad))


@pytest.mark.parametrize("radii", [[0.5, 0.4], [-0.1, 0.4], [0.1, 4.5], [0.1], "0.1", [0.1, None]])
def test_impossible_radii_are_refused_by_both_readers(path: Path, tmp_path: Path, radii: object) -> None:
    content = path.read_bytes()
    header = header_of(content)
    header["baseline"]["pairs"]["H-O"] = radii
    bad = tmp_path / "bad.pt"
    bad.write_bytes(reseal(content, header))
    for read in (read_model_file, lambda p: _core.Potential(str(p))):
        with pytest.raises(ModelFileError, match="baseline of H-O"):
            read(bad)


def test_verification_finds_a_reader_without_baseline(model: ModelData, path: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="verification failed"):
        verify_model_file(path, replace(model, baseline=make_zbl(ELEMENTS, 4.0, outer=1.5)))


def test_merge_keeps_the_baseline_and_refuses_another(model: ModelData) -> None:
    other = small_model(elements=ELEMENTS, baseline=True, seed=9)
    other = replace(other, atomic_energies=model.atomic_energies)
    merged = merge_models([model, other], ["a", "b"])
    assert merged.baseline == model.baseline is not None
    for changed in (None, make_zbl(ELEMENTS, 4.0, outer=1.0)):
        with pytest.raises(ModelFileError, match="b cannot be merged with a: baseline"):
            merge_models([model, replace(other, baseline=changed)], ["a", "b"])


def test_init(tmp_path: Path) -> None:
    common = ["init", "--elements", "H,O", "--members", "2", "--hidden", "4", "--cutoff", "3.0"]
    for name, path in (("zbl", tmp_path / "a.pt"), ("none", tmp_path / "b.pt")):
        result = CliRunner().invoke(app, [*common, "--baseline", name, "-o", str(path), "--no-verify"])
        assert result.exit_code == 0, result.output
    with_one, without = read_model_file(tmp_path / "a.pt"), read_model_file(tmp_path / "b.pt")
    assert with_one.baseline == make_zbl(["H", "O"], 3.0)
    assert without.baseline is None
    assert same_bits(with_one, without)
    wrong = CliRunner().invoke(app, [*common, "--baseline", "d3", "-o", str(tmp_path / "c.pt")])
    assert "zbl or none" in str(wrong.exception)
