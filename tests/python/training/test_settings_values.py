"""Any value of any setting is used or refused by its name, never a traceback; no key counts twice."""

import pytest
from lmlp.cli.shared.options import overrides
from lmlp.config.listing import sections_of, settings_of
from lmlp.config.validate import merge
from lmlp.config.yaml_text import read_yaml
from lmlp.descriptor.presets import make_data_preset
from lmlp.errors import ConfigError, InvalidArgumentError, LMLPError
from lmlp.lifelong.base import make_learn_config
from lmlp.lifelong.config import LearnConfig
from lmlp.training.config import TrainConfig, load_config, make_config

from tests.python.lifelong.settings import PLAIN, nested

TRAIN = {"data": "train.xyz", "output": "model.pt"}
BIG = 10**30
NASTY = [
    *(None, True, 0, -1, 1, 10**9, 2**31, 2**63, 2**64, BIG, -BIG, 0.5, 1e-300, 1e300, -1e30),
    *(float("inf"), float("-inf"), float("nan"), "", "nonsense", "1e30", ".inf", "nan", "\x00", b"x"),
    *("9" * 400, "9" * 400 + "G", "9" * 400 + "h", [], [1], [None], [[1]], [float("nan")] * 4, [BIG]),
    *(["H"], {}, {"a": 1}, {1: 2}, {"H": float("nan")}, [0.5, 0.5], [0.5] * 4, (1, 2, 3)),
]
KINDS = {"train": (TrainConfig, make_config, TRAIN), "learn": (LearnConfig, make_learn_config, PLAIN)}


@pytest.mark.parametrize("kind", KINDS)
def test_any_value_of_any_setting(kind):
    model, make, plain = KINDS[kind]
    refused = []
    keys = [setting.key for setting in settings_of(model)]
    for key in [*keys, *sections_of(model), "descriptor", "model.baseline"]:
        for value in NASTY:
            try:
                make(merge(plain, nested(key, value)))
            except ConfigError as error:
                refused.append((key.split(".")[0], str(error)))
    assert len(refused) > 1000
    assert not [(key, text) for key, text in refused if key not in text]


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("seed", BIG, "4294967295"),
        ("seed", -1, "greater than or equal to 0"),
        ("seed", "1e30", "integer"),
        ("threads", 10**9, "1024"),
        ("epochs", float("inf"), "finite|integer"),
        ("time_limit", float("inf"), "finite"),
        ("memory_budget", "9" * 400 + "G", "finite|less than"),
        ("model.members", BIG, "1000"),
        ("model.hidden", [BIG], "10000"),
        ("model.hidden", [], "at least 1"),
        ("loss.energy", 1e300, "less than or equal"),
        ("optimizer.max_step", 1e-9, "min_step=1e-06, but allowed is at most max_step"),
        ("optimizer.etas", [2.0, 3.0], "eta_minus <= 1 <= eta_plus"),
        ("optimizer.adam_betas", [0.9, 1.0], r"in \[0, 1\)"),
        ("descriptor.cutoff", 1e300, "50"),
        ("selection.up", float("inf"), "finite"),
    ],
)
def test_what_is_allowed_is_told(key, value, allowed):
    with pytest.raises(ConfigError, match=rf"{key.split('.')[0]}.*({allowed})"):
        make_config(merge(TRAIN, nested(key, value)))


@pytest.mark.parametrize(
    "options",
    [
        *({"n_radial": x} for x in (BIG, -1, 1.5, "x", None, True)),
        *({"r_min": x} for x in (float("nan"), -1, "x", 1e300)),
        *({"channels": 3}, {"table": []}, {"keep_all": "x"}, {"cutoff": 3}, {"name": "x"}, {"a": 1}, {1: 2}),
    ],
)
@pytest.mark.parametrize("preset", ["eeacsf-resolved", "eeacsf-correlation", "eeacsf-153"])
def test_options_of_presets(preset, options):
    with pytest.raises(LMLPError):
        make_data_preset(preset, ["H"], None, {}, options)


@pytest.mark.parametrize("cutoff", [0.0, -1.0, float("nan"), float("inf"), 1e300])
def test_cutoffs_of_presets(cutoff):
    with pytest.raises(InvalidArgumentError, match="cutoff"):
        make_data_preset("eeacsf-resolved", ["H"], cutoff, {}, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: {members: 2}\nmodel: {hidden: [8]}", "model is given twice, in lines 1 and 2"),
        ("epochs: 1\nseed: 2\nepochs: 1", "epochs is given twice, in lines 1 and 3"),
        ("model:\n  members: 2\n  hidden: [3]\n  members: 3", "members is given twice, in lines 2 and 4"),
        ("loss: {energy: 1, energy: 2}", "energy is given twice, in line 1"),
        ("a: [{b: 1, b: 2}]", "b is given twice"),
        ("'seed': 1\nseed: 2", "seed is given twice"),
        ("a: " + "[" * 5000, "nested too deeply"),
        ("a: 2020-13-45", "month"),
        ("a: !!python/object:os.system x", "not valid YAML"),
    ],
)
def test_yaml(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_yaml(text)
    (tmp_path / "config.yaml").write_text(f"data: x.xyz\noutput: m.pt\n{text}\n")
    with pytest.raises(ConfigError, match=r"config\.yaml: "):
        load_config(tmp_path / "config.yaml")
    with pytest.raises(ConfigError, match="--set"):
        overrides({}, [f"a={{{text}}}" if "\n" not in text else "a={b: 1, b: 2}"])


def test_yaml_that_is_right():
    assert read_yaml("x: &a {k: 1}\ny: {<<: *a, k: 2}") == {"x": {"k": 1}, "y": {"k": 2}}


@pytest.mark.parametrize(
    "given", [("seed=1", "seed=2"), ("loss.energy=1", "loss={force: 2}"), ("loss={}", "loss.energy=1")]
)
def test_assignments_given_twice(given):
    with pytest.raises(ConfigError, match=r"--set .*is set already"):
        overrides({}, list(given))
    assert overrides({"loss.force": 2}, ["loss.energy=1"]) == {"loss": {"force": 2, "energy": 1}}
