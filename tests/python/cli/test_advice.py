"""Options that messages name exist in the command that says so, or the message names their command."""

import ast
import re
from pathlib import Path

import lmlp.training
import pytest
from lmlp.cli.app import app
from typer.main import get_command

# package -> commands that run it
RUN_BY = {
    "training": ["train"],
    "lifelong": ["learn"],
    "calculators": ["md"],
    "evaluation": ["eval"],
}


def _options(command):
    return {name for p in get_command(app).commands[command].params for name in [*p.opts, *p.secondary_opts]}


def _texts(file):
    """All texts of a file but its docstrings, pieces of one message joined."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    documents = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [p.value if isinstance(p, ast.Constant) else "…" for p in node.values]
            yield "".join(str(p) for p in parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents:
            yield node.value


@pytest.mark.parametrize("package", RUN_BY)
def test_named_options_exist(package):
    commands = get_command(app).commands
    seen = 0
    for file in sorted((Path(lmlp.training.__file__).parents[1] / package).glob("*.py")):
        for text in _texts(file):
            for match in re.finditer(r"(?:lmlp ([a-z-]+) )?(--[a-z][a-z-]+)", text):
                named, option = match.groups()
                for command in [named] if named in commands else RUN_BY[package]:
                    assert option in _options(command), f"{file.name}: {text}"
                seen += 1
    assert seen or package == "evaluation"


@pytest.mark.parametrize("command", ["train", "learn", "eval", "md"])
def test_options_that_a_command_names_are_its_own(command):
    file = Path(lmlp.training.__file__).parents[1] / "cli" / f"{command}.py"
    for text in _texts(file):
        if "Usage" in text or "torchrun" in text:
            continue
        for match in re.finditer(r"(?<![\w-])(--[a-z][a-z-]+)", text):
            assert match[1] in _options(command), text
