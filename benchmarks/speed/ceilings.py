"""What this core can do: loops of ceilings.cpp, and matrix products of the sizes of the networks' layers."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from common import FOLDER, HIDDEN, Options, Table, measure
from lmlp import _core

# Compiler flags and bytes of a vector for the kernels in use.
LEVELS = {"x86-64-v2": 16, "x86-64-v3": 32, "x86-64-v4": 64}


@dataclass(frozen=True)
class Ceilings:
    """Rates of one core. `products`: by precision and (rows, columns, members) of a layer's weights."""

    fma: dict[str, float]  # GFLOP/s
    exp: dict[str, float]  # ns per element
    tanh: dict[str, float]
    memory: float  # GB/s
    products: dict[str, dict[tuple[int, int], tuple[float, float]]]  # GFLOP/s forward, transposed


def compile_flags() -> list[str]:
    level = _core.instruction_set()
    if level not in LEVELS:
        return ["-DVECTOR_BYTES=16"]
    flags = [f"-march={level}", f"-DVECTOR_BYTES={LEVELS[level]}"]
    return [*flags, "-mprefer-vector-width=512"] if level == "x86-64-v4" else flags


def run_loops(options: Options, sizes: list[int]) -> dict[str, float]:
    """Compile and run the loops."""
    compiler = next((c for c in ("c++", "g++", "clang++") if shutil.which(c)), None)
    if compiler is None:
        raise SystemExit("a C++ compiler is needed: none of c++, g++, clang++ is there")
    program = options.folder / "ceilings"
    source = str(FOLDER / "ceilings.cpp")
    common = ["-std=c++17", "-O3", "-fno-math-errno", "-Wno-psabi", "-o", str(program)]
    subprocess.run([compiler, *compile_flags(), *common, source], check=True)
    megabytes = "24" if options.quick else "384"
    text = subprocess.run(
        [program, str(options.repeats), megabytes, *map(str, sizes)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return {line.split()[0]: float(line.split()[1]) for line in text.splitlines()}


def product_rate(n_rows: int, n_in: int, n_out: int, precision: str, repeats: int) -> float:
    """GFLOP/s of the faster of numpy and torch for [n_rows, n_in] @ [n_in, n_out], one thread."""
    import torch

    torch.set_num_threads(1)
    kind = np.float64 if precision == "double" else np.float32
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(n_rows, n_in)).astype(kind), rng.normal(size=(n_in, n_out)).astype(kind)
    out = np.empty((n_rows, n_out), dtype=kind)
    ta, tb, tout = torch.from_numpy(a), torch.from_numpy(b), torch.from_numpy(out)
    flops = 2.0 * n_rows * n_in * n_out
    best = min(
        measure(lambda: np.matmul(a, b, out=out), 1, repeats).median,
        measure(lambda: torch.mm(ta, tb, out=tout), 1, repeats).median,
    )
    return flops / (best * 1e3)


def measure_ceilings(options: Options, n_features: int) -> Ceilings:
    layers = [n_features, *HIDDEN]
    loops = run_loops(options, layers)
    rows = 256 if options.quick else 2048

    def best(a: int, b: int, precision: str) -> float:
        libraries = product_rate(rows, a, b, precision, options.repeats)
        return max(libraries, loops[f"product_{precision}_{a}_{b}"])

    products = {
        precision: {(a, b): (best(a, b, precision), best(b, a, precision)) for a, b in pairwise(layers)}
        for precision in ("double", "single")
    }
    by_precision = {
        name: {p: loops[f"{name}_{p}"] for p in ("double", "single")} for name in ("fma", "exp", "tanh")
    }
    return Ceilings(by_precision["fma"], by_precision["exp"], by_precision["tanh"], loops["memory"], products)


def ceilings_table(ceilings: Ceilings) -> Table:
    table = Table("Ceilings of one core", ["", "double", "single"])
    table.rows.append(["multiply-add loop, GFLOP/s", *(f"{ceilings.fma[p]:.0f}" for p in ceilings.fma)])
    for (a, b), _ in ceilings.products["double"].items():
        for index, name in enumerate((f"{a} → {b}", f"{b} → {a}")):
            rates = [ceilings.products[p][a, b][index] for p in ("double", "single")]
            row = [f"matrix product {name}, GFLOP/s", *(f"{rate:.0f}" for rate in rates)]
            table.rows.append(row)
    for name, values in (("exp", ceilings.exp), ("tanh", ceilings.tanh)):
        table.rows.append([f"{name}, ns per element", *(f"{values[p]:.2f}" for p in ("double", "single"))])
    table.rows.append(["memory, GB/s", f"{ceilings.memory:.1f}", ""])
    table.notes.append(
        "Matrix products: the fastest of numpy, torch (2048 atoms) and a loop with all sums in registers "
        "and the operands in the caches."
    )
    return table
