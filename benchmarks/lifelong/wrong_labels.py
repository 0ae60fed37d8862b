"""Wrong labels among new data: how many are reported, how many honest structures are accused, what they cost.

    python benchmarks/lifelong/wrong_labels.py hot_molecule [--stage 2] [--share 0.02] [--shift 1.0]

Some structures of a stage of a sequence get wrong labels: every second one an energy shifted by +1 eV, the
others the forces of other atoms of the same structure (if they are not all below 0.05 eV/Å). `lmlp learn` as
it is learns them on top of the stages before (those of run.py with method default, trained if they are not
there). Prints a row: wrong labels, those reported, honest structures reported, and errors on all test files
known, beside those without wrong labels.
The public data are read from $LMLP_DATA, else from ../shared/data beside the repository.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from run import HERE, job, settings
from stages import Stage, read_stages, run_stage

_SMALL = 0.05  # eV/Å; forces that nobody would miss


def plant(stage: Stage, share: float, shift: float, seed: int, folder: Path) -> tuple[Stage, list[int]]:
    """Write a stage's training file with wrong labels; the stage with that file, and the wrong structures."""
    from lmlp.io import read_structures, write_structures

    assert stage.train is not None
    structures = read_structures(stage.train)
    rng = np.random.default_rng([seed, 2])
    n_wrong, chosen = max(2, round(share * len(structures))), []
    for i in rng.permutation(len(structures)).tolist():
        s = structures[i]
        if len(chosen) == n_wrong:
            break
        if len(chosen) % 2 == 0:
            structures[i] = replace(s, energy=s.energy + shift)
        elif np.sqrt(np.mean(s.forces**2)) < _SMALL:
            continue
        else:  # every atom has the forces of another one
            structures[i] = replace(s, forces=np.roll(s.forces, int(rng.integers(1, len(s))), axis=0))
        chosen.append(i)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{stage.train.name.partition('.')[0]}-wrong-{shift:g}-{seed}.xyz"
    write_structures(target, structures)
    return replace(stage, train=target), sorted(chosen)


def count(report: dict[str, Any], wrong: list[int], n_new: int) -> dict[str, Any]:
    """Compare what a report calls suspect with what is wrong; check structures are counted apart."""
    found = {}
    for key in ("suspects", "check_suspects"):
        named = {(s["task"], s["source"]) for s in report[key]}
        mine = {int(source.rpartition(":")[2]) for task, source in named if task == report["task"]}
        found[key] = {"wrong": sorted(mine & set(wrong)), "honest": sorted(mine - set(wrong))}
        found[key]["earlier"] = sum(task != report["task"] for task, _ in named)
    reported = {i for part in found.values() for i in part["wrong"]}
    accused = sum(len(part["honest"]) for part in found.values())
    return {
        "n_new": n_new,
        "n_wrong": len(wrong),
        "reported": len(reported),
        "accused": accused,
        "accused_share": accused / (n_new - len(wrong)),
        **found,
    }


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Learn with wrong labels and without."""
    from lmlp.io import read_structures

    found = settings(options.sequence, options.scale)
    stages = read_stages(options.sequence, found, options.output / "data")
    plan = job(found, "default", options.seed, options.threads)
    previous: Path | None = None
    for stage in stages[: options.stage - 1]:
        method = "first" if stage.number == 1 else plan.method
        folder = options.output / method / f"seed-{options.seed}" / f"stage-{stage.number}"
        run_stage(plan, stages[: stage.number], stages, folder, previous, again=False)
        previous = folder
    folders = {
        "honest": options.output / "default" / f"seed-{options.seed}" / f"stage-{options.stage}",
        "wrong": options.output / "wrong_labels" / f"stage-{options.stage}-{options.shift:g}-{options.seed}",
    }
    seen = stages[: options.stage]
    run_stage(plan, seen, stages, folders["honest"], previous, again=False)
    planted, wrong = plant(seen[-1], options.share, options.shift, options.seed, options.output / "data")
    run_stage(plan, [*seen[:-1], planted], stages, folders["wrong"], previous, again=False)
    report = json.loads((folders["wrong"] / "model.learning.json").read_text())
    assert planted.train is not None
    result = count(report, wrong, len(read_structures(planted.train)))
    errors = {k: json.loads((f / "results.json").read_text())["errors"] for k, f in folders.items()}
    return {**result, "sequence": options.sequence, "stage": seen[-1].name, "errors": errors}


def row(result: dict[str, Any]) -> str:
    """One row of the table."""
    honest = result["n_new"] - result["n_wrong"]
    errors = [
        f"{name} {1e3 * known['force_rmse']:.3g} ({1e3 * result['errors']['honest'][name]['force_rmse']:.3g})"
        for name, known in result["errors"]["wrong"].items()
        if known
    ]
    cells = [
        f"{result['sequence']}, {result['stage']}",
        f"{result['reported']} of {result['n_wrong']}",
        f"{result['accused']} of {honest} ({100 * result['accused_share']:.1f} %)",
        ", ".join(errors),
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Run and print."""
    sequences = sorted(p.stem for p in (HERE / "sequences").glob("*.yaml"))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sequence", choices=sequences)
    parser.add_argument("--stage", type=int, default=2)
    parser.add_argument("--share", type=float, default=0.02)
    parser.add_argument("--shift", type=float, default=1.0, help="eV")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", choices=("full", "medium", "small"), default="full")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--output", type=Path, help="that of run.py")
    options = parser.parse_args()
    if options.output is None:
        name = options.sequence + ("" if options.scale == "full" else f"-{options.scale}")
        options.output = HERE.parents[1] / "build" / "lifelong" / name
    result = run(options)
    path = options.output / f"wrong_labels-{options.stage}-{options.shift:g}-{options.seed}.json"
    path.write_text(json.dumps(result, indent=1))
    print("| new data | wrong labels reported | honest ones reported | F, meV/Å (without wrong labels) |")
    print("|---|---|---|---|")
    print(row(result))


if __name__ == "__main__":
    main()
