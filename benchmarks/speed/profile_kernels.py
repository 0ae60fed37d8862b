"""Where the time of an evaluation goes, function by function: perf samples of a build with line tables."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from common import FOLDER, Options, Pairs, Table, make_water, write_model

ROOT = FOLDER.parents[1]
# Arithmetic on short vectors: its time belongs to who asked for it.
PRIMITIVES = ("vec.hpp", "reals.hpp", "buffer.hpp", "avx512", "avxintrin", "emmintrin", "stl_", "bits/")


def build(options: Options) -> Path:
    """Build the core with line tables, and the driver."""
    folder = options.folder / "profile-build"
    flags = ["-DLMLP_BUILD_PYTHON=OFF", "-DLMLP_BUILD_LAMMPS_PLUGIN=OFF", "-DCMAKE_CXX_FLAGS=-g1"]
    python = [f"-DPython_EXECUTABLE={sys.executable}", f"-DPython3_EXECUTABLE={sys.executable}"]
    for command in (
        ["cmake", "-S", str(ROOT), "-B", str(folder), *flags, *python],
        ["cmake", "--build", str(folder), "--target", "lmlp_core", "-j", "2"],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    library = next(folder.rglob("liblmlp_core.a"))
    driver = folder / "profile_driver"
    include = str(ROOT / "csrc" / "include")
    source = str(FOLDER / "profile_driver.cpp")
    compile_and_link = [
        "c++",
        "-std=c++17",
        "-O2",
        "-no-pie",
        "-fopenmp",
        "-I",
        include,
        source,
        str(library),
    ]
    subprocess.run([*compile_and_link, "-o", str(driver)], check=True)
    return driver


def write_pairs(pairs: Pairs, path: Path) -> None:
    with path.open("wb") as file:
        np.array([len(pairs.center_species), len(pairs.vectors)], dtype=np.int64).tofile(file)
        for array in pairs.arrays():
            np.ascontiguousarray(array).tofile(file)


def sample(driver: Path, model: Path, pairs: Path, seconds: float) -> Counter[tuple[str, str]]:
    """Samples by (file, function); what is not ours by (library, symbol)."""
    data = pairs.with_suffix(".perf")
    # the first half second, in which the model is read, is left out
    record = ["perf", "record", "-q", "-D", "500", "-F", "2500", "-o", str(data)]
    record += [str(driver), str(model), str(pairs)]
    subprocess.run([*record, str(seconds)], check=True, capture_output=True)
    script = subprocess.run(
        ["perf", "script", "-i", str(data), "-F", "ip,sym,dso"], check=True, capture_output=True, text=True
    ).stdout
    addresses: Counter[str] = Counter()
    found: Counter[tuple[str, str]] = Counter()
    for line in script.splitlines():
        words = line.split(maxsplit=1)
        if len(words) < 2:
            continue
        library = Path(words[1].rsplit("(", 1)[-1].rstrip(")")).name
        if library == driver.name:
            addresses[words[0]] += 1
        else:
            found[library, words[1].rsplit("(", 1)[0].strip()] += 1
    for address, place in zip(addresses, places(driver, list(addresses)), strict=True):
        found[place] += addresses[address]
    return found


def places(driver: Path, addresses: list[str]) -> list[tuple[str, str]]:
    """(file, function) of each address: of the inlined functions the innermost that is no primitive."""
    text = subprocess.run(
        ["addr2line", "-e", str(driver), "-a", "-f", "-i", "-C"],
        input="\n".join(addresses),
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    answers: list[list[str]] = []
    for line in text.splitlines():
        if line.startswith("0x"):
            answers.append([])
        else:
            answers[-1].append(line)
    found = []
    for lines in answers:
        chain = [(at.split(":")[0], name) for name, at in zip(lines[::2], lines[1::2], strict=True)]
        ours = [c for c in chain if "??" not in c[0] and not any(p in c[0] for p in PRIMITIVES)]
        file, name = (ours or chain)[0]
        # a lambda is told by its caller's name
        named = [n for _, n in ours if not n.startswith("operator")]
        found.append((Path(file).name, short(named[0] if named else name)))
    return found


def short(name: str) -> str:
    """Name without namespaces, template arguments and parameters."""
    depth, kept = 0, ""
    for character in name.replace("(anonymous namespace)", "anonymous"):
        depth += character in "<("
        kept += character if depth == 0 else ""
        depth -= character in ">)"
    words = kept.split("[clone")[0].strip().split(" ")[-1]
    return words.split("::")[-1]


def profile_table(title: str, samples: Counter[tuple[str, str]]) -> Table:
    table = Table(title, ["file", "share", "functions"])
    total = sum(samples.values())
    by_file: Counter[str] = Counter()
    for (file, _), n in samples.items():
        by_file[file] += n
    for file, n in by_file.most_common():
        if n < 0.01 * total:
            break
        inside = Counter({name: k for (f, name), k in samples.items() if f == file})
        named = [f"{name} {100 * k / total:.1f} %" for name, k in inside.most_common(6) if k >= 0.005 * total]
        table.rows.append([file, f"{100 * n / total:.1f} %", ", ".join(named)])
    table.notes.append(f"{total} samples.")
    return table


def run(options: Options) -> list[Table]:
    missing = [tool for tool in ("perf", "addr2line", "cmake", "c++") if shutil.which(tool) is None]
    if missing:
        return [Table("", [], notes=[f"Not measured: {', '.join(missing)} missing."])]
    driver = build(options)
    water = make_water(options.molecules)
    cutoff = options.cutoffs[-1]
    pairs = options.folder / "pairs.bin"
    write_pairs(water.pairs(cutoff), pairs)
    tables = []
    for members in (1, 10):
        model = write_model(options, cutoff, members)
        title = f"E + F, {members} member{'s' if members > 1 else ''}, R_c {cutoff} Å"
        tables.append(profile_table(title, sample(driver, model, pairs, 1.0 if options.quick else 8.0)))
    return tables
