"""Free atoms beside training structures: the same model bit by bit, with their energies for lone atoms."""

import dataclasses

import numpy as np
import pytest
from lmlp.dataset.free_atoms import smallest_densities
from lmlp.errors import ConfigError, DataError, UnknownElementError
from lmlp.evaluation import evaluate
from lmlp.export.writing import write_model_file
from lmlp.io import write_structures
from lmlp.model.free_atoms import switching_density
from lmlp.structure import Structure
from lmlp.training import Observer, train
from lmlp.training.state.checkpoint import load_model_data

from tests.python.training.test_resume import StopAt
from tests.python.training.toy import OFFSET, clusters, crystals, label, prepared, settings

HYDROGEN, OXYGEN = 1, 8


class Ear(Observer):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.said = ""

    def on_message(self, text):
        self.said += text + "\n"

    def on_data(self, report, held_out):
        self.said += "".join(f"{f.level}: {f.message}\n" for f in report.findings)


def lone(number, energy, source="atoms.xyz:0", box=None, **info) -> Structure:
    cell = np.zeros((3, 3)) if box is None else box * np.eye(3)
    pbc = np.full(3, box is not None)
    return Structure(
        np.array([number], np.int32), np.zeros((1, 3)), cell, pbc, energy, source=source, info=info
    )


def atoms():
    """Right energies; one of them without forces, one with, one called free in a small box."""
    with_forces = dataclasses.replace(lone(OXYGEN, OFFSET[OXYGEN]), forces=np.zeros((1, 3)))
    small = lone(HYDROGEN, OFFSET[HYDROGEN] + 0.2, box=3.0, config_type="isolated_atom")
    return [lone(HYDROGEN, OFFSET[HYDROGEN]), with_forces, small]


def same_bits(a, b) -> bool:
    arrays = [(m.atomic_energies, m.scale, m.shift, *m.weights, *m.biases) for m in (a, b)]
    return all(np.array_equal(x, y) for x, y in zip(*arrays, strict=True))


def mixed(structures, free):
    """Put free atoms first, last and in between."""
    return [*free[:1], *structures[:7], *free[1:2], *structures[7:], *free[2:]]


def both(folder, structures, free, observer=None, **more):
    """Train without and with free atoms."""
    models = []
    for name, data in (("without", structures), ("with", mixed(structures, free))):
        (folder / name).mkdir()
        config = settings(folder / name, data, **more)
        models.append(train(config, observer=observer if name == "with" else None))
    return models


@pytest.mark.parametrize("stream", ["never", "always"])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"dtype": "float32", "model": {"members": 3}},
        {"selection": {"share": 0.5}},
        {"model": {"baseline": "zbl"}, "descriptor": {"options": {"keep_all": True}}},
    ],
    ids=["plain", "single", "adaptive", "baseline"],
)
def test_the_same_bits_with_and_without(tmp_path, more, stream):
    structures = clusters(20) + crystals(6)
    ear = Ear()
    if stream == "always":
        more = {**more, "derivatives": "computed"}
    without, given = both(tmp_path, structures, atoms(), ear, stream=stream, **more)
    assert same_bits(without, given)
    for name in ("energy_rmse", "force_rmse", "calibration", "shortest_distances"):
        assert getattr(without, name) == getattr(given, name)
    assert np.array_equal(without.feature_min, given.feature_min)
    assert without.free_atoms is None
    assert {e: row["energy"] for e, row in given.free_atoms.items()} == {
        "H": OFFSET[HYDROGEN],
        "O": OFFSET[OXYGEN],
    }
    assert "isolated atoms H, O" in ear.said
    assert load_model_data(tmp_path / "with" / "model.checkpoint").free_atoms == given.free_atoms


def test_held_out_free_atoms_do_not_count(tmp_path):
    models = []
    for name, free in (("without", []), ("with", atoms()[:2])):
        (tmp_path / name).mkdir()
        write_structures(tmp_path / name / "valid.xyz", mixed(clusters(8, seed=3), [*free, *free][:3]))
        valid = str(tmp_path / name / "valid.xyz")
        models.append(train(settings(tmp_path / name, clusters(20), valid=valid)))
    assert models[0].energy_rmse == models[1].energy_rmse
    assert models[1].free_atoms is None  # what is held out is not learned from


def test_an_atom_alone_has_its_energy(tmp_path):
    """And an atom that no data tell of has not: it is what the networks extrapolate to."""
    config = settings(tmp_path, mixed(clusters(24), atoms()[:2]), epochs=5)
    model = train(config)
    write_model_file(model, config.output, verify=False)
    results = evaluate(
        config.output, [lone(HYDROGEN, OFFSET[HYDROGEN]), lone(OXYGEN, OFFSET[OXYGEN], box=15.0)]
    ).results
    for r in results:
        # rounding of one sum of hundreds of eV in double precision
        assert r.prediction.energy == pytest.approx(r.structure.energy, abs=1e-9)
        assert np.abs(r.prediction.forces).max() < 1e-12
    assert (
        abs(model.atomic_energies - [OFFSET[HYDROGEN], OFFSET[OXYGEN]]).max() > 0.1
    )  # from the structures, not from them


def test_densities_lie_below_those_of_all_that_train(tmp_path):
    run = prepared(settings(tmp_path, mixed(clusters(24), atoms())))
    used = np.setdiff1d(np.arange(24), run.plan.split.holdout)
    smallest = smallest_densities(run.plan.dataset, used, 3.5)
    densities = {}
    for i in used:
        s = run.plan.dataset.structures[i]
        away = np.linalg.norm(s.positions[:, None] - s.positions[None], axis=2)
        each = np.where((away > 0) & (away < 3.5), (1 - np.minimum(away / 3.5, 1) ** 2) ** 3, 0.0).sum(axis=1)
        for z, rho in zip(s.numbers, each, strict=True):
            densities.setdefault({1: "H", 8: "O"}[z], []).append(rho)
    for e, values in densities.items():
        assert smallest[e] == pytest.approx(min(values), rel=1e-12)
        assert run.plan.parts.free_atoms[e]["density"] == switching_density(smallest[e])


def torn(shift=0.0):
    """Two atoms far apart, with the energies of free atoms and an offset in eV."""
    s = label([1, 8], np.array([[0, 0, 0], [9.0, 0, 0]]), source="apart.xyz:0")
    return dataclasses.replace(s, energy=sum(a.energy for a in atoms()[:2]) + shift)


def test_lone_atoms_in_structures_get_the_energy_of_the_free_atom(tmp_path):
    data = [*clusters(20), torn(), *atoms()[:2]]
    model = train(settings(tmp_path, data, holdout_fraction=0.0, epochs=2))
    assert set(model.free_atoms) == {"H", "O"}
    assert model.free_atoms["H"]["density"] == switching_density(0.0)
    write_model_file(model, tmp_path / "torn.pt")
    results = evaluate(tmp_path / "torn.pt", [torn(), *atoms()[:2]]).results
    for r in results:  # rounding of sums of hundreds of eV
        assert r.prediction.energy == pytest.approx(r.structure.energy, abs=1e-9)


@pytest.mark.parametrize("shift", [-0.4, 0.4])
def test_lone_atoms_that_are_not_like_free_ones_teach_their_energy(tmp_path, shift):
    ear = Ear()
    data = [*clusters(20), torn(shift), *atoms()[:2]]
    run = prepared(settings(tmp_path, data, holdout_fraction=0.0), ear)
    assert run.plan.parts.free_atoms is None
    assert "structures of lone atoms of H have other energies than its isolated atom" in ear.said


def test_resume_with_other_free_atoms_is_refused(tmp_path):
    data = [*clusters(20), *atoms()[:2]]
    train(settings(tmp_path, data, epochs=1))
    train(settings(tmp_path, data, epochs=2), resume=True)
    other = [*clusters(20), dataclasses.replace(atoms()[0], energy=-12.0), atoms()[1]]
    write_structures(tmp_path / "train.xyz", other)
    with pytest.raises(ConfigError, match=r"other isolated atoms .*now H -12\.0"):
        train(settings(tmp_path, other, epochs=3), resume=True)


@pytest.mark.parametrize("stream", ["never", "always"])
def test_an_element_of_free_atoms_alone_is_left_out(tmp_path, stream):
    ear = Ear()
    run = prepared(settings(tmp_path, [lone(6, -1029.0), *clusters(20)], stream=stream), ear)
    assert run.plan.dataset.elements == ["H", "O"]
    assert "C: isolated atoms only" in ear.said
    assert run.plan.parts.free_atoms is None


@pytest.mark.parametrize("stream", ["never", "always"])
@pytest.mark.parametrize("where", ["data", "valid"])
def test_nothing_but_free_atoms(tmp_path, stream, where):
    write_structures(tmp_path / "atoms.xyz", atoms()[:2])
    config = settings(tmp_path, clusters(20), **{where: str(tmp_path / "atoms.xyz")}, stream=stream)
    with pytest.raises(DataError, match=r"atoms\.xyz: nothing to train on.*atoms\.xyz:0, .*atoms\.xyz:1"):
        train(config)


@pytest.mark.parametrize("stream", ["never", "always"])
def test_contradictions_stop_within_a_file_and_warn_between_files(tmp_path, stream, monkeypatch):
    monkeypatch.setattr("lmlp.dataset.convert._AUDITED", 5)  # the report sees no two of them together
    data = clusters(20)
    data[0:0], data[15:15] = [lone(HYDROGEN, -13.0)], [lone(HYDROGEN, -12.0)]
    with pytest.raises(DataError, match=r"of H have different energies: -13, -12 eV.*train\.xyz: ?0, .*15"):
        train(settings(tmp_path, data, stream=stream))
    for name, energy in (("a", -12.0), ("b", -13.0)):
        write_structures(tmp_path / f"{name}.xyz", [lone(HYDROGEN, energy), *clusters(10, seed=ord(name))])
    files = {"data": [str(tmp_path / "a.xyz"), str(tmp_path / "b.xyz")]}
    ear = Ear()
    run = prepared(settings(tmp_path, [], **files, stream=stream), ear)
    assert ear.said.count("warning: isolated atoms of H have different energies: -13, -12 eV") == 1
    assert "b.xyz:0" in ear.said
    assert run.plan.parts.free_atoms["H"]["energy"] == -13.0


def test_energies_of_another_reference_are_not_used(tmp_path):
    ear = Ear()
    wrong = [lone(HYDROGEN, -0.05), lone(OXYGEN, -0.3)]
    without, given = both(tmp_path, clusters(20), wrong, ear)
    assert same_bits(without, given)
    assert given.free_atoms is None
    assert "warning: energies of isolated atoms (H, O) are of another reference" in ear.said


@pytest.mark.parametrize("energy", [None, OFFSET[HYDROGEN]])
def test_free_atoms_without_labels_do_no_harm(tmp_path, energy):
    silent = dataclasses.replace(lone(HYDROGEN, energy), forces=None if energy else np.zeros((1, 3)))
    without, given = both(tmp_path, clusters(20), [silent])
    assert same_bits(without, given)
    assert (given.free_atoms is None) is (energy is None)


def test_cells_of_one_atom_are_trained_on(tmp_path):
    """An equation of state of cells with one atom, whose images are its neighbors."""
    cells = [
        label([8], np.zeros((1, 3)), a * np.eye(3), source=f"e:{k}")
        for k, a in enumerate(np.linspace(1.4, 2, 9))
    ]
    run = prepared(settings(tmp_path, [*clusters(20), *cells]))
    assert len(run.plan.dataset) == 29
    assert run.plan.parts.free_atoms is None
    energies = [s.energy for s in cells]
    assert run.trainer.potential.atomic_energies[1] not in energies


GIVEN = {"H": OFFSET[HYDROGEN], "O": OFFSET[OXYGEN]}


class TestGivenEnergies:
    """``model.atomic_energies``: E_atom as given, and a network that starts where a fit would."""

    def test_training_starts_from_the_fit(self, tmp_path):
        structures = clusters(24)
        free, fixed = (
            prepared(settings(tmp_path, structures, model={"atomic_energies": e})) for e in ({}, GIVEN)
        )
        network = fixed.trainer.potential.network
        assert fixed.trainer.potential.atomic_energies.tolist() == [OFFSET[HYDROGEN], OFFSET[OXYGEN]]
        total = fixed.trainer.potential.atomic_energies + [
            float(network.biases[(e + 1) * network.n_layers - 1].detach().mean()) for e in range(2)
        ]
        np.testing.assert_allclose(total, free.trainer.potential.atomic_energies, atol=1e-9)
        assert all(not b.any() for b in free.trainer.potential.network.biases)  # nothing given, nothing set

    def test_it_learns_as_well_as_without(self, tmp_path):
        errors = []
        for name, given in (("free", {}), ("given", GIVEN)):
            (tmp_path / name).mkdir()
            config = settings(tmp_path / name, clusters(60), epochs=15, model={"atomic_energies": given})
            errors.append(train(config).force_rmse)
        # the same start to rounding: measured 1.000; with biases of 0, 1.5
        assert errors[1] == pytest.approx(errors[0], rel=0.03)

    def test_they_are_free_atoms_too_and_win(self, tmp_path):
        ear = Ear()
        config = settings(
            tmp_path, [lone(OXYGEN, OFFSET[OXYGEN] - 1.0), *clusters(20)], model={"atomic_energies": GIVEN}
        )
        run = prepared(config, ear)
        assert {e: row["energy"] for e, row in run.plan.parts.free_atoms.items()} == GIVEN
        assert "train.xyz:0 -431 eV: the former is taken" in ear.said

    def test_of_another_reference_they_are_no_free_atoms(self, tmp_path):
        ear = Ear()
        run = prepared(settings(tmp_path, clusters(20), model={"atomic_energies": {"H": 0.0, "O": 0.0}}), ear)
        assert run.plan.parts.free_atoms is None
        assert "another reference" in ear.said


def test_an_element_of_held_out_files_alone_is_refused(tmp_path):
    write_structures(tmp_path / "valid.xyz", clusters(4))
    oxygen = [s for s in clusters(60) if not (s.numbers == 1).any()]
    with pytest.raises(UnknownElementError, match=r"valid\.xyz:\d contains H; the model has O"):
        prepared(settings(tmp_path, oxygen, valid=str(tmp_path / "valid.xyz")))


def one_molecule(n):
    """Structures of one composition."""
    rng = np.random.default_rng(2)
    shape = 1.15 * np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)], float)
    moved = [shape + rng.normal(0, 0.1, (4, 3)) for _ in range(n)]
    return [label([8, 1, 1, 8], x, source=f"train.xyz:{k}") for k, x in enumerate(moved)]


def test_one_molecule_falls_apart_into_its_atoms(tmp_path):
    """One composition does not tell E_atom of each element; free atoms do, and no trained energy changes."""
    without, given = both(tmp_path, one_molecule(20), atoms()[:2])
    for a, b in zip([*without.weights, *without.biases], [*given.weights, *given.biases], strict=True):
        assert np.array_equal(a, b)
    assert given.energy_rmse == without.energy_rmse
    counts = np.array([2.0, 2.0])
    # energies of 1e3 eV
    assert counts @ given.atomic_energies == pytest.approx(counts @ without.atomic_energies, abs=1e-10)
    bound = np.array([OFFSET[HYDROGEN], OFFSET[OXYGEN]]) - given.atomic_energies
    assert bound[0] == pytest.approx(bound[1], abs=1e-9)
    assert 0.0 < bound[0] < 5.0
    assert np.ptp([OFFSET[HYDROGEN], OFFSET[OXYGEN]] - without.atomic_energies) > 5.0
    saved = load_model_data(tmp_path / "with" / "model.checkpoint")
    assert np.array_equal(saved.atomic_energies, given.atomic_energies)


def test_a_resumed_run_ends_with_the_same_energies(tmp_path):
    data = mixed(one_molecule(20), atoms()[:2])
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
    whole = train(settings(tmp_path / "whole", data))
    config = settings(tmp_path / "broken", data)
    with pytest.raises(KeyboardInterrupt):
        train(config, observer=StopAt(5))
    resumed = train(config, resume=True)
    assert same_bits(whole, resumed)
    assert resumed.free_atoms == whole.free_atoms


def test_given_energies_stay_where_the_data_leave_them_open(tmp_path):
    given = {"H": OFFSET[HYDROGEN] - 3.0}
    model = train(settings(tmp_path, mixed(one_molecule(20), atoms()[:2]), model={"atomic_energies": given}))
    assert model.atomic_energies[0] == given["H"]
