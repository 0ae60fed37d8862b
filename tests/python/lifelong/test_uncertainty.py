"""After a session σ is that of its check structures, and the distance that of all that it knows."""

import dataclasses

import numpy as np
from lmlp.export.model_file import read_model_file
from lmlp.export.writing import write_model_file
from lmlp.io import write_structures
from lmlp.lifelong.learn import learn, make_learn_config

from tests.python.lifelong.oxygen import learn_values, oxygen, prepared_session


def test_the_distance_knows_memory_and_new_data(start):
    base = read_model_file(start / "model.pt")
    learning, _ = prepared_session(learn_values(start))
    plan, session = learning.plan, learning.session
    known = np.setdiff1d(np.arange(len(session.dataset)), plan.split.holdout)
    distance = plan.parts.distance
    assert session.dataset.elements == ["O", "H"]
    assert distance.atoms.tolist() == session.dataset.counts[known].sum(axis=0).tolist()
    hydrogen = plan.store.features(known[-3:])
    species = np.concatenate([session.dataset.species[_atoms(session.dataset, i)] for i in known[-3:]])
    before = base.feature_distance(hydrogen[species == 0], species[species == 0])
    now = distance.distance(hydrogen[species == 0], species[species == 0])
    assert (now < before).all()  # oxygen beside hydrogen was far from all that the model knew
    assert before.min() > 1.0


def test_a_session_writes_maps_and_distance(start):
    outcome = learn(make_learn_config(learn_values(start)))
    model = read_model_file(start / "next.pt")
    assert set(model.spread_maps["forces"]) == {"O", "H"}
    assert set(model.calibration["forces"]["elements"]) == {"O", "H"}
    assert model.distance == outcome.model.distance
    assert all(n > 0 for n in model.distance["atoms"].values())


def test_elements_that_do_not_occur_keep_their_distance(start):
    """A model of two elements learns new data of one of them, with old data of this one, too."""
    learn(make_learn_config(learn_values(start)))
    base = read_model_file(start / "next.pt")
    write_structures(start / "more.xyz", oxygen(20, seed=11))
    values = learn_values(start, start=str(start / "next.pt"), data=str(start / "more.xyz"))
    values |= {"memory": str(start / "other.memory"), "output": str(start / "third.pt")}
    learning, _ = prepared_session(values)
    distance = learning.plan.parts.distance
    assert distance.atoms[1] == 0
    rows = np.random.default_rng(0).normal(size=(5, base.n_features))
    ones = np.ones(5, int)
    np.testing.assert_array_equal(distance.distance(rows, ones), base.feature_distance(rows, ones))
    # a model without a distance does not know how far hydrogen is
    fields = ("distance", "distance_shift", "distance_scale", "distance_axes")
    write_model_file(dataclasses.replace(base, **dict.fromkeys(fields)), start / "next.pt", verify=False)
    assert prepared_session(values)[0].plan.parts.distance is None


def _atoms(dataset, i):
    return slice(dataset.first_atom[i], dataset.first_atom[i + 1])
