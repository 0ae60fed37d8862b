"""Names of the files beside an output, and of what an earlier run left there."""

from __future__ import annotations

from pathlib import Path

_MODEL = ".pt"


def stem(output: Path) -> str:
    """Return the name that all files of a run begin with: without ``.pt``, other names as they are.

    ``water_0.5`` and ``water_0.6`` are different runs.
    """
    return output.name.removesuffix(_MODEL) if output.name != _MODEL else output.name


def beside(output: Path, ending: str) -> Path:
    """Return ``<stem><ending>`` in the folder of a model file."""
    return output.with_name(stem(output) + ending)


def earlier(path: Path, output: Path) -> Path:
    """Return where a file of an earlier run goes: ``model.previous.log.jsonl`` for ``model.log.jsonl``.

    Args:
        path: file of a run, the model included.
        output: model file of that run.
    """
    first = stem(output)
    return path.with_name(f"{first}.previous{path.name[len(first) :]}")
