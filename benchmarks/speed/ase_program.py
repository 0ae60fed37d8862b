"""Time the ASE calculator in this process: a request in JSON as argument, the answer as a line of JSON."""

import json
import sys
import time

from common import make_water
from lammps_program import peak


def main() -> None:
    request = json.loads(sys.argv[1])
    from ase import Atoms
    from lmlp.calculators.ase import LMLPCalculator

    water = make_water(request["molecules"])
    symbols = ["HO"[s] for s in water.species]
    atoms = Atoms(symbols, positions=water.positions, cell=water.cell, pbc=True)
    if "copies" in request:
        atoms *= request["copies"]
    else:  # a molecule without a cell
        atoms.set_pbc(False)
        atoms.set_cell(None)
    atoms.calc = LMLPCalculator(request["model"], threads=1)
    atoms.get_forces()
    times = []
    for _ in range(request["repeats"]):
        start = time.process_time()
        for _ in range(request["calls"]):
            atoms.positions[0, 0] += 1e-6  # the list is kept, as in most steps of dynamics
            atoms.get_forces()
        times.append((time.process_time() - start) / request["calls"])
    print(json.dumps({"cpu": times, "n_atoms": len(atoms), "peak_mb": peak()}), flush=True)


if __name__ == "__main__":
    main()
