"""Settings: every wrong one is named."""

import subprocess
import sys

import pytest
from lmlp.errors import ConfigError
from lmlp.training import load_config, make_config

MINIMAL = {"data": "train.xyz", "output": "model.pt"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epoch": 3}, r"epoch: unknown key \(did you mean epochs\?\)"),
        ({"optimizer": {"max_stp": 3}}, r"optimizer\.max_stp: unknown key \(did you mean max_step\?\)"),
        ({"loss": {"zzz": 3}}, r"loss\.zzz: unknown key \(allowed: energy, .*\)"),
        ({"epochs": 0}, r"epochs: .*greater than or equal to 1; got 0"),
        ({"time_limit": "6 parsecs"}, r"time_limit: '6 parsecs' is no duration; write 90s, 6m, 1h30m"),
        ({"memory_budget": "much"}, r"memory_budget: 'much' is no memory size"),
        (
            {"model": {"activation": "relu"}},
            r"model\.activation: Input should be 'stanh', .* or '\S+'; got 'relu'",
        ),
        ({"model": {"hidden": [4, 0]}}, r"model\.hidden\.1: "),
        ({"data": []}, r"data: "),
        ({"valid_fraction": 1.0}, r"valid_fraction: "),
    ],
)
def test_wrong_settings_are_named(change, message):
    with pytest.raises(ConfigError, match=message):
        make_config({**MINIMAL, **change}, "config.yaml")


def test_missing_settings_are_named():
    with pytest.raises(ConfigError, match=r"config.yaml: data: missing; output: missing"):
        make_config({}, "config.yaml")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("6m", 360), ("1h30m", 5400), ("1.5h", 5400), ("2min", 120)],
)
def test_durations(text, seconds):
    assert make_config({**MINIMAL, "time_limit": text}).time_limit == seconds


@pytest.mark.parametrize(("text", "size"), [("2G", 2**31), ("512M", 2**29), ("512 MiB", 2**29), (1000, 1000)])
def test_memory_sizes(text, size):
    assert make_config({**MINIMAL, "memory_budget": text}).memory_budget == size


def test_file_is_read_relative_to_its_folder_and_options_win(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(
        "data: [a.xyz, b.xyz]\noutput: out/m.pt\nmodel: {members: 3, hidden: [5]}\ntime_limit: 6m\n"
    )
    config = load_config(path, {"model": {"members": 4}})
    assert config.data == [tmp_path / "a.xyz", tmp_path / "b.xyz"]
    assert config.checkpoint == tmp_path / "out" / "m.checkpoint"
    assert (config.model.members, config.model.hidden) == (4, [5])
    assert config.max_epochs is None
    assert make_config(MINIMAL).max_epochs == 200


@pytest.mark.parametrize(
    ("text", "message"),
    [("- a", "expected keys and values"), ("a: [", "not valid YAML"), ("", "expected keys")],
)
def test_broken_files_are_named(tmp_path, text, message):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_config(path)
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "none.yaml")


def test_structures_given_as_config_are_named(tmp_path):
    (tmp_path / "train.xyz.xz").write_bytes(b"\xfd7zXZ\x00")
    with pytest.raises(ConfigError, match=r"train\.xyz\.xz: not text; structures are given by --data FILE"):
        load_config(tmp_path / "train.xyz.xz")


def test_settings_are_read_without_torch():
    """The number of threads must be known before torch and the core start their thread pools."""
    code = "import sys, lmlp.training.config, lmlp.cli.train; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
