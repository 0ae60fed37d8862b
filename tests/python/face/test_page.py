"""Code in the documentation of the Python face runs, block after block."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[3] / "docs"
pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="the docs are not part of this copy")


def blocks(page: Path) -> list[str]:
    return re.findall(
        r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )


@pytest.mark.filterwarnings("ignore::lmlp.errors.DataWarning")
@pytest.mark.parametrize("name", ["python.md", "evaluation.md"])
def test_snippets_run(name: str, folder: Path) -> None:
    found = blocks(DOCS / name)
    assert found
    names: dict[str, object] = {}
    for text in found:
        # the same with data of a second, not of minutes
        short = re.sub(r'time_limit="\w+"|epochs=\d+', "epochs=2", text)
        short = short.replace('old="train.xyz")', 'old="train.xyz", epochs=2)')
        exec(compile(short, name, "exec"), names)
