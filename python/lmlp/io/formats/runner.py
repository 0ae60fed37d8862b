"""``input.data`` of RuNNer and n2p2: blocks between ``begin`` and ``end``, in Bohr and Hartree.

    begin
    comment any text
    lattice ax ay az            three times, or never for a structure that is not periodic
    atom x y z symbol charge n fx fy fz
    energy E
    charge Q
    end

The two numbers between symbol and forces (the charge of the atom and one that the programs do not use) and
the total charge are not learned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lmlp.errors import DataError, UnknownElementError
from lmlp.io.frame import Frame
from lmlp.io.losses import RUNNER, writable_entries
from lmlp.structure import Structure
from lmlp.units import BOHR, HARTREE

KEYWORDS = ("begin", "comment", "lattice", "atom", "energy", "charge", "end")
_ATOM_WORDS = 9


@dataclass(frozen=True)
class RunnerUnits:
    """Units of a file: Å per unit of length, eV per unit of energy. RuNNer's are Bohr and Hartree."""

    length: float = BOHR
    energy: float = HARTREE


BOHR_HARTREE = RunnerUnits()
ANGSTROM_EV = RunnerUnits(1.0, 1.0)


@dataclass
class _Block:
    """The lines of one structure, as numbers in the file's units."""

    index: int
    line: int
    comments: list[str] = field(default_factory=list)
    lattice: list[list[float]] = field(default_factory=list)
    symbols: list[str] = field(default_factory=list)
    atoms: list[list[float]] = field(default_factory=list)
    values: dict[str, float] = field(default_factory=dict)


def looks_like_runner(lines: Iterable[str]) -> bool:
    """Tell whether a text is an ``input.data``: it has ``begin`` after blank lines and comments."""
    for line in lines:
        if not _is_remark(line):
            return line.strip().lower() == "begin"
    return False


def _is_remark(line: str) -> bool:
    """Tell whether a line says nothing: blank, ``# …``, ``! …``, or ``comment …`` outside of a block."""
    words = line.split(maxsplit=1)
    return not words or words[0][0] in "#!" or words[0].lower() == "comment"


def read_runner_frames(lines: Iterable[str], file: str, units: RunnerUnits = BOHR_HARTREE) -> Iterator[Frame]:
    """Read structures one after the other.

    Args:
        lines: of the file.
        file: its name, for messages.
        units: of the file; n2p2 takes any as long as they are the same everywhere.

    Raises:
        DataError: a block that is incomplete, cut short, or has a line that is not understood; file, frame
            and line are named.
        UnknownElementError: a symbol that is no element.
    """
    block: _Block | None = None
    index = 0
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words or words[0][0] in "#!":
            continue
        keyword, where = words[0].lower(), f"{file}: frame {index} (line {number})"
        if block is None:
            if _is_remark(line):
                continue
            if keyword != "begin":
                raise DataError(f"{where}: expected begin, found {line.strip()[:60]!r}")
            block = _Block(index, number)
        elif keyword == "end":
            yield _to_frame(block, file, units)
            block, index = None, index + 1
        else:
            _add(block, keyword, words[1:], where)
    if block is not None:
        raise DataError(f"{file}: frame {index} (line {block.line}) is truncated: begin without end")
    if index == 0:
        raise DataError(f"{file}: no frame in the file")


def _add(block: _Block, keyword: str, words: list[str], where: str) -> None:
    """Add a line to a block."""
    if keyword == "comment":
        block.comments.append(" ".join(words))
    elif keyword == "lattice":
        _check_count(keyword, words, 3, where)
        block.lattice.append(_numbers(keyword, words, where))
    elif keyword == "atom":
        _check_count(keyword, words, _ATOM_WORDS, where)
        block.symbols.append(_symbol(words[3], where))
        block.atoms.append(_numbers(keyword, words[:3] + words[4:], where))
    elif keyword in ("energy", "charge"):
        _check_count(keyword, words, 1, where)
        if keyword in block.values:
            raise DataError(f"{where}: a second {keyword} in one structure")
        block.values[keyword] = _numbers(keyword, words, where)[0]
    elif keyword == "begin":
        raise DataError(f"{where}: begin inside the structure of line {block.line}, which has no end")
    else:
        raise DataError(f"{where}: unknown keyword {keyword!r}; there are {', '.join(KEYWORDS)}")


def _check_count(keyword: str, words: list[str], count: int, where: str) -> None:
    if len(words) != count:
        raise DataError(
            f"{where}: {keyword} with {len(words)} entries, {count} are needed: {' '.join(words)!r}"
        )


def _numbers(keyword: str, words: list[str], where: str) -> list[float]:
    try:
        # Fortran programs write 1.0D-3 too; Python takes 1_0 for 10
        return [float(word.lower().replace("d", "e").replace("_", "no")) for word in words]
    except ValueError:
        raise DataError(f"{where}: {keyword}: not all of {' '.join(words)!r} are numbers") from None


def _symbol(word: str, where: str) -> str:
    from ase.data import atomic_numbers

    symbol = word.capitalize()
    if atomic_numbers.get(symbol, 0) < 1:
        raise UnknownElementError(f"{where}: {word!r} is no element")
    return symbol


def _to_frame(block: _Block, file: str, units: RunnerUnits) -> Frame:
    from ase.data import atomic_numbers

    where = f"{file}: frame {block.index} (line {block.line})"
    if not block.atoms:
        raise DataError(f"{where}: no atoms")
    if len(block.lattice) not in (0, 3):
        raise DataError(f"{where}: {len(block.lattice)} lattice lines; there are three, or none")
    values = np.array(block.atoms)
    entries: dict[str, object] = {}
    if "energy" in block.values:
        entries["energy"] = block.values["energy"] * units.energy
    if block.values.get("charge", 0.0) != 0.0:
        entries["charge"] = block.values["charge"]
    if block.comments:
        entries["comment"] = "\n".join(block.comments)
    cell = np.array(block.lattice).reshape(-1, 3) if block.lattice else np.zeros((3, 3))
    return Frame(
        numbers=np.array([atomic_numbers[s] for s in block.symbols], dtype=np.int32),
        positions=values[:, :3] * units.length,
        cell=cell * units.length,
        pbc=np.full(3, bool(block.lattice)),
        source=f"{file}:{block.index}",
        entries=entries,
        columns={"forces": values[:, 5:] * (units.energy / units.length)},
    )


def runner_text(structures: Iterable[Structure], units: RunnerUnits = BOHR_HARTREE) -> Iterator[str]:
    """Write structures as blocks of an ``input.data``; numbers read back to the last bits of the conversion.

    Stress and further entries have no place in the format; a ``comment`` and a total ``charge`` are kept.

    Raises:
        DataError: a structure without energy or forces, or periodic in some directions only; it is named.
    """
    from ase.data import chemical_symbols

    for number, s in enumerate(structures):
        name = s.source or f"structure {number}"
        if s.energy is None or s.forces is None:
            missing = "energy" if s.energy is None else "forces"
            raise DataError(f"{name}: no {missing}: input.data needs both energy and forces")
        if s.pbc.any() and not s.pbc.all():
            raise DataError(
                f"{name}: periodic along {int(s.pbc.sum())} of three directions: input.data knows all or none"
            )
        yield "begin\n"
        comment = s.info.get("comment") or (f"source {Path(s.source).name}" if s.source else "")
        for line in str(comment).splitlines():
            yield f"comment {line}\n"
        if s.pbc.all():
            for vector in s.cell / units.length:
                yield f"lattice {_join(vector)}\n"
        positions, forces = s.positions / units.length, s.forces * (units.length / units.energy)
        for z, position, force in zip(s.numbers, positions, forces, strict=True):
            yield f"atom {_join(position)} {chemical_symbols[z]} 0.0 0.0 {_join(force)}\n"
        yield f"energy {s.energy / units.energy!r}\n"
        charge = float(s.info["charge"]) if "charge" in writable_entries(s, RUNNER) else 0.0
        yield f"charge {charge!r}\n"
        yield "end\n"


def _join(values: np.ndarray) -> str:
    return " ".join(repr(float(v)) for v in values)
