"""Torch in forked processes: its threads are gone there, and a thread that waits for them waits for ever."""

from __future__ import annotations

import functools
import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, ParamSpec, TypeVar

from lmlp import _core

Result = TypeVar("Result")
Parameters = ParamSpec("Parameters")


class _TorchThread(threading.Thread):
    """Does one call after the other; ends with the process, which it never holds up."""

    def __init__(self) -> None:
        super().__init__(name="lmlp-torch", daemon=True)
        self.process = os.getpid()
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self.start()

    def submit(self, call: Callable[[], Result]) -> Future[Result]:
        """Have a function called."""
        future: Future[Result] = Future()
        self._calls.put((future, call))
        return future

    def run(self) -> None:
        """Wait for calls."""
        while True:
            future, call = self._calls.get()
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)
            del future, call


_thread: _TorchThread | None = None


def run_torch(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function that computes with torch, in a forked process on a thread of its own.

    OpenMP keeps a pool of threads for every thread that asks for one: a new thread gets a new pool, with as
    many threads as in the process that was forked, hence the same bits.
    """
    global _thread
    if not _core.is_forked() or threading.current_thread() is _thread:
        return function(*arguments)
    if _thread is None or _thread.process != os.getpid():
        _thread = _TorchThread()
    return _thread.submit(functools.partial(function, *arguments)).result()


def safe_after_fork(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Decorate a function that computes with torch: it is called by `run_torch`."""

    @functools.wraps(function)
    def wrapper(*arguments: Parameters.args, **options: Parameters.kwargs) -> Result:
        return run_torch(functools.partial(function, *arguments, **options))

    return wrapper
