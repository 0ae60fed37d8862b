"""Torch in forked processes: its threads are gone there, and a thread that waits for them waits for ever."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from lmlp import _core

Result = TypeVar("Result")

_threads: dict[int, ThreadPoolExecutor] = {}


def run_torch(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function that computes with torch, in a forked process on a thread of its own.

    OpenMP keeps a pool of threads for every thread that asks for one: a new thread gets a new pool, with as
    many threads as in the process that was forked, hence the same bits.
    """
    if not _core.is_forked():
        return function(*arguments)
    process = os.getpid()
    if process not in _threads:
        # those of the process that was forked do not exist here
        _threads.clear()
        _threads[process] = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lmlp-torch")
    return _threads[process].submit(function, *arguments).result()
