"""``lmlp memory``: look into the memory of earlier data, make it smaller, take structures out or back in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lmlp.cli.shared.options import Force, file_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmlp.lifelong.memory import Entry, Memory, State

group = typer.Typer(
    no_args_is_help=True,
    help="Look into a memory of earlier data, make it smaller, take structures out of it or back in.",
)

MemoryFile = Annotated[Path, typer.Argument(help="Memory file, e.g. model.memory.", show_default=False)]
Statuses = Annotated[
    list[str] | None,
    typer.Option(
        "--status", help="Only these: active, parked (redundant), suspect (excluded), removed. Repeatable."
    ),
]
Task = Annotated[str | None, typer.Option(help="Only structures of this task.")]


@group.command("list")
def list_(
    memory: MemoryFile,
    status: Statuses = None,
    task: Task = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON, one object.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Read and check every structure.")] = False,
) -> None:
    """List tasks, structures and sessions.

    Without --status and --task there is a table of the tasks; with one of them, a line per structure: number,
    task, role (train; or check: kept to measure errors), status, selection factor, source, reason.

    Example: lmlp memory list model.memory --status suspect
    """
    from lmlp.lifelong.memory import Memory

    with Memory(memory) as opened:
        checked = opened.verify() if verify else None
        entries = opened.entries(*(status or []), task=task)
        if as_json:
            _print_json(
                {
                    "tasks": summary(opened),
                    "structures": [_plain(e) for e in entries],
                    "sessions": opened.sessions(),
                }
            )
            return
        if status or task:
            for e in entries:
                typer.echo(_line(e))
        else:
            _print_tasks(opened)
    if checked is not None:
        typer.echo(f"{checked} structures read and checked")


@group.command()
def show(
    memory: MemoryFile,
    number: Annotated[int, typer.Argument(help="Number of the structure.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show a structure with its labels and everything that happened to it.

    Example: lmlp memory show model.memory 17
    """
    from lmlp.errors import DataError
    from lmlp.lifelong.memory import Memory

    with Memory(memory) as opened:
        found = [e for e in opened.entries() if e.id == number]
        if not found:
            raise DataError(f"{memory}: no structure {number}")
        entry = found[0]
        facts: dict[str, Any] = {**_plain(entry), "history": opened.history(number)}
        if entry.n_bytes:
            structure = opened.structure(number)
            facts["energy"] = structure.energy
            facts["largest_force"] = (
                None if structure.forces is None else float((structure.forces**2).sum(axis=1).max() ** 0.5)
            )
            facts["stress"] = None if structure.stress is None else structure.stress.tolist()
            facts["info"] = structure.info
    if as_json:
        _print_json(facts)
        return
    for key, value in facts.items():
        if key != "history":
            typer.echo(f"{key:14} {value}")
    for event in facts["history"]:
        reason = f": {event['reason']}" if event["reason"] else ""
        typer.echo(
            f"{event['time'][:19]}  {event['kind']:9} {event['status']}, factor {event['factor']:.3g}{reason}"
        )


@group.command()
def prune(
    memory: MemoryFile,
    structures: Annotated[int | None, typer.Option(min=1, help="Keep at most so many.")] = None,
    size: Annotated[
        str | None, typer.Option(help="Keep at most so much content, e.g. 20M.", show_default=False)
    ] = None,
    removed: Annotated[
        Path | None,
        typer.Option(
            help="Where the removed structures go; default: <memory>.removed-<n>.xyz.xz.",
            parser=file_name,
            metavar="PATH",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be removed.")] = False,
) -> None:
    """Make a memory smaller.

    Every task keeps an equal share. Parked structures go first, then suspects, then those that others
    resemble. What is removed is written to a file before, listed here, and stays in the memory by name,
    checksum and reason.

    Example: lmlp memory prune model.memory --structures 500
    """
    from lmlp.config.values import parse_bytes
    from lmlp.errors import InvalidArgumentError
    from lmlp.files.lock import locked
    from lmlp.lifelong.choice import Bounds, choose
    from lmlp.lifelong.memory import Memory

    try:
        limit = None if size is None else parse_bytes(size)
    except ValueError as error:
        raise InvalidArgumentError(f"--size: {error}") from None
    if structures is None and limit is None:
        raise InvalidArgumentError("say how much to keep: --structures or --size")
    target = removed or _free_name(memory)
    _check_target(target, memory, hint="removed structures are not replaced")
    with locked(memory, typer.echo), Memory(memory) as opened:
        entries = [e for e in opened.entries() if e.n_bytes]
        gone = choose(entries, None, Bounds(structures, limit))
        _report_removed([e for e in entries if e.id in gone], gone)
        if dry_run or not gone:
            typer.echo(f"{len(gone)} of {len(entries)} structures" + (" would go" if dry_run else " removed"))
            return
        _prune(opened, [e for e in entries if e.id in gone], gone, target)
        typer.echo(f"{len(gone)} of {len(entries)} structures removed; they are in {target}")


@group.command()
def reinstate(
    memory: MemoryFile,
    numbers: Annotated[list[int], typer.Argument(help="Numbers of the structures.", show_default=False)],
) -> None:
    """Let suspect or parked structures take part in learning again: you looked, their labels are right.

    A later session may exclude or park them anew. All of them are reinstated, or none.

    Example: lmlp memory reinstate model.memory 17 23
    """
    from lmlp.errors import InvalidArgumentError
    from lmlp.files.lock import locked
    from lmlp.lifelong.memory import Memory

    with locked(memory, typer.echo), Memory(memory) as opened:
        found = {e.id: e for e in opened.entries()}
        for number in numbers:
            if number not in found:
                raise InvalidArgumentError(f"{memory}: no structure {number}")
            status = found[number].state.status
            if status not in ("suspect", "parked"):
                raise InvalidArgumentError(
                    f"{memory}: structure {number} is {status}; suspect and parked ones can be reinstated"
                )
        chosen = [found[n] for n in dict.fromkeys(numbers)]
        _reinstate(opened, chosen)
    for e in chosen:
        typer.echo(f"{e.id:6}  {e.task}  {e.source}  {e.formula}: {e.state.status} before")
    typer.echo(f"{len(chosen)} structures take part again")


@group.command()
def export(
    memory: MemoryFile,
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            help="File to write: .xyz or .extxyz, also .xz, .gz, .bz2.",
            parser=file_name,
            metavar="PATH",
        ),
    ],
    status: Statuses = None,
    task: Task = None,
    force: Force = False,
) -> None:
    """Write structures to extended XYZ, with number, task, status and factor as lmlp_* entries.

    Example: lmlp memory export model.memory --status suspect -o suspects.xyz
    """
    from lmlp.errors import DataError
    from lmlp.io.write import write_structures
    from lmlp.lifelong.memory import Memory

    with Memory(memory) as opened:
        entries = [e for e in opened.entries(*(status or []), task=task) if e.n_bytes]
        if not entries:
            raise DataError(f"{memory}: no such structures with content")
        _check_target(output, memory, force=force)
        write_structures(output, _marked(opened, entries))
    typer.echo(f"{output}: {len(entries)} structures")


def summary(memory: Memory) -> list[dict[str, Any]]:
    """Return per task: name, numbers by role and status, bytes."""
    rows = []
    entries = memory.entries()
    for name in memory.tasks():
        mine = [e for e in entries if e.task == name]
        rows.append(
            {
                "task": name,
                "structures": len(mine),
                "check": sum(e.role == "check" and e.n_bytes > 0 for e in mine),
                **{
                    status: sum(e.state.status == status and e.role == "train" for e in mine)
                    for status in ("active", "parked", "suspect")
                },
                "removed": sum(e.state.status == "removed" for e in mine),
                "bytes": sum(e.n_bytes for e in mine),
            }
        )
    return rows


def _print_tasks(memory: Memory) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    names = ["task", "structures", "active", "parked", "suspect", "check", "removed", "bytes"]
    for name in names:
        table.add_column(name, justify="left" if name == "task" else "right")
    for row in summary(memory):
        table.add_row(escape(row["task"]), *(f"{row[n]:,}" for n in names[1:]))
    Console().print(table)
    for session in memory.sessions():
        typer.echo(f"{session['time'][:19]}  {session['kind']:9} {session['id']}")


def _prune(memory: Memory, entries: Sequence[Entry], gone: dict[int, State], target: Path) -> None:
    import secrets

    from lmlp.io.write import write_structures
    from lmlp.lifelong.memory import Update

    write_structures(target, _marked(memory, entries))
    name = f"prune-{secrets.token_hex(8)}"
    memory.commit(Update(name, "prune", {"removed_to": str(target)}, changes=gone))


def _reinstate(memory: Memory, entries: Sequence[Entry]) -> None:
    import secrets

    from lmlp.lifelong.memory import State, Update

    changes = {
        e.id: State(reason="kept to measure errors" if e.role == "check" else "reinstated") for e in entries
    }
    memory.commit(Update(f"reinstate-{secrets.token_hex(8)}", "reinstate", {}, changes=changes))


def _marked(memory: Memory, entries: Sequence[Entry]) -> list[Any]:
    """Return structures with what the memory knows of them among their entries."""
    from dataclasses import replace

    marked = []
    for e in entries:
        s = memory.structure(e.id)
        info = {
            **s.info,
            "lmlp_id": e.id,
            "lmlp_task": e.task,
            "lmlp_role": e.role,
            "lmlp_status": e.state.status,
            "lmlp_factor": e.state.factor,
            "lmlp_source": e.source,
        }
        marked.append(replace(s, info=info | ({"lmlp_reason": e.state.reason} if e.state.reason else {})))
    return marked


def _check_target(
    target: Path, memory: Path, *, force: bool = False, hint: str = "--force replaces it"
) -> None:
    """Refuse an impossible file before anything is read."""
    from lmlp.files.kinds import STRUCTURES
    from lmlp.files.rule import Output, check_outputs
    from lmlp.io.write import check_writable

    check_writable(target)
    check_outputs([Output(target, STRUCTURES, hint=hint, makes_folder=True)], [memory], force=force)


def _free_name(memory: Path) -> Path:
    count = 1
    while (target := memory.with_name(f"{memory.name}.removed-{count}.xyz.xz")).exists():
        count += 1
    return target


def _report_removed(entries: Sequence[Entry], gone: dict[int, State]) -> None:
    for e in entries:
        typer.echo(f"{e.id:6}  {e.task}  {e.source}  {e.formula}: {gone[e.id].reason}")


def _line(e: Entry) -> str:
    reason = f": {e.state.reason}" if e.state.reason else ""
    return (
        f"{e.id:6}  {e.task}  {e.role:5} {e.state.status:7} {e.state.factor:7.3g}  {e.source}  "
        f"{e.formula}{reason}"
    )


def _plain(entry: Entry) -> dict[str, Any]:
    from dataclasses import asdict

    plain = asdict(entry)
    return {**plain, **plain.pop("state")}


def _print_json(data: dict[str, Any]) -> None:
    import json

    typer.echo(json.dumps(data, indent=1, default=str))
