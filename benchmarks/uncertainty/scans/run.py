"""Walk from the training data to nonsense and see whether the model's warnings keep up with its errors.

    python benchmarks/uncertainty/scans/run.py [--system molecule water …] [--seed 1] [--members 4]

Makes the training data (GFN2-xTB: water clusters, diamond; those of the molecule lie in examples/data; those
of acetylacetone are read from $LMLP_DATA, else from ../shared/data beside the repository), trains an ensemble
of each (model.yaml), labels the structures of every path (paths.py), and writes scans.md and scans.png.
Everything that is there is used again. Needs the extra `reference` (tblite). About half an hour of one core.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before tblite: sums in one order

import numpy as np
from evaluate import Scan, evaluate
from paths import Path as ScanPath
from paths import crystal_paths, dimer_paths, molecule_paths, public_paths, water_paths
from plots import plot
from systems import make_data, public_data, start
from verdict import ALONE, LARGE, THRESHOLD, judge

HERE = Path(__file__).resolve().parent
PATHS: dict[str, Callable[[], list[ScanPath]]] = {
    "molecule": lambda: molecule_paths(start("molecule")) + dimer_paths("molecule", "HCNO"),
    "water": lambda: water_paths(start("water")) + dimer_paths("water", "HO"),
    "diamond": lambda: crystal_paths(start("diamond")) + dimer_paths("diamond", "C"),
    "acac": lambda: public_paths(public_data()),
}


WARNINGS = (("combined", THRESHOLD), ("grades", THRESHOLD), ("distances", THRESHOLD), ("distances", ALONE))


def train(system: str, folder: Path, options: list[str]) -> Path:
    """Return the model of a system, trained where it is not there yet."""
    model = folder / system / "model.pt"
    if not model.exists():
        data = make_data(system, model.parent)
        model.parent.mkdir(parents=True, exist_ok=True)
        arguments = ["train", HERE / "model.yaml", "--data", data, "-o", model, *options]
        subprocess.run([sys.executable, "-m", "lmlp", *map(str, arguments)], check=True)
    return model


def kinds(scan: Scan) -> dict[str, np.ndarray]:
    """Errors of the quantities that have labels."""
    errors = {"F": scan.force_errors, "E": scan.energy_errors}
    return {kind: e for kind, e in errors.items() if np.isfinite(e).all()}


def table(scans: list[Scan]) -> str:
    """Markdown: largest errors of each path, and those that what warns does not see."""
    heads = ["path", "largest error", "unseen", "… by the grade alone", "… by the distance alone"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for scan in scans:
        row = [f"{scan.title}"]
        row.append(", ".join(f"{kind} {e.max():.3g}" for kind, e in kinds(scan).items()))
        for warnings in (scan.combined, scan.grades, scan.distances):
            cells = []
            for kind, errors in kinds(scan).items():
                verdict = judge(errors, warnings)
                text = f"{kind} {verdict.unseen:.2g}"
                cells.append(f"**{text}**" if verdict.silent else text)
            row.append(", ".join(cells))
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def summary(scans: list[Scan]) -> str:
    """Markdown: silent failures and late warnings, by quantity."""
    heads = [
        "errors of",
        "paths",
        "with large errors",
        "warning",
        "silent failures",
        "late",
        "largest unseen",
    ]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for kind, quantity in (("F", "forces"), ("E", "energies")):
        known = [s for s in scans if kind in kinds(s)]
        large = sum(bool((kinds(s)[kind] > LARGE).any()) for s in known)
        for name, threshold in WARNINGS:
            verdicts = [judge(kinds(s)[kind], getattr(s, name), threshold) for s in known]
            silent, late = sum(v.silent for v in verdicts), sum(v.late for v in verdicts)
            worst = max((v.unseen for v in verdicts), default=0.0)
            label = f"{name.removesuffix('s')} > {threshold:g}"
            lines.append(
                f"| {quantity} | {len(known)} | {large} | {label} | {silent} | {late} | {worst:.2g} |"
            )
    labels, failed = sum(len(s.values) for s in scans), sum(s.failed for s in scans)
    beyond = max(float((s.force_errors / s.grades).max()) for s in scans if "F" in kinds(s))
    notes = (
        f"{labels} structures; for {failed} more the reference did not converge. "
        f"Errors of forces are up to {beyond:.2g} times σ."
    )
    return "\n".join(lines) + "\n\n" + notes


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--system", nargs="+", choices=list(PATHS), default=list(PATHS))
    parser.add_argument("--members", default="4")
    parser.add_argument("--seed", default="1", help="of the training; another one needs another output")
    parser.add_argument("--output", type=Path, default=HERE.parents[2] / "build" / "scans")
    options = parser.parse_args()
    labels = options.output / "labels"
    labels.mkdir(parents=True, exist_ok=True)
    scans = []
    for system in options.system:
        model = train(system, options.output, ["--members", options.members, "--seed", options.seed])
        scans += [evaluate(path, model, labels) for path in PATHS[system]()]
    page = f"{summary(scans)}\n\n{table(scans)}\n"
    (options.output / "scans.md").write_text(page, encoding="utf-8")
    plot(scans, options.output / "scans.png")
    print(page)


if __name__ == "__main__":
    main()
