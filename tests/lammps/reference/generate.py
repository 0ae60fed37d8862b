"""Writes the numbers of the YAML files beside this one anew: after a change that means to change them.

    python tests/lammps/reference/generate.py              # all files
    python tests/lammps/reference/generate.py lmlp.yaml

Before numbers are written, those of the bare styles are compared with the reference potential (plain torch),
which shares no code with what LAMMPS runs. The model, weights at random, is made where there is none.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import date
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))

from lmlp import _core  # noqa: E402
from lmlp.descriptor.presets import make_preset  # noqa: E402
from lmlp.export.model_file import read_model_file  # noqa: E402
from lmlp.export.random_model import RandomModelOptions, random_model  # noqa: E402
from lmlp.export.reference_potential import reference_results  # noqa: E402
from lmlp.export.writing import write_model_file  # noqa: E402
from lmlp.neighbors import find_neighbors  # noqa: E402
from yaml_reference import ORDER, QUANTITIES, read_reference, run_reference, write_reference  # noqa: E402

ELEMENTS = ["H", "C", "O"]


def make_model(path: Path) -> None:
    """Write a small model with random weights."""
    descriptor = make_preset("eeacsf-153", ELEMENTS, cutoff=4.0)
    descriptor["functions"] = descriptor["functions"][::10]
    options = RandomModelOptions(
        n_members=2, hidden_layers=(4,), seed=1, energy_rmse=0.005, force_rmse=0.01, n_atoms=24
    )
    write_model_file(random_model(descriptor, ELEMENTS, options), path, verify=False)


def read_crystal(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Species, positions and cell of a data file of this folder."""
    head, _, atoms = path.read_text().partition("Atoms")
    bounds = {
        line.split()[-1]: [float(w) for w in line.split()[:3] if w[0] in "-0123456789"]
        for line in head.splitlines()
        if line.endswith(("hi", "yz"))
    }
    tilt = bounds.get("yz", [0.0, 0.0, 0.0])
    cell = np.diag([bounds[f"{a}hi"][1] for a in "xyz"])
    cell[1, 0], cell[2, 0], cell[2, 1] = tilt
    rows = np.array([line.split()[:5] for line in atoms.splitlines()[1:] if line.strip()], dtype=float)
    return rows[:, 1].astype(int) - 1, rows[:, 2:], cell


def check_forces(found: np.ndarray, input_file: str, unit: float) -> None:
    """Compare the forces of a bare style with the reference potential."""
    data = read_model_file(FOLDER / "reference.pt")
    crystal = "triclinic" if "triclinic" in input_file else "orthogonal"
    species, positions, cell = read_crystal(FOLDER / f"{crystal}.data")
    pairs = find_neighbors(positions, cell, [True] * 3, data.descriptor["cutoff"])
    gradients = reference_results(data, pairs, species).pair_gradients.mean(0)
    forces = np.zeros_like(positions)
    np.add.at(forces, pairs.centers, gradients)
    np.add.at(forces, pairs.neighbors, -gradients)
    np.testing.assert_allclose(found / unit, forces, rtol=0, atol=1e-9)


def main() -> None:
    """Write the files named, or all."""
    if not (FOLDER / "reference.pt").exists():
        make_model(FOLDER / "reference.pt")
    for path in [FOLDER / name for name in sys.argv[1:]] or sorted(FOLDER.glob("*.yaml")):
        reference = {key: value for key, value in read_reference(path).items() if key not in ORDER}
        with tempfile.TemporaryDirectory() as folder:
            states = run_reference(reference, Path(folder))
        if "hybrid" not in reference["pair_style"]:
            unit = 23.060547830619026 if "real" in reference["input_file"] else 1.0
            check_forces(states["init"].forces, reference["input_file"], unit)
        reference["date_generated"] = date.today().isoformat()
        reference["instruction_set"] = _core.instruction_set()
        reference["natoms"] = len(states["init"].forces)
        for when in ("init", "run"):
            for name in QUANTITIES:
                reference[f"{when}_{name}"] = getattr(states[when], name)
        write_reference(reference, path)


if __name__ == "__main__":
    main()
