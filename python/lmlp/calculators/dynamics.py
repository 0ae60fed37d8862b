"""Integrators of ``lmlp md``: ASE's velocity Verlet and Langevin, and a barostat without hidden state.

A run consists of positions, momenta, cell and the random generator, nothing else: it can be continued to the
same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.md.langevin import Langevin
from ase.md.md import MolecularDynamics
from ase.md.velocitydistribution import Stationary, ZeroRotation
from ase.md.verlet import VelocityVerlet

from lmlp.errors import InvalidArgumentError

ENSEMBLES = ("nve", "nvt", "npt")


@dataclass(frozen=True)
class Thermodynamics:
    """What the run samples.

    Attributes:
        ensemble: ``nve``, ``nvt`` or ``npt``.
        temperature: K.
        pressure: bar; only ``npt``.
        timestep: fs.
        thermostat_time: 1/friction in fs; ``nvt`` and ``npt``.
        barostat_time: relaxation time of the pressure in fs.
        compressibility: isothermal, 1/GPa; with ``barostat_time`` it only sets the speed of the barostat.
    """

    ensemble: str = "nvt"
    temperature: float = 300.0
    pressure: float = 1.0
    timestep: float = 0.5
    thermostat_time: float = 100.0
    barostat_time: float = 1000.0
    compressibility: float = 0.05

    def __post_init__(self) -> None:
        if self.ensemble not in ENSEMBLES:
            raise InvalidArgumentError(f"ensemble {self.ensemble!r} is not one of {', '.join(ENSEMBLES)}")
        for name in ("timestep", "thermostat_time", "barostat_time", "compressibility"):
            value = getattr(self, name)
            if not (value > 0.0 and np.isfinite(value)):
                raise InvalidArgumentError(f"{name} = {value}: give a positive number")
        if self.timestep > 1000.0:
            raise InvalidArgumentError(f"timestep = {self.timestep} fs: give at most 1000 fs")
        if not (self.temperature >= 0.0 and np.isfinite(self.temperature)):
            raise InvalidArgumentError(
                f"temperature = {self.temperature} K: give a number that is not negative"
            )
        if not np.isfinite(self.pressure):
            raise InvalidArgumentError(f"pressure = {self.pressure} bar: give a finite number")


def _thermostat(conditions: Thermodynamics, rng: np.random.Generator) -> dict[str, Any]:
    """Return the arguments of ASE's Langevin dynamics."""
    return {
        "timestep": conditions.timestep * units.fs,
        "temperature_K": conditions.temperature,
        "friction": 1.0 / (conditions.thermostat_time * units.fs),
        "fixcm": False,
        "rng": rng,
    }


class StochasticCellRescaling(Langevin):
    """Langevin dynamics with an isotropic stochastic barostat: samples the NPT ensemble.

    After each step ln V moves by −(β/τ)(P₀ − P) dt + √(2 k_B T β dt/(V τ)) ξ; positions and cell are scaled,
    momenta inversely. P is the instantaneous pressure, kinetic part included; nothing has a memory. Source:
    Bernetti, Bussi, J. Chem. Phys. 2020, 153, 114107 (doi 10.1063/5.0020514).

    Args:
        atoms: with a three-dimensional periodic cell.
        conditions: temperature, pressure, times.
        rng: numpy random generator.
    """

    def __init__(self, atoms: Atoms, conditions: Thermodynamics, rng: np.random.Generator) -> None:
        if atoms.cell.rank != 3 or not atoms.pbc.all():
            raise InvalidArgumentError("npt needs a cell that is periodic in three dimensions")
        super().__init__(atoms, **_thermostat(conditions, rng))
        self._pressure = conditions.pressure * units.bar
        self._rate = conditions.compressibility / units.GPa / (conditions.barostat_time * units.fs)

    def step(self, forces: np.ndarray | None = None) -> np.ndarray:
        """Make one Langevin step, then rescale."""
        super().step(forces)
        self._rescale()
        return np.asarray(self.atoms.get_forces(md=True))

    def _rescale(self) -> None:
        atoms = self.atoms
        volume = float(atoms.get_volume())
        kinetic = 2.0 * float(atoms.get_kinetic_energy()) / (3.0 * volume)
        pressure = kinetic - float(np.mean(atoms.get_stress()[:3]))
        noise = np.sqrt(2.0 * self.temp * self._rate * self.dt / volume) * self.rng.standard_normal()
        change = -self._rate * (self._pressure - pressure) * self.dt + noise
        if not abs(change) < 0.3:
            raise InvalidArgumentError(
                f"the barostat would change the volume by a factor {np.exp(change):.3g} in one step "
                f"(pressure {pressure / units.bar:.3g} bar): relax the structure, or raise the barostat time"
            )
        factor = np.exp(change / 3.0)
        atoms.set_cell(atoms.cell.array * factor, scale_atoms=True)
        atoms.set_momenta(atoms.get_momenta() / factor)


def make_dynamics(atoms: Atoms, conditions: Thermodynamics, rng: np.random.Generator) -> MolecularDynamics:
    """Make the integrator of an ensemble."""
    if conditions.ensemble == "nve":
        return VelocityVerlet(atoms, conditions.timestep * units.fs)
    if conditions.ensemble == "npt":
        return StochasticCellRescaling(atoms, conditions, rng)
    return Langevin(atoms, **_thermostat(conditions, rng))


def draw_velocities(atoms: Atoms, temperature: float, rng: np.random.Generator) -> None:
    """Draw velocities of a temperature (K); no total momentum, no rotation of what is not periodic."""
    width = np.sqrt(units.kB * temperature * atoms.get_masses())
    atoms.set_momenta(width[:, None] * rng.standard_normal((len(atoms), 3)))
    if len(atoms) > 1:
        Stationary(atoms, preserve_temperature=True)
        if not atoms.pbc.any() and len(atoms) > 2:
            ZeroRotation(atoms, preserve_temperature=True)


def generator_state(rng: np.random.Generator) -> dict[str, Any]:
    """Return the state of a generator as JSON data."""
    return dict(rng.bit_generator.state)
