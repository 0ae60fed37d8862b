"""The data report: what a set of reference structures holds, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lmlp.audit.finding import Finding, name_frames
from lmlp.audit.findings import by_level, check_overlap, find_all
from lmlp.audit.free_atom_findings import check_free_atoms
from lmlp.errors import DataError
from lmlp.io.labels import LABEL_KEYS
from lmlp.structure import Structure
from lmlp.structure.composition import composition_matrix, formula, robust_atomic_energies
from lmlp.structure.free_atoms import DEFAULT_CUTOFF, is_free_atom, set_apart
from lmlp.structure.geometry import Geometry, analyze

_PERIODICITY = ("not periodic", "periodic in 1 direction", "periodic in 2 directions", "periodic")
_NAMED_FORMULAS = 8


@dataclass(frozen=True)
class Range:
    """Smallest, mean and largest value."""

    low: float
    mean: float
    high: float


@dataclass(frozen=True)
class ElementSummary:
    """One element in the data: how many atoms, in how many structures, with how many bonded neighbors.

    ``coordination`` is the smallest and largest number of atoms within 1.2 times the sum of covalent radii,
    ``atomic_energy`` the fitted energy in eV (smallest absolute deviations), None where the compositions do
    not determine it.
    """

    symbol: str
    atoms: int
    structures: int
    coordination: tuple[int, int]
    atomic_energy: float | None


@dataclass(frozen=True)
class DataReport:
    """Content and findings of a data set.

    Attributes:
        n_structures: number of structures.
        n_atoms: smallest, mean and largest number of atoms.
        elements: one summary per element.
        formulas: structures per formula, most frequent first.
        periodicity: structures per number of periodic directions, by name.
        labels: how many structures have energy, forces and stress.
        keys: label -> names in the files.
        energy: eV/atom, or None.
        force: length of the forces on atoms in eV/Å, or None.
        stress: mean of the diagonal in eV/Å³, or None.
        shortest: shortest distances in Å, or None.
        density: g/cm³ of structures periodic in three directions, or None.
        findings: errors, warnings and notes.
    """

    n_structures: int
    n_atoms: Range
    elements: list[ElementSummary]
    formulas: dict[str, int]
    periodicity: dict[str, int]
    labels: dict[str, int]
    keys: dict[str, list[str]]
    energy: Range | None
    force: Range | None
    stress: Range | None
    shortest: Range | None
    density: Range | None
    findings: list[Finding]

    @property
    def errors(self) -> list[Finding]:
        """Findings with which training makes no sense."""
        return [f for f in self.findings if f.level == "error"]

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=100, force_terminal=False, highlight=False)
        with console.capture() as capture:
            print_report(self, console)
        return capture.get().rstrip()

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data for JSON."""
        return asdict(self)

    def raise_for_errors(self) -> None:
        """Raise DataError with the first error, if there is one."""
        for finding in self.errors:
            raise DataError(f"{finding.message} ({name_frames(finding.frames)})")


def audit(
    structures: Sequence[Structure], known: Sequence[Structure] = (), *, cutoff: float = DEFAULT_CUTOFF
) -> DataReport:
    """Summarize structures and look for everything that would spoil training.

    Args:
        structures: what to report on.
        known: further structures, e.g. the training data, that must not occur among ``structures``.
        cutoff: Å; an atom without neighbors within it is a free atom, no structure to train on.

    Raises:
        DataError: no structures.
        GeometryError: a structure whose neighbors cannot be found.
    """
    if not structures:
        raise DataError("no structures to report on")
    geometries = [analyze(s) for s in structures]
    forces = [np.linalg.norm(s.forces, axis=1) for s in structures if s.forces is not None]
    used = [s.info.get(LABEL_KEYS, {}) for s in structures]
    return DataReport(
        n_structures=len(structures),
        n_atoms=Range(*_range([float(len(s)) for s in structures])),
        elements=_elements(structures, geometries, cutoff),
        formulas=dict(Counter(formula(s) for s in structures).most_common()),
        periodicity=_periodicity(structures),
        labels={
            k: sum(getattr(s, k) is not None for s in structures) for k in ("energy", "forces", "stress")
        },
        keys={k: sorted({u[k] for u in used if k in u}) for k in sorted({k for u in used for k in u})},
        energy=_optional([s.energy / len(s) for s in structures if s.energy is not None]),
        force=_optional(np.concatenate(forces)) if forces else None,
        stress=_optional([float(np.trace(s.stress)) / 3 for s in structures if s.stress is not None]),
        shortest=_optional([g.shortest for g in geometries if g.shortest is not None]),
        density=_optional([_density(s) for s in structures if s.pbc.all()]),
        findings=[
            *check_overlap(set_apart(structures, cutoff)[0], set_apart(known, cutoff)[0]),
            *by_level([*find_all(structures, geometries, cutoff), *check_free_atoms(structures, cutoff)]),
        ],
    )


def _range(values: Sequence[float] | np.ndarray) -> tuple[float, float, float]:
    return float(np.min(values)), float(np.mean(values)), float(np.max(values))


def _optional(values: Sequence[float] | np.ndarray) -> Range | None:
    return Range(*_range(values)) if len(values) else None


def _density(structure: Structure) -> float:
    from ase.data import atomic_masses

    from lmlp.units import ATOMIC_MASS_SI

    return float(atomic_masses[structure.numbers].sum() * ATOMIC_MASS_SI * 1e27 / structure.volume)


def _periodicity(structures: Sequence[Structure]) -> dict[str, int]:
    counts = Counter(int(s.pbc.sum()) for s in structures)
    return {_PERIODICITY[n]: counts[n] for n in sorted(counts)}


def _elements(
    structures: Sequence[Structure], geometries: Sequence[Geometry], cutoff: float
) -> list[ElementSummary]:
    from ase.data import chemical_symbols

    elements, counts = composition_matrix(structures)
    labeled = np.array([s.energy is not None and not is_free_atom(s, cutoff) for s in structures])
    energies = np.array([s.energy for s, one in zip(structures, labeled, strict=True) if one], dtype=float)
    present = counts[labeled].any(axis=0)
    determined = labeled.any() and np.linalg.matrix_rank(counts[labeled]) == present.sum()
    fitted = robust_atomic_energies(counts[labeled], energies) if determined else None
    numbers = np.concatenate([s.numbers for s in structures])
    bonds = np.concatenate([g.bonds for g in geometries])
    summaries = []
    for column, z in enumerate(elements):
        mine = bonds[numbers == z]
        summaries.append(
            ElementSummary(
                symbol=chemical_symbols[z],
                atoms=int(counts[:, column].sum()),
                structures=int((counts[:, column] > 0).sum()),
                coordination=(int(mine.min()), int(mine.max())),
                atomic_energy=float(fitted[column]) if fitted is not None and present[column] else None,
            )
        )
    return summaries


def print_report(report: DataReport, console: Any = None, title: str = "Reference data") -> None:
    """Print the report with rich, to ``console`` or to the terminal."""
    from rich.console import Console
    from rich.table import Table

    console = console or Console(highlight=False)
    table = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    for name, text in _rows(report):
        table.add_row(name, text)
    console.print(table)
    elements = Table(box=None, pad_edge=False)
    headings = ["element", "atoms", "structures", "bonded neighbors"]
    fitted = any(e.atomic_energy is not None for e in report.elements)
    for heading in headings + ["fitted energy (eV)"] * fitted:
        elements.add_column(heading, justify="left" if heading == "element" else "right")
    for e in report.elements:
        low, high = e.coordination
        energy = "" if e.atomic_energy is None else f"{e.atomic_energy:.3f}"
        cells = [e.symbol, str(e.atoms), str(e.structures), f"{low} to {high}"] + [energy] * fitted
        elements.add_row(*cells)
    console.print(elements)
    _print_findings(report, console)


def _rows(report: DataReport) -> list[tuple[str, str]]:
    n = report.n_atoms
    sizes = f"{n.low:.0f} atoms each" if n.low == n.high else f"{n.low:.0f} to {n.high:.0f} atoms"
    names = list(report.formulas.items())
    formulas = ", ".join(f"{name} ({count})" for name, count in names[:_NAMED_FORMULAS])
    if len(names) > _NAMED_FORMULAS:
        formulas += f" and {len(names) - _NAMED_FORMULAS} more"
    boundaries = ", ".join(f"{count} {name}" for name, count in report.periodicity.items())
    rows = [
        ("structures", f"{report.n_structures}, {sizes}; {boundaries}"),
        ("compositions", formulas),
        ("labels", ", ".join(f"{v} {k}" for k, v in report.labels.items()) + _keys(report)),
    ]
    if report.energy is not None:
        rows.append(("energy", _around(report.energy)))
    for name, values, unit in (
        ("force", report.force, "eV/Å"),
        ("stress", report.stress, "eV/Å³ (mean of diagonal)"),
        ("shortest distance", report.shortest, "Å"),
        ("density", report.density, "g/cm³"),
    ):
        if values is not None:
            rows.append((name, f"{values.low:.4g} to {values.high:.4g}, mean {values.mean:.4g} {unit}"))
    return rows


def _around(energy: Range) -> str:
    """Tell energies per atom: how they differ matters, also where all electrons count."""
    digits = 1 if abs(energy.mean) >= 100.0 else 3
    low, high = energy.low - energy.mean, energy.high - energy.mean
    return f"mean {energy.mean:.{digits}f} eV/atom, {low:+.3f} to {high:+.3f} around it"


def _keys(report: DataReport) -> str:
    unusual = [f"{label} from {', '.join(names)}" for label, names in report.keys.items() if names != [label]]
    return f" ({'; '.join(unusual)})" if unusual else ""


def _print_findings(report: DataReport, console: Any) -> None:
    from rich.text import Text

    styles = {"error": "bold red", "warning": "yellow", "note": "cyan"}
    if not report.findings:
        console.print(Text("nothing suspicious found", style="green"))
    for finding in report.findings:
        line = Text(f"{finding.level}: ", style=styles[finding.level])
        line.append(finding.message, style="default")
        if finding.frames:
            line.append(f" ({name_frames(finding.frames)})", style="dim")
        console.print(line)
