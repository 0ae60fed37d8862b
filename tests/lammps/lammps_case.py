"""What the tests of the LAMMPS plugin share: the crystal, the models, and inputs made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lammps_run import LammpsResult, run_lammps, write_data

ELEMENTS = ["H", "C", "O"]
# Not the defaults: a mixture of the two factors would show. A small force error makes grades exceed 1.
ENERGY_FACTOR, FORCE_FACTOR = 1.7, 2.3
ENERGY_RMSE, FORCE_RMSE = 0.005, 0.01
CUTOFF = 4.0  # more than half of every height of the cell: images of one atom are met twice
KCAL_PER_EV = 1.602176634e-19 * 6.02214076e23 / 4184.0  # exact by definition of the SI and of the calorie
ENERGY_UNIT = {"metal": 1.0, "real": KCAL_PER_EV}
RUNS = [("metal", 1), ("metal", 2), ("metal", 4), ("real", 1), ("real", 2)]  # unit style, MPI ranks
FIELDS = "sigma_f 1 sigma_e 1 grade 1 ew 1"
DUMP = "dump_modify d sort id format float %.17g"
PRESSURES = " ".join(f"$({p}:%.17g)" for p in ("pxx", "pyy", "pzz", "pxy", "pxz", "pyz"))


@dataclass(frozen=True)
class Crystal:
    """A periodic structure with a lower-triangular cell, as LAMMPS wants it."""

    species: np.ndarray  # index into ELEMENTS; the LAMMPS type less one
    positions: np.ndarray
    cell: np.ndarray


@dataclass(frozen=True)
class Models:
    """Model files of the tests, by what they are."""

    many: Path  # 5 members (more than travel in one message), feature ranges, test errors
    other: Path  # another one
    single: Path  # one member
    bare: Path  # 2 members, neither ranges nor test errors
    mapped: Path  # `many` with spread maps and distances: format version 4
    far: Path  # `single` with distances, without test errors


@dataclass(frozen=True)
class Case:
    """Writes inputs for the crystal in a folder of its own."""

    folder: Path
    crystal: Crystal
    models: Models

    def header(self, units: str = "metal", length: float = 1.0, boundary: str = "p p p") -> str:
        """Return the lines before pair_style; ``length``: LAMMPS lengths per Å."""
        write_data(
            self.folder / f"{units}.data",
            self.crystal.species + 1,
            self.crystal.positions * length,
            self.crystal.cell * length,
            len(ELEMENTS),
        )
        return (
            f"units {units}\natom_style atomic\nboundary {boundary}\nbox tilt large\n"
            f"read_data {units}.data\nmass * 12.0\n"
        )

    def run(
        self,
        script: str,
        *,
        ranks: int = 1,
        check: bool = True,
        environment: Mapping[str, str] | None = None,
        options: str = "",
    ) -> LammpsResult:
        """Run LAMMPS in this folder."""
        return run_lammps(
            script, self.folder, ranks=ranks, check=check, environment=environment, options=options
        )

    def full_script(
        self, units: str = "metal", settings: str = "", model: Path | None = None, fields: str = FIELDS
    ) -> str:
        """Return an input that asks for everything the model (``many``) can give."""
        n_members = 5
        vector = " ".join(f"$(c_e[{k}]:%.17g)" for k in range(1, 9 + 2 * n_members))
        return self.header(units) + (
            f"pair_style lmlp {settings}\npair_coeff * * {model or self.models.many} {' '.join(ELEMENTS)}\n"
            "compute e all pair lmlp\ncompute pa all pe/atom\n"
            "compute st all stress/atom NULL virial\ncompute cs all centroid/stress/atom NULL virial\n"
            f"fix u all pair 1 lmlp {fields}\n"
            "dump d all custom 1 full.dump id type x y z fx fy fz c_pa c_st[*] c_cs[*] f_u[*]\n"
            f"{DUMP}\nthermo_style custom step pe press c_e[1]\nrun 0\n"
            f'print "energy: $(pe:%.17g)"\nprint "pressure: {PRESSURES}"\n'
            f'print "volume: $(vol:%.17g)"\nprint "vector: {vector}"\n'
        )
