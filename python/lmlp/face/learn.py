"""``lmlp.learn``: new data without forgetting the old."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmlp.errors import ConfigError, ForgettingError
from lmlp.face.inputs import Data, One, as_files, files_among, listed
from lmlp.face.model import Model
from lmlp.face.observer import observer_of
from lmlp.face.places import run_folder
from lmlp.face.settings import LearnSettings, nested
from lmlp.files.lock import locked
from lmlp.files.names import beside
from lmlp.files.rule import check_existing, check_names
from lmlp.lifelong.base import session_config
from lmlp.lifelong.config import LearnConfig
from lmlp.lifelong.learn import learn as run
from lmlp.lifelong.outputs import in_place, learn_inputs, learn_outputs
from lmlp.model.torch_fork import safe_after_fork
from lmlp.training import Observer, TrainConfig
from lmlp.training.state.outputs import checkpoint_stamp

if TYPE_CHECKING:
    from typing_extensions import Unpack

_OWN = ("start", "data", "old", "output", "memory", "task")


@safe_after_fork
def learn(
    model: Model | str | Path,
    data: Data,
    /,
    *,
    memory: str | Path,
    old: Data | None = None,
    task: str | None = None,
    output: str | Path | None = None,
    resume: bool = False,
    force: bool = False,
    progress: bool = False,
    observer: Observer | None = None,
    **settings: Unpack[LearnSettings],
) -> Model:
    """Go on learning: new data, with rehearsal of what the memory keeps of earlier ones.

    >>> better = lmlp.learn(model, "new.xyz", memory="model.memory", old="train.xyz", epochs=2)
    >>> sorted(better.report["tasks"])
    ['new', 'train']

    Weights of the loss and the decorrelation are those that the model was trained with, unless they are
    given. The settings are those of ``lmlp learn`` (docs/lifelong.md), sections as dictionaries.

    Args:
        model: a model, a model file, or a checkpoint of a training. It stays as it is.
        data: new structures: a file, several, or ``ase.Atoms`` with labels, in eV, eV/Å, eV/Å³.
        memory: file that keeps earlier data; it is written when the session ends well, so save the model.
        old: data that the model knows and the memory does not, e.g. those that it was trained on.
        task: name of the new data; None: the name of their first file.
        output: model file to write, report and log beside it (docs/outputs.md); the file of ``model`` is
            replaced only if it is named here. None: the new model is in memory only.
        resume: go on with an interrupted session with this ``output``.
        force: replace another model that is there already.
        progress: print a line now and then.
        observer: hears of the progress instead (:class:`lmlp.training.Observer`).
        settings: see above.

    Returns:
        the new model; its ``report`` tells the errors of all tasks before and after, and the suspects.

    Raises:
        ForgettingError: more was lost than ``max_forgetting``; it holds model and report, the memory is as it
            was.
        ConfigError: a setting that is unknown, impossible, or without use in a session; it is named.
        DataError, UnknownElementError, GeometryError: data that cannot be used; the structure is named.
        ModelFileError: ``model`` is none. TrainingError, DivergedError: as in :func:`lmlp.train`.
        OutputError, InvalidArgumentError: an output that cannot be written, or would destroy something.
        KeyboardInterrupt: after saving; its message says where, also without ``output``.
    """
    started = time.monotonic()
    if resume and output is None:
        raise ConfigError("lmlp.learn: resume: name the output whose session is meant")
    fields = {**LearnConfig.model_fields, **TrainConfig.model_fields}
    values = nested(settings, [name for name in fields if name not in _OWN], "lmlp.learn")
    new = listed(data, "data")
    hears = observer_of(observer, progress=progress)
    with run_folder() as folder:
        files, values["keys"] = as_files({"data": new, "old": old}, values.get("keys", {}), folder)
        values |= {
            **files,
            "start": str(model.file() if isinstance(model, Model) else model),
            "memory": str(memory),
            "output": str(folder / "model.pt" if output is None else output),
            "task": _name(new) if task is None else task,
        }
        with _claimed(values, resume=resume, force=force) as config, _explained(config, resume=resume):
            outcome = run(config, observer=hears, resume=resume, started=started)
        path = None if output is None else outcome.path
        learned = Model(outcome.path.read_bytes(), path, outcome.report)
    if outcome.refused:
        lost, limit = outcome.report["forgetting"], outcome.report["max_forgetting"]
        raise ForgettingError(
            f"forgetting of {100 * lost:.1f} % exceeds {100 * limit:.1f} %: the memory is as it was",
            learned,
            outcome.report,
        )
    return learned


def _name(items: Sequence[One]) -> str:
    """Return the name of data: that of their first file."""
    files = files_among(items)
    if len(files) < len(items):
        raise ConfigError("lmlp.learn: task: give a name to the new data, which are not all files")
    return Path(files[0]).name.partition(".")[0]


@contextmanager
def _claimed(values: dict[str, Any], *, resume: bool, force: bool) -> Iterator[LearnConfig]:
    """Give the settings of a session and hold its locks, once it is sure that its files may be written."""
    config = session_config(values, resume=resume, source="lmlp.learn")
    files = learn_outputs(config, replaces=resume or in_place(config))
    check_names(files, learn_inputs(config))
    with locked(beside(config.output, "")), locked(config.memory):
        check_existing(files, force=force)
        yield config


@contextmanager
def _explained(config: LearnConfig, *, resume: bool) -> Iterator[None]:
    """Say at an interruption where the progress is, once this session has saved some."""
    before = None if resume else checkpoint_stamp(config)
    try:
        yield
    except KeyboardInterrupt:
        if checkpoint_stamp(config) in (None, before):
            raise
        raise KeyboardInterrupt(
            f"all progress is in {config.checkpoint}; lmlp.learn with "
            f'output="{config.output}", resume=True goes on'
        ) from None
