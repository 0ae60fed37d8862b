"""One stage of a sequence: its data, training or learning, and the errors on all test files."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Stage:
    """A stage: its number from 1, name, and files (no training file: test only)."""

    number: int
    name: str
    train: Path | None
    test: Path


@dataclass(frozen=True)
class Job:
    """A method: settings of the first model, of joint training later on, or of learning sessions."""

    method: str
    first: dict[str, Any]
    again: dict[str, Any]
    learn: dict[str, Any] | None


def data_folder() -> Path:
    """Return the folder of the public data sets, or stop with what to do."""
    folder = Path(os.environ.get("LMLP_DATA", HERE.parents[2] / "shared" / "data"))
    if not folder.is_dir():
        sys.exit(f"no benchmark data in {folder}: set LMLP_DATA to a folder that holds them")
    return folder


def read_stages(sequence: str, found: dict[str, Any], folder: Path) -> list[Stage]:
    """Stages of a sequence; thinned training files and shifted data are written to ``folder``."""
    with (data_folder() / "continual" / "sequences.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["sequence"] == sequence]
    atoms = found.get("isolated_atoms", {})
    stages = []
    for row in rows:
        number = int(row["stage"])
        every, shift = int(found.get("every", 1)), atoms.get(number)
        files = [
            _prepared(data_folder() / row[key], folder, n, shift) if row[key] else None
            for key, n in (("train_file", every), ("test_file", 1))  # few test structures are a lottery
        ]
        assert files[1] is not None
        stages.append(Stage(number, row["name"], files[0], files[1]))
    return stages


def _prepared(path: Path, folder: Path, every: int, isolated: str | None) -> Path:
    """Every n-th structure, energies counted from isolated atoms; the file itself if nothing changes."""
    if every == 1 and isolated is None:
        return path
    from lmlp.io import read_structures, write_structures

    shift = {}
    if isolated is not None:
        atoms = read_structures(data_folder() / isolated)
        shift = {int(s.numbers[0]): s.energy for s in atoms if len(s) == 1}
    target = folder / f"{path.parent.name}-{path.name.partition('.')[0]}-{every}.xyz"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        kept = read_structures(path)[::every]
        if shift:
            kept = [replace(s, energy=s.energy - sum(shift[int(z)] for z in s.numbers)) for s in kept]
        temporary = target.with_name(f"new-{target.name}")
        write_structures(temporary, kept)
        os.replace(temporary, target)
    return target


def run_stage(
    job: Job, seen: list[Stage], stages: list[Stage], folder: Path, previous: Path | None, *, again: bool
) -> None:
    """Train or learn the last of the stages seen, and test; does nothing if that was done before.

    Args:
        job: method.
        seen: stages up to this one.
        stages: all, whose test files are evaluated.
        folder: of this stage.
        previous: folder of the stage before.
        again: repeat what was done.
    """
    stage = seen[-1]
    learning = job.learn is not None and stage.number > 1
    settings = job.learn if learning else job.first if stage.number == 1 else job.again
    key = json.dumps(
        {
            "method": "first" if stage.number == 1 else job.method,
            "settings": _resolved(settings, learning),
            "data": [str(s.train) for s in seen],
            "tests": [str(s.test) for s in stages],
            "previous": _digest(previous / "model.pt") if learning and previous else None,
        },
        sort_keys=True,
    )
    note = folder / "settings.json"
    if folder.exists() and (again or not note.exists() or note.read_text() != key):
        shutil.rmtree(folder)
    if (folder / "results.json").exists():
        print(f"{folder}: done before", flush=True)
        return
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(key)
    start, cpu = time.perf_counter(), time.process_time()
    used = _learn(settings, stage, seen, folder, previous) if learning else _train(settings, seen, folder)
    result = {
        **json.loads(key),
        "seed": settings["seed"],
        "stage": stage.number,
        "seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        **used,
        "errors": {s.name: errors(folder / "model.pt", s.test) for s in stages},
    }
    (folder / "results.json").write_text(json.dumps(result, indent=1))
    known = {k: round(1e3 * e["force_rmse"], 1) for k, e in result["errors"].items() if e}
    print(f"{folder}: {used['gradient_evaluations']} gradient evaluations, meV/Å: {known}", flush=True)


def _resolved(settings: dict[str, Any], learning: bool) -> dict[str, Any]:
    """Return settings with the defaults of this version filled in."""
    from lmlp.lifelong.learn import make_learn_config
    from lmlp.training import make_config

    places = {"data": "new.xyz", "output": "model.pt"}
    if not learning:
        return make_config({**settings, **places}).model_dump(mode="json", exclude=set(places))
    more = {"start": "old.pt", "memory": "model.memory", "task": "new"}
    config = make_learn_config({**settings, **places, **more})
    return config.model_dump(mode="json", exclude={*places, *more})


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _train(settings: dict[str, Any], seen: list[Stage], folder: Path) -> dict[str, Any]:
    """Train on all files so far, as `lmlp train` does."""
    from lmlp.export.writing import write_model_file
    from lmlp.training import make_config, train
    from lmlp.training.state.log import read_log

    output = folder / "model.pt"
    config = make_config({**settings, "data": [str(s.train) for s in seen if s.train], "output": str(output)})
    if not output.exists():
        write_model_file(train(config, resume=config.checkpoint.exists()), output)
    *_, end = read_log(config.log)
    return {"gradient_evaluations": end["gradient_evaluations"]}


def _learn(
    settings: dict[str, Any], stage: Stage, seen: list[Stage], folder: Path, previous: Path | None
) -> dict[str, Any]:
    """Learn the file of this stage, as `lmlp learn` does; the memory is a copy of that before."""
    from lmlp.lifelong.base import session_config
    from lmlp.lifelong.learn import learn, report_path

    assert previous is not None
    memory = folder / "model.memory"
    options = {
        **settings,
        "start": str(previous / "model.pt"),
        "memory": str(memory),
        "data": str(stage.train),
        "task": _task(stage),
        "output": str(folder / "model.pt"),
    }
    if stage.number == 2:
        options["old"] = [str(seen[0].train)]
    config = session_config(options)
    if config.checkpoint.exists():
        learn(session_config(options, resume=True), resume=True)
    elif not report_path(config).exists():
        memory.unlink(missing_ok=True)
        if stage.number > 2:
            shutil.copyfile(previous / "model.memory", memory)
        learn(config)
    report = json.loads(report_path(config).read_text())
    kept = ("gradient_evaluations", "forgetting", "plasticity", "suspects", "parked", "removed")
    return {k: len(report[k]) if isinstance(report[k], list) else report[k] for k in kept}


def _task(stage: Stage) -> str:
    return re.sub(r"\W+", "_", stage.name)


def errors(model: Path, test: Path | list[Path]) -> dict[str, Any] | None:
    """RMSE of energies (eV/atom) and forces (eV/Å) on test files; None: elements that the model lacks."""
    from lmlp.elements import symbol
    from lmlp.evaluation import evaluate
    from lmlp.evaluation.tables import error_table
    from lmlp.export.model_file import read_model_file
    from lmlp.io import read_structures

    structures = read_structures(test)
    elements = {symbol(int(z)) for s in structures for z in set(s.numbers.tolist())}
    if not elements <= set(read_model_file(model).elements):
        return None
    found = error_table(evaluate(model, structures).results)
    return {key: found[key] for key in ("energy_rmse", "force_rmse")}
