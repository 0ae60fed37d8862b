"""Symmetry functions of a new model follow its data, and what they are worth there is told."""

import json

import numpy as np
import pytest
from lmlp.config.validate import merge
from lmlp.io import write_structures
from lmlp.structure import Structure
from lmlp.training import Observer, make_config, train
from lmlp.training.config import DescriptorConfig
from lmlp.training.functions import make_spec, where_they_begin

from tests.python.training.toy import prepared

SMALL = {"n_radial": 5, "n_angular": 3, "l_max": 2}


class Ear(Observer):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def on_message(self, text):
        self.said.append(text)


def copper(n=8, seed=0):
    """Distorted cells of four atoms; the shortest distance is a little below 2.55 Å."""
    rng = np.random.default_rng(seed)
    sites = np.array([(0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)])
    return [
        Structure(
            numbers=np.full(4, 29, dtype=np.int32),
            positions=sites @ (3.6 * np.eye(3)) + rng.normal(0, 0.06, (4, 3)),
            cell=3.6 * np.eye(3),
            pbc=np.ones(3, dtype=bool),
            energy=float(rng.normal()),
            forces=rng.normal(size=(4, 3)),
            source=f"cu.xyz:{k}",
        )
        for k in range(n)
    ]


def config(folder, structures, **more):
    write_structures(folder / "train.xyz", structures)
    values = {
        "data": str(folder / "train.xyz"),
        "output": str(folder / "model.pt"),
        "descriptor": {"options": SMALL},
        "model": {"members": 2, "hidden": [4]},
        "epochs": 1,
        "threads": 1,
        "valid_fraction": 0.2,
        "holdout_fraction": 0.0,
    }
    return make_config(merge(values, more))


def shifts(spec, kind):
    return sorted({row["shift"] for row in spec["functions"] if row["kind"] == kind})


def test_functions_begin_where_the_data_do(tmp_path):
    ear = Ear()
    model = train(config(tmp_path, copper()), observer=ear)
    shortest = model.shortest_distances["Cu-Cu"]
    assert 2.2 < shortest < 2.5
    first = shifts(model.descriptor, "radial")[0]
    # half of the range up to 4.2 Å is left to the functions: no later than at 2.1 Å
    assert first == min(2.1, round((shortest - 0.15) / 0.05) * 0.05)
    assert shifts(model.descriptor, "angular")[0] == 1.8
    said = next(m for m in ear.said if "shortest distance" in m)
    assert f"is {shortest:.2f} Å (Cu-Cu)" in said
    assert "centered at 2.1 Å, the first angular ones at 1.8 Å" in said
    start = json.loads((tmp_path / "model.log.jsonl").read_text().splitlines()[0])
    assert start["symmetry_functions"]["range"] == said
    assert start["symmetry_functions"]["shortest_distances"] == {"Cu-Cu": shortest}


def test_the_order_of_the_data_does_not_matter_and_options_win(tmp_path):
    def spec(structures, **options):
        run = prepared(config(tmp_path, structures, descriptor={"options": options}))
        return run.trainer.potential.descriptor.spec

    structures = copper()
    expected = spec(structures)
    assert shifts(expected, "radial")[0] > 2.0
    assert spec(structures[::-1]) == expected
    assert shifts(spec(structures, r_min=1.3), "radial")[0] == 1.3
    assert shifts(spec(structures, r_min=1.3), "angular")[0] == 1.8
    assert shifts(spec(structures, shortest=1.9), "radial")[0] == 1.75
    # elements to come may come closer
    assert shifts(spec(structures, keep_all=True), "radial")[0] == 0.8


def test_where_data_have_no_say_nothing_is_said():
    close, far = {"C-H": 0.96, "C-C": 1.3}, {"C-C": 2.0}
    chosen = DescriptorConfig()
    assert where_they_begin(make_spec(chosen, ["C", "H"], close), chosen, close) is None
    assert make_spec(chosen, ["C", "H"], close) == make_spec(chosen, ["C", "H"], {})
    assert "1.85" in str(where_they_begin(make_spec(chosen, ["C"], far), chosen, far))
    for chosen in (
        DescriptorConfig(preset="eeacsf-153"),
        DescriptorConfig(open_elements=True),
        DescriptorConfig(spec=make_spec(DescriptorConfig(), ["C"], {})),
        DescriptorConfig(options={"r_min": 0.8, "angular_r_min": 0.9}),
    ):
        spec = make_spec(chosen, ["C"], far)
        assert where_they_begin(spec, chosen, far) is None
        assert spec == make_spec(chosen, ["C"], {})


def test_worth_of_the_functions_is_told_and_far_tails_are_left_out(tmp_path):
    """Gaussians that end before the first neighbor are zero to rounding, or nearly."""
    ear = Ear()
    options = {**SMALL, "n_radial": 16, "r_min": 0.8, "angular_r_min": 0.9}
    run = prepared(config(tmp_path, copper(), descriptor={"options": options}), observer=ear)
    descriptor = run.trainer.potential.descriptor
    features = run.trainer.store.features(np.arange(8))
    spread = np.ptp(features, axis=0)
    assert spread.min() > 1e-8 * spread.max()
    left = shifts(descriptor.spec, "radial")
    assert 1.0 < left[0] < 1.8
    assert any(f"of {16 + 9} symmetry functions left out" in m for m in ear.said)
    counted = run.plan.first_record["symmetry_functions"]
    assert counted["functions"] == descriptor.n_features < 25
    assert counted["constant"] == {}
    assert counted["independent"] == {"Cu": run.trainer.potential.input_map.n_inputs}
    text = f"{descriptor.n_features} symmetry functions; independent on these data (above model.keep = 1e-06"
    assert any(m.startswith(text) for m in ear.said)


def test_a_resumed_run_keeps_the_functions_of_the_checkpoint(tmp_path):
    """Whatever would be chosen today: a checkpoint made when functions did not follow the data goes on."""
    fixed = {**SMALL, "r_min": 0.8, "angular_r_min": 0.9}
    before = train(config(tmp_path, copper(), descriptor={"options": fixed}))
    from lmlp.training.state.checkpoint import load_checkpoint, save_checkpoint

    path = tmp_path / "model.checkpoint"
    state = load_checkpoint(path)
    settings = config(tmp_path, copper(), epochs=2)
    state["config"] = settings.model_dump_json()
    state["shortest_distances"] = json.dumps({"Cu-Cu": 9.0})
    save_checkpoint(path, {k: v for k, v in state.items() if k not in ("format", "format_version")})
    after = train(settings, resume=True)
    assert after.descriptor == before.descriptor
    assert shifts(after.descriptor, "radial") == pytest.approx(shifts(before.descriptor, "radial"))
