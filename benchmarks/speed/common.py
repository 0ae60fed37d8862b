"""What every topic uses: the box of water, models of the size of `lmlp init`, timing, tables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

MOLAR_MASS, AVOGADRO = 18.01528, 0.602214076  # g/mol; molecules per mol and A^3/cm^3, in 1e24
HIDDEN = (102, 61, 44)
N_AXES = 64  # of distances from the training data
FOLDER = Path(__file__).resolve().parent
MASSES = {"H": 1.008, "O": 15.999}


@dataclass(frozen=True)
class Options:
    """How a topic is measured."""

    folder: Path  # of models, inputs and results
    repeats: int = 9
    quick: bool = False  # the smallest form: proves that it runs, its numbers mean nothing
    peer_python: str = sys.executable

    @property
    def molecules(self) -> int:
        return 27 if self.quick else 216

    @property
    def cutoffs(self) -> tuple[float, ...]:
        return (4.0,) if self.quick else (5.0, 6.35)


@dataclass
class Table:
    """One table of the report, cells as text."""

    title: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        lines = [f"**{self.title}**", ""] if self.title else []
        if self.rows:
            lines += ["| " + " | ".join(self.columns) + " |", "|" + "---|" * len(self.columns)]
            lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join(lines + [line for note in self.notes for line in ("", note)])

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Timing:
    """Times of the repeats, microseconds per atom."""

    times: list[float]

    @property
    def median(self) -> float:
        return float(np.median(self.times))

    @property
    def best(self) -> float:
        return min(self.times)

    def text(self) -> str:
        return f"{self.median:.2f} ({min(self.times):.2f}–{max(self.times):.2f})"


def measure(
    work: Callable[[], Any],
    n_atoms: int,
    repeats: int,
    clock: Callable[[], float] = time.process_time,
) -> Timing:
    """Time `work` after one warm-up; each repeat lasts at least 20 ms. CPU time unless told otherwise."""
    work()
    start = clock()
    work()
    calls = max(1, int(np.ceil(0.02 / max(clock() - start, 1e-6))))
    times = []
    for _ in range(repeats):
        start = clock()
        for _ in range(calls):
            work()
        times.append((clock() - start) / calls / n_atoms * 1e6)
    return Timing(times)


@dataclass(frozen=True)
class Water:
    """A cubic box of water; species 0 is H, 1 is O."""

    positions: np.ndarray
    species: np.ndarray
    length: float

    @property
    def n_atoms(self) -> int:
        return len(self.species)

    @property
    def cell(self) -> np.ndarray:
        return np.eye(3) * self.length

    def pairs(self, cutoff: float) -> Pairs:
        from lmlp import _core

        offsets, neighbors, _, vectors = _core.find_neighbors(
            self.positions, self.cell, np.array([True] * 3), cutoff
        )
        return Pairs(offsets, self.species, self.species[neighbors], vectors)


@dataclass(frozen=True)
class Pairs:
    """A full pair list as the core takes it."""

    offsets: np.ndarray
    center_species: np.ndarray
    neighbor_species: np.ndarray
    vectors: np.ndarray

    @property
    def per_center(self) -> float:
        return len(self.vectors) / len(self.center_species)

    def arrays(self) -> tuple[np.ndarray, ...]:
        return self.offsets, self.center_species, self.neighbor_species, self.vectors


def make_water(n_molecules: int, seed: int = 0) -> Water:
    """Place rigid molecules in random orientation on a grid with random shifts, at 1 g/cm3."""
    rng = np.random.default_rng(seed)
    length = (n_molecules * MOLAR_MASS / AVOGADRO) ** (1 / 3)
    side = int(np.ceil(n_molecules ** (1 / 3) - 1e-9))
    grid = np.array(list(np.ndindex(side, side, side)))[:n_molecules]
    angle = np.deg2rad(104.52)
    molecule = 0.9572 * np.array([[0.0, 0, 0], [1, 0, 0], [np.cos(angle), np.sin(angle), 0]])
    positions = []
    for cell in grid:
        rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        origin = (cell + 0.5) * length / side + rng.uniform(-0.2, 0.2, 3)
        positions.append(origin + molecule @ rotation)
    return Water(np.concatenate(positions), np.tile([1, 0, 0], n_molecules).astype(np.int32), length)


def write_model(
    options: Options, cutoff: float, members: int, elements: Sequence[str] = ("H", "O"), n_rows: int = 0
) -> Path:
    """Write an `lmlp init`-like model with random weights; n_rows: only so many functions, evenly chosen."""
    from lmlp.descriptor.presets import make_preset
    from lmlp.export.random_model import RandomModelOptions, random_model
    from lmlp.export.writing import write_model_file

    spec = make_preset("eeacsf-153", list(elements), cutoff)
    if n_rows:
        chosen = np.linspace(0, len(spec["functions"]) - 1, n_rows).round().astype(int)
        spec = {**spec, "functions": [spec["functions"][i] for i in chosen]}
    path = options.folder / f"model-{len(elements)}-{cutoff}-{members}-{n_rows}.pt"
    model = random_model(spec, list(elements), RandomModelOptions(n_members=members, hidden_layers=HIDDEN))
    write_model_file(_with_distance(model), path, verify=False)
    return path


def _with_distance(model: Any) -> Any:
    """Add a distance from the training data with as many axes as training gives it."""
    lead, n = (len(model.elements), N_AXES), model.n_features
    axes = np.random.default_rng(1).normal(size=(*lead, n)) / np.sqrt(n)
    return replace(
        model,
        distance={"quantile": 0.999, "atoms": {}},
        distance_shift=model.shift[0],
        distance_scale=model.scale[0] / np.sqrt(n),
        distance_axes=axes / np.sqrt(N_AXES),
    )


def run_program(python: str, program: str, request: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Run a program beside this file with a request in JSON; its last line of output is the answer."""
    launcher = options.pop("launcher", [])
    threads = str(options.pop("threads", 1))
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
    done = subprocess.run(
        [*launcher, python, str(FOLDER / program), json.dumps(request)],
        env={**os.environ, **single},
        capture_output=True,
        text=True,
        **options,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        reasons = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        errors = [line for line in reasons if "ERROR" in line] or reasons[-1:]
        return {"failed": errors[0][:200] if errors else f"exit status {done.returncode}"}
    return dict(json.loads(lines[-1]))
