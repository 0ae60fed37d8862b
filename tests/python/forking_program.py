"""Computes in a process and in processes made of it; prints a digest of everything that each computed.

Called by test_forking.py, as a module that every process can import.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import numpy as np

# A child that waits for threads that do not exist is ended after so many seconds; it needs one or two.
PATIENCE = 40
SYMBOLS = ("H", "C", "O")


def digest(arrays: list[np.ndarray]) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()[:16]


def structure(n_atoms: int = 300):
    """By default more atoms than one work item of the neighbor search has."""
    from tests.models import random_crystal

    return random_crystal(list(SYMBOLS), n_atoms)


def of_calculator(calculator) -> str:
    calculator.reset()
    calculator.reset_neighbors()
    # TorchScript is slow, and has tensors that are large enough for threads with fewer atoms
    atoms = structure(40 if calculator.parameters["backend"] == "torchscript" else 300)
    calculator.calculate(atoms, ["forces_uncertainty"])
    return digest([calculator.results[name] for name in sorted(calculator.results)])


def of_new_calculator(model: str, **options) -> str:
    from lmlp import LMLPCalculator

    return of_calculator(LMLPCalculator(model, **options))


def of_parts(threads: int = 0) -> str:
    """Digest neighbor lists, descriptor and stored derivatives, made and evaluated here."""
    from lmlp.descriptor.compute import Descriptor
    from lmlp.descriptor.jacobians import Jacobians
    from lmlp.descriptor.presets import make_preset
    from lmlp.neighbors import VerletList, find_neighbors

    atoms = structure()
    given = (atoms.positions, atoms.cell.array, atoms.pbc)
    descriptor = Descriptor(make_preset("eeacsf-153", list(SYMBOLS), 4.0), SYMBOLS)
    pairs = find_neighbors(*given, 4.0, n_threads=threads)
    verlet = VerletList(4.0).update(*given, n_threads=threads)
    kinds = np.arange(len(atoms)) % 3
    species = kinds[pairs.neighbors].astype(np.int32)
    features = descriptor.features(pairs, species, n_threads=threads)
    back = descriptor.backward(pairs, species, features, n_threads=threads)
    tangent = descriptor.tangent(pairs, species, pairs.vectors, n_threads=threads)
    stored = Jacobians(8, np.dtype(np.float64))
    rng = np.random.default_rng(0)
    for s in range(40):
        blocks = np.arange(20, dtype=np.int32)
        stored.add(s, np.array([0, 20]), blocks, rng.standard_normal((20, 3, 8)), 20)
    places, slots = stored.places(range(40)), np.arange(40)
    forces = stored.contract(places, slots, rng.standard_normal((40, 8)))
    inputs = stored.expand(places, slots, forces, 40)
    return digest([pairs.vectors, verlet.vectors, features, back, tangent, forces, inputs])


def everything(model: str, threads: int = 0) -> str:
    double = of_new_calculator(model, threads=threads)
    return double + of_new_calculator(model, precision="mixed", threads=threads) + of_parts(threads)


def in_child(work: Callable[[], str]) -> str:
    """Call a function in a fork of this process; returns what it returned there."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        signal.alarm(PATIENCE)
        status = 1
        try:
            os.write(writing, work().encode())
            status = 0
        except BaseException as error:
            os.write(writing, f"failed: {error!r}".encode())
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    _, status = os.waitpid(process, 0)
    return said or f"ended with status {status}"


def fork_after(model: str) -> list[str]:
    """Objects of the parent, and new ones, in a child of a parent that has computed with threads."""
    from lmlp import LMLPCalculator

    old = LMLPCalculator(model)
    mixed = LMLPCalculator(model, precision="mixed")
    here = of_calculator(old) + of_calculator(mixed) + of_parts()
    return [
        here,
        in_child(lambda: of_calculator(old) + of_calculator(mixed) + of_parts()),
        in_child(lambda: everything(model)),
        in_child(lambda: everything(model, 3)),
        in_child(lambda: in_child(lambda: everything(model))),
        of_calculator(old) + of_calculator(mixed) + of_parts(),
    ]


def fork_before(model: str) -> list[str]:
    import lmlp.calculators.ase

    assert lmlp.calculators.ase
    return [in_child(lambda: everything(model)), everything(model), in_child(lambda: everything(model))]


def import_in_child(model: str) -> list[str]:
    """Torch has made OpenMP's threads, which the core shares with it; the child loads the core."""
    import torch

    ones = torch.ones(1 << 20)
    assert float((ones * 2).sum()) == 2 << 20
    assert "lmlp._core" not in sys.modules
    return [in_child(lambda: everything(model)), everything(model)]


def fork_beside_threads(model: str) -> list[str]:
    """Fork again and again while other threads compute, and so hold every lock that there is."""
    from lmlp import LMLPCalculator
    from lmlp.neighbors import VerletList

    shared, verlet = LMLPCalculator(model, threads=2), VerletList(4.0)
    here = of_calculator(shared)
    atoms, small = structure(), structure()[:40]
    done = threading.Event()

    def compute() -> None:
        while not done.is_set():
            shared.get_property("forces", small)
            verlet.update(atoms.positions, atoms.cell.array, atoms.pbc)

    others = [threading.Thread(target=compute) for _ in range(2)]
    for other in others:
        other.start()

    def child() -> str:
        verlet.update(atoms.positions, atoms.cell.array, atoms.pbc)
        return of_calculator(shared)

    found = [in_child(child) for _ in range(8)]
    done.set()
    for other in others:
        other.join()
    return [here, *found]


def torchscript(model: str) -> list[str]:
    from lmlp import LMLPCalculator

    old = LMLPCalculator(model, backend="torchscript")
    here = of_calculator(old)
    return [
        here,
        in_child(lambda: of_calculator(old)),
        in_child(lambda: of_new_calculator(model, backend="torchscript")),
        in_child(lambda: in_child(lambda: of_calculator(old))),
        of_calculator(old),
    ]


def training(folder: str) -> list[str]:
    """Train in a child of a process that has trained; tensors are large enough for torch's threads."""
    from pathlib import Path

    import torch
    from lmlp.training import train

    from tests.python.training.toy import clusters, settings

    config = settings(
        Path(folder), clusters(12), model={"members": 2, "hidden": [200, 200]}, threads=2, epochs=2
    )

    def trained() -> str:
        model = train(config)
        return digest([*model.weights, *model.biases])

    ones = torch.ones(1 << 20)
    assert float((ones * 2).sum()) == 2 << 20
    return [trained(), in_child(trained)]


class Task:
    """A calculator that goes to another process with the work."""

    def __init__(self, calculator) -> None:
        self.calculator = calculator

    def __call__(self, number: int) -> str:
        return of_calculator(self.calculator) + of_parts()


def pool(model: str, kind: str) -> list[str]:
    from lmlp import LMLPCalculator

    task = Task(LMLPCalculator(model))
    found = [task(0)]
    context = multiprocessing.get_context(kind)
    with ProcessPoolExecutor(2, context, initializer=signal.alarm, initargs=(PATIENCE,)) as executor:
        found += executor.map(task, range(2))
    with context.Pool(1, initializer=signal.alarm, initargs=(PATIENCE,)) as workers:
        found += workers.map_async(task, range(1)).get(timeout=PATIENCE)
    return found


SCENARIOS: dict[str, Callable[[str], list[str]]] = {
    "fork_after": fork_after,
    "fork_before": fork_before,
    "import_in_child": import_in_child,
    "fork_beside_threads": fork_beside_threads,
    "torchscript": torchscript,
    "training": training,
    **{
        f"pool_{kind}": lambda model, kind=kind: pool(model, kind) for kind in ("fork", "spawn", "forkserver")
    },
}

if __name__ == "__main__":
    for line in SCENARIOS[sys.argv[1]](sys.argv[2]):
        print(line)
