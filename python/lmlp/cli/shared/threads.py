"""How threads of a training process wait for each other; set before torch and the core start theirs."""

from __future__ import annotations

import os


def shorten_waiting() -> None:
    """Let idle OpenMP threads spin for some microseconds, then sleep, unless the user has set how they wait.

    A step is hundreds of short parallel regions. Threads that sleep at once (``OMP_WAIT_POLICY=PASSIVE``) are
    woken for each of them: two are slower than one (docs/benchmarks/training.md). Threads that spin for
    long take cores from other programs and from a second OpenMP runtime in the same process.
    """
    if "OMP_WAIT_POLICY" in os.environ:
        return
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # of GNU's runtime, that of PyPI's torch and of the core
    os.environ.setdefault("KMP_BLOCKTIME", "0")  # of LLVM's and Intel's, not measured: they sleep at once
