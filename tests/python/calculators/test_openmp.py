"""Threads of the core beside those of torch: the number that was asked for, and the same bits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.python.core_case import Case

# Threads of this process that the first evaluation brings, and the digest of all results. numpy's and torch's
# own threads exist before.
SCRIPT = """
import hashlib, json, os, sys
import numpy as np
from lmlp import _core

path, given = sys.argv[1], np.load(sys.argv[2])
with_torch, n_threads = sys.argv[3] == "torch", int(sys.argv[4])
if with_torch:
    import torch
    torch.set_num_threads(2)
    ones = torch.ones(1 << 20)
    assert float((ones * 2).sum()) == 2 << 20  # in parallel
potential = _core.Potential(path)
before = len(os.listdir("/proc/self/task"))
results = potential.evaluate(
    given["o"], given["s"], given["n"], given["v"],
    member_energies=True, member_gradients=True, n_threads=n_threads,
)
started = len(os.listdir("/proc/self/task")) - before
digest = hashlib.sha256(b"".join(results[name].tobytes() for name in sorted(results))).hexdigest()
if with_torch:
    assert torch.get_num_threads() == 2
    assert float((ones * 2).sum()) == 2 << 20
print(json.dumps({"started": started, "digest": digest}))
"""
pytestmark = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads in /proc")


@pytest.fixture(scope="module")
def evaluate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("openmp")
    case = Case(folder, n_atoms=80)  # five threads at most have work
    pairs = case.environments
    np.savez(
        folder / "in.npz", o=pairs.offsets, s=case.species, n=case.species[pairs.neighbors], v=pairs.vectors
    )

    def run(*, torch: bool, n_threads: int, environment: str = "1"):
        done = subprocess.run(
            [
                *(sys.executable, "-c", SCRIPT, str(case.path), str(folder / "in.npz")),
                *("torch" if torch else "alone", str(n_threads)),
            ],
            env={**os.environ, "OMP_NUM_THREADS": environment},
            check=True,
            capture_output=True,
            text=True,
        )
        return json.loads(done.stdout)

    return run


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_as_many_threads_as_asked_for(evaluate, n_threads):
    assert evaluate(torch=False, n_threads=n_threads)["started"] == n_threads - 1


def test_default_is_that_of_openmp(evaluate):
    assert evaluate(torch=False, n_threads=0, environment="3")["started"] == 2


def test_torch_changes_no_bit_and_no_thread(evaluate):
    alone = evaluate(torch=False, n_threads=1)
    beside = evaluate(torch=True, n_threads=3)
    assert beside["digest"] == alone["digest"]
    # where torch brings an OpenMP runtime of its own, the core's starts both of its threads; where they share
    # one, a thread of torch's serves the core, too
    assert beside["started"] in (1, 2)
