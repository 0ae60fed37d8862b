"""Model files with free atoms: every reader evaluates them or refuses the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from lmlp import LMLPCalculator, _core
from lmlp.cli.app import app
from lmlp.descriptor.compute import Descriptor
from lmlp.descriptor.presets import make_preset, preset_names
from lmlp.environments import Environments
from lmlp.errors import ModelFileError
from lmlp.export import upgrade
from lmlp.export.merge import merge_models
from lmlp.export.model_file import read_model_file
from lmlp.export.reference_potential import reference_results
from lmlp.export.torchscript import load_potential
from lmlp.export.verify import verify_model_file
from lmlp.export.writing import model_file_bytes, write_model_file
from lmlp.model.data import ModelData
from lmlp.model.free_atoms import neighbor_density
from lmlp.neighbors import find_neighbors
from typer.testing import CliRunner

from .models import small_model
from .test_model_file import header_of, reseal

ELEMENTS = ("H", "O", "Cl")
# in the structures below no H and some Cl reach their density; O has no free atom
FREE = {"H": {"energy": -13.25, "density": 9.0}, "Cl": {"energy": -12515.5, "density": 1.7}}
BACKENDS = ("core", "torchscript")


@pytest.fixture(scope="module")
def model() -> ModelData:
    return replace(small_model(elements=ELEMENTS), free_atoms=FREE)


@pytest.fixture(scope="module")
def path(model: ModelData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("free") / "model.pt"
    write_model_file(model, path)
    return path


def loose(periodic: bool) -> Atoms:
    """Molecules, fragments that lose each other, and atoms alone, of all elements."""
    rng = np.random.default_rng(3)
    cluster = rng.uniform(0.0, 4.2, (9, 3))
    lone = [[12.0, 0, 0], [0, 12.0, 0], [0, 0, 12.0], [12.0, 12.0, 3.0], [12.0, 12.0, 6.9], [12.0, 8.5, 6.9]]
    symbols = [ELEMENTS[i % 3] for i in range(15)]
    cell = np.array([[20.0, 0, 0], [1.0, 21.0, 0], [-2.0, 0.5, 19.0]])
    return Atoms(symbols, np.vstack([cluster, lone]), cell=cell if periodic else None, pbc=periodic)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("backend", BACKENDS)
def test_all_readers_agree(model: ModelData, path: Path, backend: str, periodic: bool) -> None:
    atoms = loose(periodic)
    cutoff = model.descriptor["cutoff"]
    pairs = find_neighbors(atoms.positions, atoms.cell.array if periodic else None, periodic, cutoff)
    species = np.array([ELEMENTS.index(s) for s in atoms.symbols])
    filling = neighbor_density(pairs, cutoff) / np.array([9.0, np.inf, 1.7])[species]
    filling = filling[species != 1]
    assert (filling == 0.0).any()
    assert (filling > 1.0).any()
    assert ((filling > 0.0) & (filling < 1.0)).sum() > 3
    results = reference_results(model, pairs, species)
    gradients = results.pair_gradients.mean(0)
    forces = np.zeros((len(atoms), 3))
    np.add.at(forces, pairs.centers, gradients)
    np.add.at(forces, pairs.neighbors, -gradients)
    atoms.calc = LMLPCalculator(path, backend=backend, threads=1, uncertainty=True)
    scale = np.abs(forces).max()
    # measured: 1e-15 relative; energies are of 1e4 eV
    np.testing.assert_allclose(atoms.get_forces(), forces, rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(atoms.get_potential_energies(), results.energies.mean(0), rtol=0, atol=1e-10)
    std = results.energies.sum(1).std(ddof=1)
    # deviations of totals of 1e5 eV, known to 1e-11 eV each
    assert atoms.calc.get_property("energy_std", atoms) == pytest.approx(std, abs=1e-9)
    if periodic:
        virial = np.einsum("pa,pb->ab", pairs.vectors, gradients)
        stress = atoms.get_stress(voigt=False) * atoms.get_volume()
        np.testing.assert_allclose(stress, 0.5 * (virial + virial.T), rtol=0, atol=1e-11 * scale)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("options", [{}, {"precision": "mixed"}, {"backend": "torchscript"}])
def test_an_atom_alone_has_the_energy_of_the_free_atom(path: Path, options: dict, periodic: bool) -> None:
    calculator = LMLPCalculator(path, threads=1, **options)
    for symbol, entry in FREE.items():
        atoms = Atoms(symbol, cell=9.0 * np.eye(3) if periodic else None, pbc=periodic)
        assert calculator.get_property("energy", atoms) == entry["energy"]
        assert calculator.get_property("energy_std", atoms) == 0.0
        np.testing.assert_array_equal(calculator.get_property("forces", atoms), 0.0)
    # an element without a free atom: what the networks say
    assert calculator.get_property("energy_std", Atoms("O")) > 0.0


def test_members_agree_on_the_free_atom_in_single_precision_too(path: Path) -> None:
    import torch

    module = load_potential(path).to(torch.float32)
    nothing = torch.zeros(0, dtype=torch.int64)
    result = module.evaluate(torch.tensor([0, 2]), nothing, nothing, torch.zeros((0, 3)), True)
    expected = [[FREE["H"]["energy"], FREE["Cl"]["energy"]]] * 3
    np.testing.assert_array_equal(result["energies"].numpy(), expected)
    assert result["member_pair_gradients"].shape == (3, 0, 3)


@pytest.mark.parametrize(
    ("preset", "scaling"),
    # sums that may change sign know no other scaling
    [(p, "linear") for p in preset_names()] + [(p, s) for p in preset_names()[:2] for s in ("sqrt", "crss")],
)
def test_the_features_of_an_atom_alone_are_zero(preset: str, scaling: str) -> None:
    """What the correction at no neighbors rests on."""
    alone = Environments(
        np.zeros(2, np.int64), np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros((0, 3), np.int32)
    )
    spec = {**make_preset(preset, ["H", "O"]), "scaling": scaling, "allow_nonsmooth": True}
    features = Descriptor(spec, ["H", "O"]).features(alone, np.zeros(0, np.int64))
    assert features.size > 20
    assert (features == 0.0).all()


def test_nothing_changes_where_neighbors_are_many(model: ModelData, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    atoms = Atoms(
        [ELEMENTS[i % 3] for i in range(12)], rng.uniform(0, 5.0, (12, 3)), cell=5 * np.eye(3), pbc=True
    )
    small = {e: {"energy": -1e5, "density": 0.5} for e in ELEMENTS}
    found = []
    for name, block in (("with", small), ("bare", None)):
        write_model_file(replace(model, free_atoms=block), tmp_path / name, verify=False)
        for backend in BACKENDS:
            calculator = LMLPCalculator(tmp_path / name, backend=backend, threads=1)
            names = ("energies", "forces", "stress", "energy_std", "forces_std")
            found.append([calculator.get_property(n, atoms) for n in names])
    for with_term, bare in (found[0::2], found[1::2]):
        for x, y in zip(with_term, bare, strict=True):
            np.testing.assert_array_equal(x, y)


def test_version(model: ModelData, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = header_of(path.read_bytes())
    assert (header["format_version"], header["baseline"], header["free_atoms"]) == (3, None, FREE)
    bare = header_of(model_file_bytes(replace(model, free_atoms=None)))
    assert bare["format_version"] == 1
    assert "free_atoms" not in bare
    monkeypatch.setattr(upgrade, "FORMAT_VERSION", 2)
    with pytest.raises(ModelFileError, match=r"format version 3 .* is newer than 2"):
        read_model_file(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 2}, "free_atoms in a file of an older format version than 3"),
        ({"format_version": 99}, f"newer than {upgrade.FORMAT_VERSION}"),
        ({"free_atoms": [1]}, r"free_atoms is \[1\], not an object"),
        ({"free_atoms": "H"}, "free_atoms is .*, not an object"),
        ({"free_atoms": {"C": {"energy": 0.0, "density": 1.0}}}, "free_atoms has C"),
        ({"free_atoms": {"h": {"energy": 0.0, "density": 1.0}}}, "free_atoms has h"),
        ({"free_atoms": {"H": -13.6}}, "free_atoms of H is -13.6, not an object"),
        ({"free_atoms": {"H": {"energy": 0.0}}}, "free_atoms of H .* exactly the keys energy and density"),
        ({"free_atoms": {"H": {"energy": 0, "density": 1, "x": 1}}}, "free_atoms of H .* exactly the keys"),
        ({"free_atoms": {"H": {"energy": 0, "x": 1}}}, "free_atoms of H .* density"),
        *(
            ({"free_atoms": {"O": {"energy": bad, "density": 1.0}}}, "energy of O is .*, not a")
            for bad in ("-13.6", True, None, [1.0], {})
        ),
        *(
            ({"free_atoms": {"O": {"energy": 0.0, "density": bad}}}, "density of O is .*, not")
            for bad in (0, -1, -1e-300, "1", True, None, [1.0])
        ),
        *(
            ({"free_atoms": {"O": {"energy": bad, "density": 1.0}}}, "energy of O is|lmlp.json is broken")
            for bad in (float("nan"), float("inf"), -float("inf"))
        ),
        (
            {"free_atoms": {"O": {"energy": 0, "density": float("nan")}}},
            "density of O is|lmlp.json is broken",
        ),
    ],
)
def test_what_is_not_understood_is_refused_by_both_readers(
    path: Path, tmp_path: Path, changes: dict, message: str
) -> None:
    content = path.read_bytes()
    bad = tmp_path / "bad.pt"
    bad.write_bytes(reseal(content, {**header_of(content), **changes}))
    for read in (read_model_file, lambda p: _core.Potential(str(p))):
        with pytest.raises(ModelFileError, match=message):
            read(bad)


def test_verification_finds_a_reader_without_free_atoms(model: ModelData, path: Path) -> None:
    for changed in (
        None,
        {**FREE, "H": {"energy": -13.25, "density": 9.1}},
        {**FREE, "Cl": {"energy": -12515.4, "density": 1.7}},
        {"H": FREE["H"]},
    ):
        with pytest.raises(ModelFileError, match="verification failed"):
            verify_model_file(path, replace(model, free_atoms=changed))


@pytest.mark.parametrize("densities", [(9.0, 8.0), (0.1, 2.0)])
def test_merge_keeps_energies_and_the_smallest_densities(
    model: ModelData, tmp_path: Path, densities: tuple[float, float]
) -> None:
    other = replace(small_model(elements=ELEMENTS, seed=9), atomic_energies=model.atomic_energies)
    block = {e: {"energy": FREE[e]["energy"], "density": rho} for e, rho in zip(FREE, densities, strict=True)}
    merged = merge_models([model, replace(other, free_atoms=block)], ["a", "b"])
    smallest = {e: min(FREE[e]["density"], block[e]["density"]) for e in FREE}
    assert merged.free_atoms == {e: {"energy": FREE[e]["energy"], "density": smallest[e]} for e in FREE}
    write_model_file(merged, tmp_path / "merged.pt")
    calculator = LMLPCalculator(tmp_path / "merged.pt", threads=1)
    assert calculator.get_property("energy", Atoms("H")) == FREE["H"]["energy"]
    assert calculator.get_property("energy_std", Atoms("H")) == 0.0


def test_merge_refuses_other_free_atoms(model: ModelData) -> None:
    other = replace(small_model(elements=ELEMENTS, seed=9), atomic_energies=model.atomic_energies)
    for changed in (None, {"H": FREE["H"]}, {**FREE, "H": {"energy": -13.26, "density": 9.0}}):
        for models in (
            [model, replace(other, free_atoms=changed)],
            [replace(other, free_atoms=changed), model],
        ):
            with pytest.raises(ModelFileError, match="b cannot be merged with a: energy of the free atom of"):
                merge_models(models, ["a", "b"])


def test_info_shows_them(path: Path, tmp_path: Path, model: ModelData) -> None:
    shown = CliRunner().invoke(app, ["info", str(path)], env={"COLUMNS": "200"}).output
    assert "H -13.25 (below density 9), Cl -12515.5 (below density 1.7)" in shown
    write_model_file(replace(model, free_atoms=None), tmp_path / "bare.pt", verify=False)
    shown = CliRunner().invoke(app, ["info", str(tmp_path / "bare.pt")], env={"COLUMNS": "200"}).output
    assert "not known" in shown
