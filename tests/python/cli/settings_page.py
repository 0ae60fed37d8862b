"""Writes docs/settings.md, the tables of all settings, from the settings themselves.

python -m tests.python.cli.settings_page
"""

from pathlib import Path

from lmlp.config.listing import settings_of
from lmlp.lifelong.config import REFUSED, LearnConfig
from lmlp.training.config import TrainConfig

PAGE = Path(__file__).resolve().parents[3] / "docs" / "settings.md"


INTRODUCTION = (
    "All settings of `lmlp train` and `lmlp learn`, as `--set KEY=VALUE` takes them. Dots separate sections: "
    "`--set loss.energy=20` is `loss: {energy: 20}` in config.yaml. Values are YAML. Times may be written as "
    "`90s`, `6m`, `1h30m`, sizes as `512M`, `2G`. Settings without a default say what happens without them. "
    "Many have an option of their own (`lmlp train --help`). `python -m tests.python.cli.settings_page` "
    "writes this page from the settings."
)
SHORT_FORMS = (
    "`selection` may also be `uniform` (all data in every epoch, the default), `adaptive` or a share. "
    "`model.baseline` may also be `none` (the default) or `zbl`."
)


def table(kind):
    """Rows of key, meaning and default of all settings below a section."""
    rows = ["| key | meaning | default |", "|---|---|---|"]
    for setting in settings_of(kind):
        default = "" if setting.default is None else f"`{setting.default}`"
        rows.append(f"| `{setting.key}` | {setting.words().replace('|', chr(92) + '|')} | {default} |")
    return "\n".join(rows)


def page():
    """Text of the whole page."""
    refused = "\n".join(f"| `{key}` | {reason} |" for key, reason in REFUSED.items())
    return f"""# Settings

{INTRODUCTION}

## Training
{SHORT_FORMS}

{table(TrainConfig)}

## Learning sessions
`loss` and `model.decorrelation` are those of the model's own training unless they are given.

{table(LearnConfig)}

These settings of training are refused in a session:

| key | reason |
|---|---|
{refused}
"""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
