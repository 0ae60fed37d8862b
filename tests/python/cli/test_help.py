"""Help texts and the page of settings say what the settings are, all of them, with the right defaults."""

import re
import sys
from subprocess import run

import pytest
import yaml
from lmlp.cli import data, eval, learn, near, train
from lmlp.cli.app import app
from lmlp.config.listing import sections_of, settings_of
from lmlp.config.validate import merge
from lmlp.descriptor.presets import preset_names
from lmlp.lifelong.base import make_learn_config
from lmlp.lifelong.config import LearnConfig
from lmlp.training.config import TrainConfig, make_config
from typer.main import get_command
from typer.testing import CliRunner

from tests.python.cli.settings_page import PAGE, page
from tests.python.lifelong.settings import PLAIN, nested

KINDS = {
    "train": (TrainConfig, make_config, {"data": "train.xyz", "output": "model.pt"}),
    "learn": (LearnConfig, make_learn_config, PLAIN),
}


def text_of(*command):
    """Help of a command, in lines wide enough for every text."""
    shown = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "1000"})
    assert shown.exit_code == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.output)


@pytest.mark.parametrize("command", KINDS)
def test_every_key_stands_in_the_help_with_description_and_default(command):
    text = text_of(command)
    missing = []
    for setting in settings_of(KINDS[command][0]):
        rows = [row for row in text.splitlines() if setting.words() in row]
        own = any(re.match(rf"│ +{re.escape(setting.key)} ", row) for row in rows)
        listed = re.search(rf"Keys that options stand for:.* {re.escape(setting.key)}[,.]", text)
        if not rows or not (own or listed):
            missing.append(setting.key)
        if own and setting.default is not None:
            assert any(f"[default: {setting.default}]" in row for row in rows), setting.key
    assert not missing


@pytest.mark.parametrize("command", KINDS)
def test_defaults_in_texts_are_those_in_force(command):
    kind, make, plain = KINDS[command]
    defaults = [s for s in settings_of(kind) if s.default is not None]
    assert len(defaults) > 30
    rule = {"selection": {}, "model": {"baseline": {"outer": 1.0}}} if command == "train" else {}
    expected = make(merge(plain, rule))
    for setting in defaults:
        given = merge(rule, nested(setting.key, yaml.safe_load(setting.default)))
        assert make(merge(plain, given)) == expected, setting.key


@pytest.mark.parametrize("kind", [TrainConfig, LearnConfig])
def test_every_field_has_a_description(kind):
    found = {s.key: s.description for s in settings_of(kind)} | sections_of(kind)
    assert not [key for key, text in found.items() if not re.match(r"[A-Zε`]", text) or text.endswith(".")]


@pytest.mark.parametrize(
    ("command", "module", "kind"),
    [
        (["train"], train, TrainConfig),
        (["learn"], learn, LearnConfig),
        (["near"], near, TrainConfig),
    ],
)
def test_options_stand_for_settings(command, module, kind):
    known = {s.key for s in settings_of(kind)} | set(sections_of(kind))
    assert set(module._OPTIONS.values()) <= known
    assert set(module._OPTIONS) <= {p.name for p in get_command(app).commands[command[0]].params}


@pytest.mark.parametrize("command", [["eval"], ["data", "convert"], ["data", "audit"], ["learn"], ["train"]])
def test_names_of_labels_are_described_everywhere_alike(command):
    text = text_of(*command)
    for setting in settings_of(TrainConfig):
        if setting.key.startswith("keys."):
            assert setting.description in text
    assert data.KEYS == eval.KEYS


def test_presets_that_help_names_are_those_that_exist():
    preset = next(s for s in settings_of(TrainConfig) if s.key == "descriptor.preset")
    assert set(preset.choices) == set(preset_names())


def test_page_of_settings_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.python.cli.settings_page"


@pytest.mark.parametrize("command", ["train", "learn"])
def test_help_loads_neither_torch_nor_ase(command):
    code = (
        "import sys\nfrom lmlp.cli.app import app\n"
        f"try: app(['{command}', '--help'])\nexcept SystemExit: pass\n"
        "sys.exit(bool({'torch', 'ase', 'scipy', 'matplotlib'} & set(sys.modules)))"
    )
    assert run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
