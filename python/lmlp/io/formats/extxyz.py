"""Extended XYZ: frames found and checked line by line, so that nothing is dropped and errors name the line.

The format is that of ASE and ovito: a line with the number of atoms, a line of ``key=value`` pairs with
``Lattice``, ``Properties`` and ``pbc``, then one line per atom.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmlp.errors import DataError, UnknownElementError
from lmlp.io.formats.comment import FALSE, TRUE, parse_value, spellings, split_pairs
from lmlp.io.frame import Frame

_PROPERTY_TYPES = {"R", "I", "S", "L"}
_COUNT = re.compile(r"[0-9]+", re.ASCII)
_SPECIAL = ("lattice", "properties", "pbc")
_COLUMNS = ("species", "pos", "move_mask")


@dataclass(frozen=True)
class RawFrame:
    """The lines of one frame; ``line`` is the 1-based line of the atom count."""

    index: int
    line: int
    comment: str
    atoms: list[str]


def split_frames(lines: Iterable[str], file: str) -> Iterator[RawFrame]:
    """Cut a stream of lines into frames; raise DataError for a truncated or malformed frame."""
    numbered = enumerate(lines, start=1)
    index = 0
    for number, line in numbered:
        if not line.strip():
            continue
        count = _atom_count(line, f"{file}: frame {index} (line {number})")
        comment = next(numbered, None)
        atoms = [text for _, (_, text) in zip(range(count), numbered, strict=False)]
        if comment is None or len(atoms) < count or not all(a.strip() for a in atoms):
            whole = next((n for n, a in enumerate(atoms) if not a.strip()), len(atoms))
            raise DataError(
                f"{file}: frame {index} (line {number}) is truncated: {whole} of {count} atom lines are there"
            )
        yield RawFrame(index, number, comment[1].strip(), atoms)
        index += 1
    if index == 0:
        raise DataError(f"{file}: no frame in the file")


def _atom_count(line: str, where: str) -> int:
    if not _COUNT.fullmatch(line.strip()) or len(line) > 30:
        raise DataError(f"{where}: expected the number of atoms, found {line.strip()[:60]!r}")
    count = int(line)
    if count < 1:
        raise DataError(f"{where}: a frame of {count} atoms")
    return count


def parse_frame(raw: RawFrame, file: str) -> Frame:
    """Turn the lines of one frame into arrays; raise DataError naming file, frame and line.

    ``Lattice``, ``Properties`` and ``pbc``, and the columns ``species``, ``pos``, ``Z`` and ``move_mask`` are
    known in any case.
    """
    source = f"{file}:{raw.index}"
    where = f"{file}: frame {raw.index}"
    try:
        pairs = split_pairs(raw.comment)
        special = _take_special(pairs)
        layout = _parse_properties(special.get("properties") or "species:S:1:pos:R:3")
        cell, pbc = _cell_and_pbc(special)
        entries = {key: parse_value(text) for key, text in pairs.items()}
    except (ValueError, TypeError) as error:
        raise DataError(f"{where} (line {raw.line + 1}): bad comment line: {error}") from error
    columns = _parse_columns(raw, layout, where)
    numbers = _atomic_numbers(columns, raw, where)
    if "pos" not in columns:
        raise DataError(
            f"{where} (line {raw.line + 1}): no pos in Properties; there are {', '.join(columns)}"
        )
    positions = columns.pop("pos")
    if positions.dtype.kind not in "fi" or positions.shape != (len(numbers), 3):
        raise DataError(f"{where} (line {raw.line + 1}): pos in Properties must be pos:R:3")
    constrained = _constrained(columns, raw, where)
    spelled = spellings(pairs, entries)
    return Frame(
        numbers, positions.astype(np.float64), cell, pbc, source, entries, columns, spelled, constrained
    )


def _take_special(pairs: dict[str, str | None]) -> dict[str, str | None]:
    """Take out the keys of the format, in whatever case they are; two spellings must say the same."""
    found: dict[str, str | None] = {}
    names: dict[str, str] = {}
    for key in [k for k in pairs if k.lower() in _SPECIAL]:
        name, text = key.lower(), pairs.pop(key)
        if name in found and (text or "").split() != (found[name] or "").split():
            raise ValueError(f"{names[name]} and {key} differ: {found[name]!r} and {text!r}")
        found[name], names[name] = text, key
    return found


def _parse_properties(text: str) -> list[tuple[str, str, int]]:
    fields = text.split(":")
    if len(fields) % 3:
        raise ValueError(f"Properties={text!r} is not a list of name:type:columns")
    layout = []
    for name, kind, count in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
        number = int(count) if _COUNT.fullmatch(count) and len(count) < 10 else 0
        if kind.upper() not in _PROPERTY_TYPES or number < 1:
            raise ValueError(
                f"Properties: {name}:{kind}:{count}; types are R, I, S, L and columns at least 1"
            )
        layout.append((name.lower() if name.lower() in _COLUMNS else name, kind.upper(), number))
    names = [name for name, _, _ in layout]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"Properties name {name} twice")
    return layout


def _cell_and_pbc(special: dict[str, str | None]) -> tuple[np.ndarray, np.ndarray]:
    cell = np.zeros((3, 3))
    if "lattice" in special:
        words = re.findall(r"[^\s,]+", special["lattice"] or "")
        if len(words) != 9:
            raise ValueError(f"Lattice has {len(words)} numbers, not 9")
        cell = np.array([float(w) for w in words]).reshape(3, 3)
    if "pbc" not in special:
        return cell, np.full(3, "lattice" in special)
    words = re.findall(r"[^\s,]+", special["pbc"] or "T")
    if len(words) not in (1, 3) or not all(w in TRUE or w in FALSE for w in words):
        raise ValueError(f"pbc={special['pbc']!r} is not one or three of T and F")
    return cell, np.array(np.broadcast_to([w in TRUE for w in words], 3))


def _parse_columns(raw: RawFrame, layout: list[tuple[str, str, int]], where: str) -> dict[str, np.ndarray]:
    width = sum(count for _, _, count in layout)
    rows = [line.split() for line in raw.atoms]
    for n, row in enumerate(rows):
        if len(row) != width:
            line = raw.line + 2 + n
            raise DataError(
                f"{where} (line {line}): {len(row)} columns, Properties name {width}: "
                f"{raw.atoms[n].strip()[:80]!r}"
            )
    words = np.array(rows, dtype=object)
    _check_end(raw, rows, where)
    columns: dict[str, np.ndarray] = {}
    start = 0
    for name, kind, count in layout:
        block = words[:, start] if count == 1 else words[:, start : start + count]
        columns[name] = _convert_column(block, kind, (raw, name, where))
        start += count
    return columns


def _check_end(raw: RawFrame, rows: list[list[str]], where: str) -> None:
    """A file cut inside its last number still parses: refuse it when that number has too few decimals."""
    if raw.atoms[-1].endswith("\n") or len(rows) < 2 or "." not in rows[0][-1]:
        return
    decimals = [len(row[-1].partition(".")[2]) for row in rows]
    if decimals[-1] < min(decimals[:-1]):
        line = raw.line + 1 + len(rows)
        raise DataError(f"{where} (line {line}): the file ends in the middle of a number: {rows[-1][-1]!r}")


def _convert_column(block: np.ndarray, kind: str, context: tuple[RawFrame, str, str]) -> np.ndarray:
    if kind == "S":
        return block.astype(str)
    if kind == "L":
        return _checked(block, _to_bool, "neither T nor F", context)
    convert_word: Callable[[str], Any] = _to_real if kind == "R" else _to_integer
    try:
        values = [float(w) for w in block.ravel()] if kind == "R" else [int(w) for w in block.ravel()]
        if any("_" in line for line in context[0].atoms):  # Python takes 1_0 for 10
            raise ValueError
    except ValueError:
        return _checked(block, convert_word, "not a number", context)
    if kind == "I" and not all(-(2**63) <= v < 2**63 for v in values):
        return block.astype(str)
    return np.array(values).reshape(block.shape)


def _checked(
    block: np.ndarray, convert_word: Callable[[str], Any], complaint: str, context: tuple[RawFrame, str, str]
) -> np.ndarray:
    """Convert word by word; raise DataError for the first that cannot be."""
    raw, name, where = context
    values = []
    for n, row in enumerate(block):
        for word in np.atleast_1d(row):
            try:
                values.append(convert_word(word))
            except ValueError:
                raise DataError(
                    f"{where} (line {raw.line + 2 + n}): {name} of atom {n}: {str(word)!r} is {complaint}"
                ) from None
    return np.array(values).reshape(block.shape)


def _to_bool(word: str) -> bool:
    if word not in TRUE and word not in FALSE:
        raise ValueError
    return word in TRUE


def _to_real(word: str) -> float:
    return float(word.replace("_", "no"))


def _to_integer(word: str) -> int:
    return int(word.replace("_", "no"))


def _atomic_numbers(columns: dict[str, np.ndarray], raw: RawFrame, where: str) -> np.ndarray:
    """Take the elements from ``species`` (symbols, or atomic numbers) or ``Z``; both must agree."""
    names = {"species", "Z"} & columns.keys() or {"z"} & columns.keys()
    found = [_elements(name, columns.pop(name), raw, where) for name in sorted(names)]
    if not found:
        raise DataError(f"{where} (line {raw.line + 1}): neither species nor Z in Properties")
    for n in np.flatnonzero(found[0] != found[-1])[:1]:
        raise DataError(
            f"{where} (line {raw.line + 2 + int(n)}): species and Z of atom {n} are different elements"
        )
    return found[0]


def _elements(name: str, column: np.ndarray, raw: RawFrame, where: str) -> np.ndarray:
    from ase.data import atomic_numbers, chemical_symbols

    if column.ndim != 1 or column.dtype.kind not in "USi":
        raise DataError(
            f"{where} (line {raw.line + 1}): {name} in Properties must be {name}:S:1 (symbols) or "
            f"{name}:I:1 (atomic numbers)"
        )
    if column.dtype.kind == "i":
        for n, z in enumerate(column):
            if not 1 <= z < len(chemical_symbols):
                raise UnknownElementError(
                    f"{where} (line {raw.line + 2 + n}): atom {n} has atomic number {z}"
                )
        return column.astype(np.int32)
    symbols = [s.capitalize() for s in column]
    for n, symbol in enumerate(symbols):
        if atomic_numbers.get(symbol, 0) < 1:
            raise UnknownElementError(
                f"{where} (line {raw.line + 2 + n}): atom {n} is {symbol!r}, which is no element"
            )
    return np.array([atomic_numbers[s] for s in symbols], dtype=np.int32)


def _constrained(columns: dict[str, np.ndarray], raw: RawFrame, where: str) -> list[int]:
    """Return the atoms that ``move_mask`` holds; a mask per direction stays as a column, to be written."""
    mask = columns.pop("move_mask", None)
    if mask is None:
        return []
    if mask.dtype.kind not in "bi":
        raise DataError(f"{where} (line {raw.line + 1}): move_mask in Properties must be of type L or I")
    free = mask.astype(bool).reshape(len(mask), -1)
    if mask.ndim > 1:
        columns["move_mask"] = mask
    return [int(i) for i in np.flatnonzero(~free.all(axis=1))]
