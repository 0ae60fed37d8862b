"""Processes made by fork: they end, and give the bits of the process that they were made of."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.models import write_random_model

REPOSITORY = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forking")
    return write_random_model(folder / "model.pt", "eeacsf-153", ["H", "C", "O"])


def run(scenario: str, argument: Path) -> list[str]:
    """Digests of one scenario; it and all its children are ended where it takes too long."""
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.python.forking_program", scenario, str(argument)],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = program.communicate(timeout=150)
    except subprocess.TimeoutExpired:
        pytest.fail(f"{scenario}: a process waits for ever")
    finally:
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGKILL)
            program.wait()
    assert program.returncode == 0, err
    return out.split()


@pytest.mark.parametrize(
    ("scenario", "n_digests"),
    [
        ("fork_after", 6),
        ("fork_before", 3),
        ("import_in_child", 2),
        ("fork_beside_threads", 9),
        ("torchscript", 5),
        ("pool_fork", 4),
        ("pool_spawn", 4),
        ("pool_forkserver", 4),
    ],
)
def test_same_bits_in_every_process(model: Path, scenario: str, n_digests: int) -> None:
    found = run(scenario, model)
    assert len(found) == n_digests
    assert set(found) == {found[0]}


def test_training_in_a_forked_process(tmp_path: Path) -> None:
    first, second = run("training", tmp_path)
    assert second == first
