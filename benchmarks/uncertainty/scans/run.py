"""Walk from the training data to nonsense and see whether the model's warnings keep up with its errors.

    python benchmarks/uncertainty/scans/run.py [--system molecule water diamond acac] [--output FOLDER]

Makes the training data (GFN2-xTB: water clusters, diamond; those of the molecule lie in examples/data; those
of acetylacetone are read from $LMLP_DATA, else from ../shared/data beside the repository), trains an ensemble
of each (model.yaml), labels the structures of every path (paths.py), and writes scans.md and scans.png.
Everything that is there is used again. Needs the extra `reference` (tblite). About 15 minutes of one core.
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
from evaluate import LARGE, THRESHOLD, Scan, evaluate, judge
from paths import Path as ScanPath
from paths import crystal_paths, dimer_paths, molecule_paths, public_paths, water_paths
from plots import plot
from systems import make_data, public_data, start

HERE = Path(__file__).resolve().parent
PATHS: dict[str, Callable[[], list[ScanPath]]] = {
    "molecule": lambda: molecule_paths(start("molecule")) + dimer_paths("molecule", "HCNO"),
    "water": lambda: water_paths(start("water")) + dimer_paths("water", "HO"),
    "diamond": lambda: crystal_paths(start("diamond")) + dimer_paths("diamond", "C"),
    "acac": lambda: public_paths(public_data()),
}


def train(system: str, folder: Path) -> Path:
    """Return the model of a system, trained where it is not there yet."""
    model = folder / system / "model.pt"
    if not model.exists():
        data = make_data(system, model.parent)
        model.parent.mkdir(parents=True, exist_ok=True)
        arguments = ["train", HERE / "model.yaml", "--data", data, "-o", model]
        subprocess.run([sys.executable, "-m", "lmlp", *map(str, arguments)], check=True)
    return model


def table(scans: list[Scan]) -> str:
    """Markdown: what warns how late, by path."""
    heads = ["path", "largest error", "missed by both", "by the grade", "by the distance", "verdict"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for scan in scans:
        row = [f"{scan.name}: {scan.title}"]
        kinds = [("F", scan.force_errors), ("E", scan.energy_errors)]
        kinds = [(k, e) for k, e in kinds if np.isfinite(e).all()]
        row.append(", ".join(f"{k} {np.max(e):.3g}" for k, e in kinds))
        for warnings in (scan.combined, scan.grades, scan.distances):
            row.append(", ".join(f"{k} {missed(e, warnings):.3g}" for k, e in kinds))
        silent = [k for k, e in kinds if judge(e, scan.combined).silent]
        row.append(f"**silent: {', '.join(silent)}**" if silent else "seen")
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def missed(errors: np.ndarray, warnings: np.ndarray) -> float:
    """Largest error of the structures below the threshold."""
    return float(np.max(errors[warnings < THRESHOLD], initial=0.0))


def summary(scans: list[Scan]) -> str:
    """Sentences that count the silent failures."""
    lines = []
    for quantity in ("force", "energy"):
        known = [s for s in scans if np.isfinite(getattr(s, f"{quantity}_errors")).all()]
        counts = {}
        for name in ("combined", "grades", "distances"):
            verdicts = [judge(getattr(s, f"{quantity}_errors"), getattr(s, name)) for s in known]
            counts[name] = sum(v.silent for v in verdicts)
        large = sum(bool((getattr(s, f"{quantity}_errors") > LARGE).any()) for s in known)
        lines.append(
            f"{quantity}: {large} of {len(known)} paths reach errors above {LARGE:g} times the stated one; "
            f"silent failures: {counts['combined']} by the combined grade, {counts['grades']} by the grade "
            f"alone, {counts['distances']} by the distance alone."
        )
    failed = sum(s.failed for s in scans)
    lines.append(f"{failed} structures without label: the reference method did not converge.")
    return "\n".join(lines)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--system", nargs="+", choices=list(PATHS), default=list(PATHS))
    parser.add_argument("--output", type=Path, default=HERE.parents[2] / "build" / "scans")
    options = parser.parse_args()
    labels = options.output / "labels"
    labels.mkdir(parents=True, exist_ok=True)
    scans = []
    for system in options.system:
        model = train(system, options.output)
        scans += [evaluate(path, model, labels) for path in PATHS[system]()]
    page = f"{summary(scans)}\n\n{table(scans)}\n"
    (options.output / "scans.md").write_text(page, encoding="utf-8")
    plot(scans, options.output / "scans.png")
    print(page)


if __name__ == "__main__":
    main()
