"""Ctrl-C and the end that batch systems announce: between steps, so that no state is saved half changed."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class InterruptFlag:
    """Turns SIGINT and SIGTERM into a flag, a second SIGINT ends the process; inert outside the main thread.

    SIGTERM comes from batch systems and, after Ctrl-C, from torchrun: it must never cut short the saving.
    """

    def __init__(self) -> None:
        self.requested = False
        self._interrupted = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> InterruptFlag:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            if self._interrupted:
                raise KeyboardInterrupt
            self._interrupted = True
        self.requested = True
