"""What reading a file left out or converted: counted frame by frame, told once per file."""

from __future__ import annotations

import warnings

from lmlp.errors import DataWarning

_NAMED = 5


class Notes:
    """Collects remarks on the frames of one file.

    Args:
        file: its name, for messages.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.frames: dict[str, list[str]] = {}
        self.n_skipped = 0

    def add(self, text: str, source: str) -> None:
        """Remember a remark on the frame ``source``."""
        self.frames.setdefault(text, []).append(source.rpartition(":")[2])

    def skip(self, text: str, source: str) -> None:
        """Remember that the frame ``source`` never becomes one, and why."""
        self.n_skipped += 1
        self.add(text, source)

    def tell(self, n_frames: int) -> None:
        """Warn once for each remark (DataWarning): text, number of frames, the first of them."""
        for text, frames in self.frames.items():
            first = ", ".join(frames[:_NAMED])
            more = f" and {len(frames) - _NAMED} more" if len(frames) > _NAMED else ""
            where = f"in {len(frames)} of {n_frames} frames: {first}{more}"
            if len(frames) == n_frames:
                where = f"in all {n_frames} frames" if n_frames > 1 else f"frame {first}"
            warn(f"{self.file}: {text} ({where})")


def warn(text: str) -> None:
    """Tell something about a file that was read (DataWarning)."""
    warnings.warn(text, DataWarning, stacklevel=2)
