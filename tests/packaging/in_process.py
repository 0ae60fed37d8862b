"""Benchmarks loaded by their path, with the command line in this process: imports are paid once."""

import importlib.util
import sys
from pathlib import Path

from lmlp.cli.app import app
from typer.testing import CliRunner


def lmlp(*arguments: str) -> str:
    """Run the command line here; its standard output."""
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def load(monkeypatch, folder: Path, *names: str):
    """Load files of a benchmark that import each other, the last one last, which is returned."""
    for name in names:
        spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
    return module
