"""Time one peer in this process: a request in JSON as argument, the answer as a line of JSON.

The box is that of the request. Times are CPU seconds per call and atom (or center).
"""

import json
import math
import os
import sys
import time
from importlib import metadata

import numpy as np

os.environ["TORCHANI_NO_WARN_EXTENSIONS"] = "1"


def repeat(work, n_atoms, repeats):
    work()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append((time.process_time() - start) / n_atoms)
    return times


def box(request):
    from ase import Atoms

    symbols = ["HO"[s] for s in request["species"]]
    return Atoms(symbols, positions=request["positions"], cell=[request["length"]] * 3, pbc=True)


def dscribe(request):
    """ACSF with as many functions as ours; values, and derivatives by the neighbors of a center."""
    from dscribe.descriptors import ACSF

    etas = np.geomspace(0.003, 2.0, 17)
    angles = [(0.005 * 2**i, zeta, sign) for i in range(5) for zeta in (1, 2, 4, 16) for sign in (1, -1)][:39]
    acsf = ACSF(
        species=["H", "O"],
        r_cut=request["cutoff"],
        g2_params=[[eta, 0.0] for eta in etas],
        g4_params=[list(angle) for angle in angles],
        periodic=True,
    )
    atoms = box(request)
    centers = list(range(min(len(atoms), request["centers"])))
    values = repeat(lambda: acsf.create(atoms, centers=centers), len(centers), request["repeats"])
    # numerical: every displaced atom costs six evaluations, so a few tell what all neighbors cost
    displaced = list(range(1, 5))
    some = repeat(
        lambda: acsf.derivatives(atoms, centers=[0], include=displaced, attach=True), len(displaced), 2
    )
    both = [time * request["neighbors"] for time in some]
    return {"functions": acsf.get_number_of_features(), "values": values, "derivatives": both}


def torchani(request):
    """Energy and forces of the ANI-2x architecture, 8 networks, weights random."""
    import torch
    from torchani.arch import Assembler

    torch.set_num_threads(1)
    torch.manual_seed(0)
    assembler = Assembler(periodic_table_index=True)
    assembler.set_symbols(("H", "C", "N", "O", "S", "F", "Cl"))
    assembler.set_global_cutoff_fn("cosine")
    assembler.set_aev_computer(radial="ani2x", angular="ani2x", strategy="pyaev")
    assembler.set_atomic_networks(ctor="ani2x")
    assembler.set_neighborlist(request["neighborlist"])
    assembler.set_zeros_as_self_energies()
    model = assembler.assemble(8).to(torch.float32)
    model.requires_grad_(False)
    atoms = box(request)
    numbers = torch.tensor(atoms.numbers)[None]
    positions = torch.tensor(atoms.positions, dtype=torch.float32)[None].requires_grad_(True)
    cell, periodic = torch.tensor(atoms.cell.array, dtype=torch.float32), torch.tensor([True] * 3)

    def work():
        energy = model((numbers, positions), cell=cell, pbc=periodic).energies.sum()
        return torch.autograd.grad(energy, positions)[0]

    return {"values": repeat(work, len(atoms), request["repeats"])}


def write_nep(path, sizes):
    """Write a NEP4 file of H and O with random weights; sizes: cutoffs, n_max, basis, l_max, neurons."""
    (n_r, n_a), (b_r, b_a), (l3, l4, l5), neurons = sizes["n"], sizes["basis"], sizes["l"], sizes["neurons"]
    n_l = l3 + (l4 > 0) + (l5 > 0)
    dim = n_r + 1 + (n_a + 1) * n_l
    n_weights = (dim + 2) * neurons * 2 + 1 + 4 * ((n_r + 1) * (b_r + 1) + (n_a + 1) * (b_a + 1))
    rng = np.random.default_rng(0)
    lines = ["nep4 2 H O", f"cutoff {sizes['cutoff'][0]} {sizes['cutoff'][1]} 400 200"]
    lines += [f"n_max {n_r} {n_a}", f"basis_size {b_r} {b_a}", f"l_max {l3} {l4} {l5}", f"ANN {neurons} 0"]
    lines += [f"{w:.7e}" for w in rng.normal(scale=0.05, size=n_weights)] + ["1.0"] * dim
    with open(path, "w") as file:
        file.write("\n".join(lines) + "\n")


def nep(request):
    """Energy, forces and virial; the neighbor list is part of every call."""
    import _nepy

    write_nep(request["file"], request["sizes"])
    atoms = box(request)
    potential = _nepy.NEPY(
        request["file"],
        len(atoms),
        list(atoms.cell.array.T.flatten()),
        atoms.get_chemical_symbols(),
        list(atoms.positions.T.flatten()),
        list(atoms.get_masses()),
    )
    energy = np.sum(potential.get_potential_forces_and_virials()[0])
    if not math.isfinite(energy):
        raise ValueError("the energy is not finite")
    return {"values": repeat(potential.get_potential_forces_and_virials, len(atoms), request["repeats"])}


DISTRIBUTIONS = {"nep": "calorine"}


def main():
    request = json.loads(sys.argv[1])
    name = request["peer"]
    answer = {"dscribe": dscribe, "torchani": torchani, "nep": nep}[name](request)
    answer["version"] = metadata.version(DISTRIBUTIONS.get(name, name))
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
