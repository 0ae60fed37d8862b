"""The SQLite file of a memory: opened or made, its transactions, its errors in words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lmlp.errors import DataError
from lmlp.lifelong.schema import APPLICATION_ID, SCHEMA, VERSION

_WAIT_SECONDS = 30.0


class Database:
    """A file with the tables of ``lmlp.lifelong.schema``, an empty one where there was none.

    Args:
        path: the file.

    Raises:
        DataError: not a memory, damaged, of a newer version, or in use for too long.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self.errors():
            self._connection = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
        try:
            with self.errors():
                self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        self.execute("PRAGMA foreign_keys = ON")
        self.execute("PRAGMA synchronous = FULL")
        if self._pragma("application_id") == 0 and not self._has_tables():
            self.execute("PRAGMA auto_vacuum = FULL")
            with self.transaction():
                if not self._has_tables():  # nobody else was faster
                    for statement in _statements(SCHEMA):
                        self.execute(statement)
                    self.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                    self.execute(f"PRAGMA user_version = {VERSION}")
        if self._pragma("application_id") != APPLICATION_ID:
            raise DataError(f"{self.path}: an SQLite file, but not a memory of lmlp")
        version = self._pragma("user_version")
        if version > VERSION:
            raise DataError(f"{self.path}: memory version {version}, this program knows up to {VERSION}")

    def _pragma(self, name: str) -> int:
        return int(self.execute(f"PRAGMA {name}").fetchone()[0])

    def _has_tables(self) -> bool:
        return bool(self.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0] > 0)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement; within :meth:`errors`, which has to last until the rows are fetched."""
        return self._connection.execute(statement, values)

    @contextmanager
    def transaction(self, *, keep: bool = True) -> Iterator[None]:
        """Write all that happens within, or nothing; with ``keep`` false nothing in any case."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT" if keep else "ROLLBACK")
        except BaseException:
            if self._connection.in_transaction:
                self.execute("ROLLBACK")
            raise

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn errors of SQLite into DataErrors that name the file."""
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
