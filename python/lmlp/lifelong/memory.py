"""The memory file: structures of all tasks with labels, selection factors and history (docs/lifelong.md).

An SQLite database that only grows by whole sessions: each is one transaction, so that a process killed at any
moment leaves the file as it was before or as it is after.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lmlp.errors import DataError
from lmlp.lifelong.record import checksum, from_bytes, to_bytes
from lmlp.lifelong.schema import APPLICATION_ID, SCHEMA, STATUSES, VERSION
from lmlp.structure import Structure
from lmlp.structure.composition import formula

_WAIT_SECONDS = 30.0
UNWRITTEN = -1  # id of an entry that is not in the file yet


@dataclass(frozen=True)
class State:
    """Present state of a structure.

    Attributes:
        status: ``active``, ``parked`` (redundant), ``suspect`` (excluded) or ``removed`` (content dropped).
        factor: selection factor S.
        reason: why, for people.
    """

    status: str = "active"
    factor: float = 1.0
    reason: str = ""


@dataclass(frozen=True)
class Entry:
    """What the memory knows of a structure, without its content.

    Attributes:
        id: number in the file, ``UNWRITTEN`` before it has one.
        task: name of the task that it came with.
        role: ``train``, or ``check``: kept to measure errors, never trained on.
        checksum: SHA-256 of geometry and labels.
        source: file and frame.
        formula: chemical formula.
        n_atoms: atoms.
        n_bytes: size of the content, 0 when removed.
        state: present state.
        changed: session that set it.
    """

    id: int
    task: str
    role: str
    checksum: str
    source: str
    formula: str
    n_atoms: int
    n_bytes: int
    state: State
    changed: str


@dataclass(frozen=True)
class Addition:
    """A structure to be added."""

    structure: Structure
    state: State = field(default_factory=State)
    role: str = "train"


@dataclass(frozen=True)
class Update:
    """One session: everything in it is written, or nothing.

    Attributes:
        session: its name, unique in the file; a session that is there already is not written again.
        kind: ``start``, ``learn``, ``prune`` or ``reinstate``.
        provenance: plain data: model, files, options, versions.
        task: task of the additions; None without additions.
        additions: new structures; those that the file knows already (same checksum) are left out.
        changes: new states by id. ``removed`` drops the content and keeps all else.
        first: sessions that are written before it, with it or not at all.
        revisions: new states, by checksum, of what ``first`` adds.
    """

    session: str
    kind: str
    provenance: Mapping[str, Any]
    task: str | None = None
    additions: Sequence[Addition] = ()
    changes: Mapping[int, State] = field(default_factory=dict)
    first: Sequence[Update] = ()
    revisions: Mapping[str, State] = field(default_factory=dict)


class Memory:
    """A memory file, opened for reading and appending.

    Args:
        path: the file.
        create: make it if there is none.

    Raises:
        DataError: no such file, not a memory, damaged, of a newer version, or in use for too long.
    """

    def __init__(self, path: str | Path, *, create: bool = False) -> None:
        self.path = Path(path)
        if not self.path.exists() and not create:
            raise DataError(f"{self.path}: no such memory file")
        if not self.path.absolute().parent.is_dir():
            raise DataError(f"{self.path}: the folder {self.path.absolute().parent} does not exist")
        with self._errors():
            self._db = sqlite3.connect(self.path, timeout=_WAIT_SECONDS, isolation_level=None)
            self._db.row_factory = sqlite3.Row
        try:
            with self._errors():
                self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.execute("PRAGMA synchronous = FULL")
        if self._pragma("application_id") == 0 and not self._has_tables():
            self._db.execute("PRAGMA auto_vacuum = FULL")
            with self._transaction():
                if not self._has_tables():  # nobody else was faster
                    for statement in _statements(SCHEMA):
                        self._db.execute(statement)
                    self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                    self._db.execute(f"PRAGMA user_version = {VERSION}")
        if self._pragma("application_id") != APPLICATION_ID:
            raise DataError(f"{self.path}: an SQLite file, but not a memory of lmlp")
        version = self._pragma("user_version")
        if version > VERSION:
            raise DataError(f"{self.path}: memory version {version}, this program knows up to {VERSION}")

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])

    def _has_tables(self) -> bool:
        return bool(self._db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0] > 0)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Memory:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # Reading --------------------------------------------------------------------------------------

    def entries(self, *statuses: str, role: str | None = None, task: str | None = None) -> list[Entry]:
        """Return entries in their order, all or some statuses, one role, one task."""
        unknown = [s for s in statuses if s not in STATUSES]
        if unknown:
            raise DataError(f"status {unknown[0]!r}: choose of {', '.join(STATUSES)}")
        with self._errors():
            rows = self._db.execute(
                "SELECT s.*, COALESCE(LENGTH(c.bytes), 0) AS n_bytes FROM states s "
                "LEFT JOIN contents c ON c.structure = s.id ORDER BY s.id"
            ).fetchall()
        found = [
            Entry(
                **{k: row[k] for k in ("id", "role", "checksum", "source", "formula", "n_atoms", "n_bytes")},
                task=row["task_name"],
                state=State(row["status"], row["factor"], row["reason"]),
                changed=row["changed"],
            )
            for row in rows
        ]
        return [
            e
            for e in found
            if (not statuses or e.state.status in statuses)
            and (role is None or e.role == role)
            and (task is None or e.task == task)
        ]

    def structure(self, number: int) -> Structure:
        """Return a structure by its number.

        Raises:
            DataError: no such number, content removed, or content that does not match its checksum.
        """
        with self._errors():
            row = self._db.execute(
                "SELECT s.content_sha256, s.checksum, s.source, c.bytes FROM structures s "
                "LEFT JOIN contents c ON c.structure = s.id WHERE s.id = ?",
                (number,),
            ).fetchone()
        if row is None:
            raise DataError(f"{self.path}: no structure {number}")
        if row["bytes"] is None:
            raise DataError(f"{self.path}: the content of structure {number} ({row['source']}) was removed")
        if hashlib.sha256(row["bytes"]).hexdigest() != row["content_sha256"]:
            raise DataError(f"{self.path}: structure {number} ({row['source']}) is damaged")
        return from_bytes(row["bytes"])

    def structures(self, entries: Sequence[Entry]) -> list[Structure]:
        """Return the structures of some entries."""
        return [self.structure(e.id) for e in entries]

    def history(self, number: int) -> list[dict[str, Any]]:
        """Return the events of a structure, oldest first: session, kind, time, status, factor, reason."""
        with self._errors():
            rows = self._db.execute(
                "SELECT e.session, n.kind, n.time, e.status, e.factor, e.reason FROM events e "
                "JOIN sessions n ON n.id = e.session WHERE e.structure = ? ORDER BY e.id",
                (number,),
            ).fetchall()
        return [dict(row) for row in rows]

    def sessions(self) -> list[dict[str, Any]]:
        """Return all sessions, oldest first: id, kind, time, provenance."""
        with self._errors():
            rows = self._db.execute("SELECT * FROM sessions ORDER BY time, id").fetchall()
        return [{**dict(row), "provenance": json.loads(row["provenance"])} for row in rows]

    def tasks(self) -> list[str]:
        """Return the names of the tasks in the order in which they were learned."""
        with self._errors():
            return [str(row[0]) for row in self._db.execute("SELECT name FROM tasks ORDER BY id")]

    def has_session(self, session: str) -> bool:
        """Tell whether a session has been written."""
        with self._errors():
            return self._db.execute("SELECT 1 FROM sessions WHERE id = ?", (session,)).fetchone() is not None

    def known(self, checksums: Sequence[str]) -> set[str]:
        """Return which of the checksums the memory has ever seen, removed structures included."""
        with self._errors():
            seen = {str(row[0]) for row in self._db.execute("SELECT checksum FROM structures")}
        return seen.intersection(checksums)

    def verify(self) -> int:
        """Read everything and check it; returns the number of contents.

        Raises:
            DataError: the file is damaged; names the first structure.
        """
        with self._errors():
            result = self._db.execute("PRAGMA integrity_check").fetchone()[0]
        if result != "ok":
            raise DataError(f"{self.path}: damaged: {result}")
        present = [e for e in self.entries() if e.n_bytes]
        for entry in present:
            if checksum(self.structure(entry.id)) != entry.checksum:
                raise DataError(f"{self.path}: structure {entry.id} ({entry.source}) is not the one added")
        return len(present)

    # Writing --------------------------------------------------------------------------------------

    def commit(self, update: Update) -> bool:
        """Write a session as one transaction; returns False if it was there already.

        Raises:
            DataError: a change of an unknown or removed structure, additions without a task, a full disk…;
                nothing is written then.
        """
        with self._errors(), self._transaction():
            return self._write(update)

    def rehearse(self, update: Update) -> None:
        """Do all that :meth:`commit` does, and take it back.

        Raises:
            DataError: as :meth:`commit`.
        """
        with self._errors(), self._transaction(keep=False):
            self._write(update)

    def _write(self, update: Update) -> bool:
        if self.has_session(update.session):
            return False
        for before in update.first:
            self._write(before)
        self._db.execute(
            "INSERT INTO sessions VALUES (?, ?, ?, ?)",
            (update.session, update.kind, _now(), json.dumps(dict(update.provenance), default=str)),
        )
        self._add(update)
        for number, state in update.changes.items():
            self._change(number, state, update.session)
        for key, state in update.revisions.items():
            row = self._db.execute("SELECT id FROM structures WHERE checksum = ?", (key,)).fetchone()
            if row is None:
                raise DataError(f"{self.path}: no structure with checksum {key}")
            self._change(int(row[0]), state, update.session)
        return True

    def _add(self, update: Update) -> None:
        if not update.additions:
            return
        if update.task is None:
            raise DataError(f"session {update.session}: structures are added to a task; name it")
        if update.task in self.tasks():
            raise DataError(f"{self.path}: there is a task {update.task!r} already; choose another name")
        task = self._db.execute(
            "INSERT INTO tasks (name, session) VALUES (?, ?)", (update.task, update.session)
        ).lastrowid
        for addition in update.additions:
            self._add_one(addition, task, update.session)

    def _add_one(self, addition: Addition, task: int | None, session: str) -> None:
        s = addition.structure
        content = to_bytes(s)
        cursor = self._db.execute(
            "INSERT OR IGNORE INTO structures "
            "(task, role, checksum, source, formula, n_atoms, content_sha256) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                task,
                addition.role,
                checksum(s),
                s.source,
                formula(s),
                len(s),
                hashlib.sha256(content).hexdigest(),
            ),
        )
        if cursor.rowcount != 1 or cursor.lastrowid is None:
            return  # known already
        number = cursor.lastrowid
        self._event(number, addition.state, session)
        if addition.state.status != "removed":
            self._db.execute("INSERT INTO contents VALUES (?, ?)", (number, content))

    def _change(self, number: int, state: State, session: str) -> None:
        row = self._db.execute("SELECT status FROM states WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise DataError(f"{self.path}: no structure {number}")
        if row["status"] == "removed":
            raise DataError(f"{self.path}: structure {number} was removed; add it again from its source")
        self._event(number, state, session)
        if state.status == "removed":
            self._db.execute("DELETE FROM contents WHERE structure = ?", (number,))

    def _event(self, number: int, state: State, session: str) -> None:
        self._db.execute(
            "INSERT INTO events (structure, session, status, factor, reason) VALUES (?, ?, ?, ?, ?)",
            (number, session, state.status, state.factor, state.reason),
        )

    @contextmanager
    def _transaction(self, *, keep: bool = True) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT" if keep else "ROLLBACK")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise DataError(f"{self.path}: {_explain(error)}") from error


def _statements(script: str) -> Iterator[str]:
    """Cut a script into statements: executescript() would end the transaction."""
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _explain(error: sqlite3.Error) -> str:
    text = str(error)
    if "not a database" in text:
        return "not a memory file"
    if "locked" in text:
        return "in use by another process"
    return f"cannot be read or written ({text})"


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="microseconds")
