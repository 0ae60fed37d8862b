"""Learning with free atoms in new data, old data and memory: the same bits, and the model's own energies."""

from dataclasses import replace

import numpy as np
import pytest
from lmlp.errors import DataError
from lmlp.evaluation import evaluate
from lmlp.export.model_file import read_model_file
from lmlp.export.writing import write_model_file
from lmlp.io import read_structures, write_structures
from lmlp.lifelong.learn import learn, make_learn_config
from lmlp.lifelong.memory import Addition, Memory, Update
from lmlp.lifelong.session import NothingNew
from lmlp.model.free_atoms import switching_density
from lmlp.training import Observer

from tests.python.lifelong.oxygen import learn_values, opened, oxygen, prepared_session, with_hydrogen
from tests.python.training.test_free_atoms import HYDROGEN, OXYGEN, lone
from tests.python.training.test_resume import StopAt, _same_model
from tests.python.training.toy import OFFSET

ATOMS = [lone(OXYGEN, OFFSET[OXYGEN]), lone(HYDROGEN, OFFSET[HYDROGEN])]


class Ear(Observer):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.said = ""

    def on_message(self, text):
        self.said += text + "\n"


def put(folder, *, new=(), old=()):
    """Add free atoms to the new data, and to those that the model was trained on."""
    for name, more in (("new.xyz", new), ("train.xyz", old)):
        structures = read_structures(folder / name)
        write_structures(folder / name, [*more[:1], *structures, *more[1:]])


def energies_of(model):
    return {e: row["energy"] for e, row in (model.free_atoms or {}).items()}


@pytest.fixture
def plain(start):
    """Outcome of a session without free atoms, its files out of the way."""
    outcome = learn(make_learn_config(learn_values(start, epochs=3)))
    (start / "model.memory").unlink()
    return outcome


def fill_memory(folder):
    """Make a memory of the old data with free atoms among them."""
    held_out = np.random.default_rng([1, 0]).permutation(30)[:3]
    structures = read_structures(folder / "train.xyz")
    roles = ["check" if k in held_out else "train" for k in range(30)]
    additions = [Addition(s, role=role) for s, role in zip(structures, roles, strict=True)]
    additions[4:4] = [Addition(ATOMS[0])]
    with Memory(folder / "model.memory", create=True) as memory:
        memory.commit(Update("before", "start", {}, "train", [*additions, Addition(ATOMS[1])]))


@pytest.mark.parametrize("where", ["new", "old", "both", "memory"])
def test_the_same_bits_with_and_without(start, plain, where):
    values = learn_values(start, epochs=3)
    if where == "memory":  # of a model with a longer cutoff, for which they were structures
        values["old"] = []
        fill_memory(start)
    put(start, new=ATOMS if where in ("new", "both") else (), old=ATOMS if where in ("old", "both") else ())
    outcome = learn(make_learn_config(values))
    assert _same_model(outcome.model, plain.model)
    assert np.array_equal(outcome.model.atomic_energies, plain.model.atomic_energies)
    assert energies_of(plain.model) == {}
    assert energies_of(outcome.model) == {"O": OFFSET[OXYGEN], "H": OFFSET[HYDROGEN]}
    for key in ("n_new", "n_earlier", "suspects", "parked", "gradient_evaluations"):
        assert outcome.report[key] == plain.report[key]
    with Memory(start / "model.memory") as memory:
        assert [e.formula for e in memory.entries() if e.n_atoms == 1] == (
            ["O", "H"] if where == "memory" else []
        )
    for r in evaluate(start / "next.pt", ATOMS).results:
        assert r.prediction.energy == pytest.approx(r.structure.energy, abs=1e-9)  # rounding of 430 eV


def test_a_resumed_session_keeps_them(start):
    put(start, new=ATOMS)
    values = learn_values(start, epochs=4)
    whole = learn(make_learn_config(values)).model
    for path in (start / "model.memory", start / "next.pt"):
        path.unlink()
    with pytest.raises(KeyboardInterrupt):
        learn(make_learn_config(values), observer=StopAt(9))
    resumed = learn(make_learn_config(values), resume=True).model
    assert _same_model(whole, resumed)
    assert whole.free_atoms == resumed.free_atoms


def give(folder, block):
    """Give the first model free atoms."""
    base = replace(read_model_file(folder / "model.pt"), free_atoms=block)
    write_model_file(base, folder / "model.pt", verify=False)


def test_a_model_keeps_its_own_energies_and_says_so(start):
    give(start, {"O": {"energy": -430.5, "density": 1e-3}})
    put(start, new=ATOMS)
    ear = Ear()
    model = learn(make_learn_config(learn_values(start, epochs=1)), observer=ear).model
    assert energies_of(model) == {"O": -430.5, "H": OFFSET[HYDROGEN]}
    assert "O -430 eV in " in ear.said
    assert "new.xyz:0, -430.5 eV in the model" in ear.said
    assert ear.said.count("other energies than in the model") == 1


@pytest.mark.parametrize("density", [1e-3, 50.0])
def test_densities_are_the_smallest_of_old_and_new_data(start, density):
    give(start, {"O": {"energy": OFFSET[OXYGEN], "density": density}})
    model = learn(make_learn_config(learn_values(start, epochs=1))).model
    found = model.free_atoms["O"]["density"]
    assert found == density if density < 1.0 else 0.0 < found < density


def test_lone_atoms_in_new_structures_keep_the_energy_of_the_model(start):
    give(start, {"O": {"energy": OFFSET[OXYGEN], "density": 0.3}})
    apart = oxygen(1, seed=3)[0]
    apart = replace(apart, positions=apart.positions + 20.0 * (np.arange(4) == 3)[:, None])
    write_structures(start / "new.xyz", [apart, *with_hydrogen(20, seed=5)])
    model = learn(make_learn_config(learn_values(start, epochs=1, check_fraction=0.0))).model
    assert model.free_atoms == {"O": {"energy": OFFSET[OXYGEN], "density": switching_density(0.0)}}


def test_nothing_but_free_atoms_is_nothing_new(start):
    write_structures(start / "new.xyz", ATOMS)
    with pytest.raises(NothingNew, match=r"new\.xyz: nothing to learn, all structures are isolated atoms"):
        learn(make_learn_config(learn_values(start)))


def test_old_data_of_free_atoms_alone(start):
    write_structures(start / "train.xyz", ATOMS)
    with pytest.raises(
        DataError, match=r"train\.xyz: nothing to train on, all structures are isolated atoms"
    ):
        learn(make_learn_config(learn_values(start)))
    assert not (start / "model.memory").exists()


def test_checks_of_old_data_are_those_that_training_held_out(start):
    """Also with free atoms, which the training left out before it drew."""
    put(start, old=ATOMS[:1])
    session, _ = opened(make_learn_config(learn_values(start)))
    held_out = np.random.default_rng([1, 0]).permutation(30)[:3]
    checks = [e.source.rpartition(":")[2] for e in session.entries if e.role == "check"]
    assert sorted(map(int, checks)) == sorted(1 + held_out)


@pytest.mark.parametrize("seed", range(1, 7))
def test_the_only_structure_of_a_new_element_is_learned(start, seed):
    write_structures(start / "new.xyz", [*oxygen(12, seed=8), with_hydrogen(1, seed=5)[0]])
    ear = Ear()
    more = {"seed": seed, "check_fraction": 0.6, "valid_fraction": 0.3}
    _, run = prepared_session(learn_values(start, **more), ear)
    last = len(run.plan.dataset) - 1
    assert run.plan.dataset.counts[last, 1] > 0
    assert all(last in mine for mine in run.plan.split.train)
    assert "H occurs in one structure only" in ear.said
