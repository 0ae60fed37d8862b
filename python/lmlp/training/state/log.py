"""JSON-lines log of a run, one object per line, complete lines only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lmlp.files.kinds import LOG
from lmlp.files.writing import append, replacing


class JsonLog:
    """Append records to ``<stem>.log.jsonl``.

    Args:
        path: the log.
        resume_epoch: None starts a new log; else epochs from this one on are removed (they are run again).
    """

    def __init__(self, path: Path, resume_epoch: int | None = None) -> None:
        self.path = path
        kept = []
        if resume_epoch is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    record = json.loads(line)
                except json.JSONDecodeError:
                    continue  # the last line of a killed run
                later = record.get("type") == "epoch" and record.get("epoch", 0) >= resume_epoch
                if not later and record.get("type") != "end":
                    kept.append(line)
        with replacing(path, LOG) as temporary:
            temporary.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        self._waiting = ""

    def write(self, record: dict[str, Any]) -> None:
        """Append one record.

        Raises:
            OutputError: it cannot be written; it is kept and written together with the next one.
        """
        self._waiting += json.dumps(record) + "\n"
        append(self.path, self._waiting)
        self._waiting = ""


def read_log(path: Path) -> list[dict[str, Any]]:
    """Read the records of a log; an incomplete last line is left out."""
    records = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return records
