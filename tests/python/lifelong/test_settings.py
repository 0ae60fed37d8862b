"""Every setting is used by a session, or refused by its name; what is not given comes from the model."""

import json

import pytest
from lmlp.cli.app import app
from lmlp.config.listing import sections_of, settings_of
from lmlp.config.validate import merge, refusal
from lmlp.errors import ConfigError
from lmlp.export.writing import write_model_file
from lmlp.lifelong.base import completed, load_model, make_learn_config, session_config
from lmlp.lifelong.batches import SessionBatch, learn_batches
from lmlp.lifelong.config import REFUSED, LearnConfig
from lmlp.lifelong.learn import learn
from lmlp.selection.rule import SelectionRule
from lmlp.selection.strategies import STRATEGIES
from lmlp.training import train
from lmlp.training.config import TrainConfig
from typer.testing import CliRunner

from tests.python.lifelong.oxygen import learn_values, opened, oxygen
from tests.python.lifelong.settings import PLAIN, nested
from tests.python.training.test_resume import StopAt
from tests.python.training.toy import settings

REASONS = {
    "valid": "check_fraction",
    "holdout_fraction": "check_fraction",
    "elements": "elements of its model",
    "descriptor.preset": "symmetry functions",
    "descriptor.cutoff": "symmetry functions",
    "descriptor.options": "symmetry functions",
    "descriptor.open_elements": "symmetry functions",
    "descriptor.spec": "symmetry functions",
    "model.members": "number and shape of its networks",
    "model.hidden": "number and shape of its networks",
    "model.activation": "number and shape of its networks",
    "model.keep": "all directions",
    "model.atomic_energies": "keeps its E_atom",
    "model.baseline": "keeps the baseline of its first training",
    "derivatives": "at every step",
    "stream": "in memory",
    "shuffle_block": "in memory",
}
OTHER = {
    "data": "other.xyz",
    "output": "other.pt",
    "keys.energy": "dft",
    "keys.forces": "dft",
    "keys.stress": "dft",
    "keys.virial": "dft",
    "keys.weights": "none",
    "keys.units": "none",
    "model.decorrelation": 3.0,
    "model.floor": 0.1,
    "model.output_scale": 0.2,
    "loss.energy": 3.0,
    "loss.final_energy": 3.0,
    "loss.force": 3.0,
    "loss.stress": 3.0,
    "optimizer.name": "adamw",
    "optimizer.lr": 1e-4,
    "optimizer.max_step": 1e-4,
    "optimizer.min_step": 1e-7,
    "optimizer.etas": [0.5, 1.3],
    "optimizer.betas": [0.7, 0.8, 100.0, 0.98],
    "optimizer.adam_betas": [0.8, 0.9],
    "optimizer.weight_decay": 0.2,
    "optimizer.rare_decay": 0.5,
    "optimizer.score_history": 10,
    "optimizer.frozen": 0.2,
    "optimizer.decay": "cosine",
    "optimizer.final": 0.1,
    "optimizer.warmup": 0.1,
    "optimizer.gradient_clip": 1.0,
    "optimizer.slowing": 0.1,
    "optimizer.new_factor": 1.0,
    "epochs": 3,
    "time_limit": 60.0,
    "batch_size": 2,
    "valid_every": 2,
    "valid_fraction": 0.1,
    "average": 0.5,
    "seed": 2,
    "dtype": "float64",
    "threads": 2,
    "memory_budget": 10**6,
    "checkpoint_interval": 1.0,
    "start": "other.pt",
    "memory": "other.memory",
    "old": ["old.xyz"],
    "task": "other",
    "frames": [0, 5],
    "networks": "all",
    "strategy": "uniform",
    "balance": 0.1,
    "ewc": 1.0,
    "ewc_structures": 3,
    "check_fraction": 0.2,
    "memory_structures": 10,
    "memory_bytes": 1000,
    "max_forgetting": 0.1,
    "selection.share": 0.2,
    "selection.old_share": 0.2,
    "selection.raise_above": 1.6,
    "selection.lower_below": 0.4,
    "selection.up": 1.3,
    "selection.down": 0.7,
    "selection.smallest": 0.4,
    "selection.largest": 2.0,
    "selection.new": 1.5,
    "selection.redundant_after": 6,
    "selection.recheck_every": 40,
    "selection.suspect_after": 10,
    "selection.improvement": 0.1,
    "selection.suspect_loss": 10.0,
    "selection.suspect_deviations": 3.0,
    "selection.suspect_likes": 3.0,
    "selection.clip": 9.0,
    "selection.memory": 0.6,
}


def keys(kind):
    """Dotted names of all settings."""
    return [setting.key for setting in settings_of(kind)]


def test_all_settings_are_known_to_this_test():
    assert set(keys(LearnConfig)) == set(OTHER)


def test_every_setting_of_training_is_used_or_refused_with_a_reason():
    usable = set(keys(LearnConfig))
    for key in keys(TrainConfig):
        assert (key in usable) != (refusal(key, REFUSED) is not None), key
    known = {*keys(TrainConfig), *sections_of(TrainConfig)}
    assert {key.removesuffix(".*") for key in REFUSED} <= known


@pytest.mark.parametrize("key", [k for k in keys(TrainConfig) if refusal(k, REFUSED)])
def test_command_refuses(tmp_path, key):
    options = ["learn", str(tmp_path / "none.pt"), str(tmp_path / "none.xyz"), "--set", f"{key}=1"]
    with pytest.raises(ConfigError) as caught:
        CliRunner().invoke(app, options, catch_exceptions=False)
    assert refusal(key, REFUSED) in str(caught.value)
    assert all(part in str(caught.value) for part in key.split("."))


@pytest.mark.parametrize("key", OTHER)
def test_used(key):
    config = make_learn_config(merge(PLAIN, nested(key, OTHER[key])))
    written, plain = (
        json.loads(config.model_dump_json()),
        json.loads(make_learn_config(PLAIN).model_dump_json()),
    )
    for part in key.split("."):
        written, plain = written[part], plain[part]
    assert written != plain  # and so another session: its name is a hash of what is written


@pytest.mark.parametrize("value", [None, 3, "nonsense", [3], ["H"], {"a": 1}])
@pytest.mark.parametrize("key", REASONS)
def test_refused(key, value):
    with pytest.raises(ConfigError, match=rf"^options: {key}: .*{REASONS[key]}"):
        make_learn_config(merge(PLAIN, nested(key, value)))


def test_what_is_written_can_be_read_again():
    config = make_learn_config(PLAIN)
    assert make_learn_config(json.loads(config.model_dump_json())) == config
    assert not {k.split(".")[-1] for k in REASONS} & set(json.loads(config.model_dump_json())["model"])


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("ewc_structurs", "did you mean ewc_structures"),
        ("holdout_fractio", "did you mean valid_fraction"),  # not what is refused
        ("selection.shar", "did you mean share"),
        ("optimizer.slowin", "did you mean slowing"),
        ("descriptor.prese", "descriptor.prese: a model keeps the symmetry functions"),
    ],
)
def test_suggestions_are_settings_of_a_session(key, message):
    with pytest.raises(ConfigError, match=message):
        make_learn_config(merge(PLAIN, nested(key, 1)))


@pytest.mark.parametrize(
    "assignment", ["model.hidden=[3]", "elements=[H]", "descriptor.preset=nonsense", "stream=always"]
)
def test_command_refuses_before_anything_is_read(tmp_path, assignment):
    options = ["learn", str(tmp_path / "none.pt"), str(tmp_path / "none.xyz"), "--set", assignment]
    with pytest.raises(ConfigError, match=assignment.partition("=")[0]):
        CliRunner().invoke(app, options, catch_exceptions=False)


@pytest.fixture
def other(start):
    """A model with settings of its own."""
    more = {"loss": {"energy": 3.0, "final_energy": 7.0, "force": 2.0, "stress": 0.5}}
    more |= {"model": {"decorrelation": 4.0, "members": 2, "hidden": [6, 5]}}
    config = settings(
        start, oxygen(30), epochs=1, elements=["O"], descriptor={"options": {"keep_all": True}}, **more
    )
    write_model_file(train(config), config.output, verify=False)
    return start


def _seen(config):
    return (config.loss.energy, config.loss.force, config.loss.stress, config.model.decorrelation)


def test_loss_and_decorrelation_come_from_the_model_in_python_too(other):
    plain = make_learn_config(learn_values(other, epochs=1))
    session, _ = opened(plain)
    assert _seen(session.config) == (7.0, 2.0, 0.5, 4.0)
    assert session.config == session_config(learn_values(other, epochs=1))
    given = {"loss": {"energy": 10.0}, "model": {"decorrelation": 10.0}}  # as the defaults, but said
    session, _ = opened(make_learn_config(learn_values(other, epochs=1, **given)))
    assert _seen(session.config) == (10.0, 2.0, 0.5, 10.0)
    outcome = learn(plain)
    written = outcome.model.provenance["config"]
    assert (written["loss"]["energy"], written["model"]["decorrelation"]) == (7.0, 4.0)
    again = completed(plain, None, load_model(outcome.path))  # and from one that has learned
    assert _seen(again) == (7.0, 2.0, 0.5, 4.0)


def test_a_resumed_session_keeps_what_it_took_over(other):
    config = make_learn_config(learn_values(other, loss={"force": 3.0}))
    with pytest.raises(KeyboardInterrupt):
        learn(config, observer=StopAt(20))
    train(settings(other, oxygen(30), epochs=1, elements=["O"]))  # the model is another one meanwhile
    session, _ = opened(config, resume=True)
    assert _seen(session.config) == (7.0, 3.0, 0.5, 4.0)
    assert learn(config, resume=True).report["task"] == "new"


def test_several_wrong_settings_are_all_named():
    with pytest.raises(ConfigError, match=r"elements: .*; got \['H'\]; .*epochs: .*; got 0"):
        make_learn_config({**PLAIN, "elements": ["H"], "epochs": 0})


def test_frames_belong_to_the_batches_of_a_stream(start):
    with pytest.raises(ConfigError, match=r"frames: batches have frames of their own; got \(0, 5\)"):
        learn_batches(learn_values(start, frames=[0, 5]), [SessionBatch([start / "new.xyz"])])


def test_a_strategy_refuses_what_it_has_no_use_for():
    """What a strategy obeys is accepted, what it would ignore in silence is named."""
    rule = {"share": 0.2, "old_share": 0.6, "suspect_likes": 2.0}
    assert make_learn_config({**PLAIN, "strategy": "uniform", "selection": rule}).selection.share == 0.2
    wrong = {**rule, "up": 1.5, "recheck_every": 7}
    with pytest.raises(
        ConfigError, match=r"strategy: it has no use for selection\.recheck_every, selection\.up: .*'uniform'"
    ):
        make_learn_config({**PLAIN, "strategy": "uniform", "selection": wrong})
    assert make_learn_config({**PLAIN, "selection": wrong}).strategy == "adaptive"
    assert all(hasattr(SelectionRule(), name) for s in STRATEGIES.values() for name in s.unused)
