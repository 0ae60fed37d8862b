"""``lmlp.train``: from reference data to a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lmlp.errors import ConfigError, DivergedError, OutputError, TrainingError
from lmlp.export.writing import write_model_file
from lmlp.face.inputs import Data, as_files, listed
from lmlp.face.model import Model
from lmlp.face.observer import observer_of
from lmlp.face.places import run_folder
from lmlp.face.settings import TrainSettings, nested
from lmlp.files.lock import locked
from lmlp.files.names import beside, earlier
from lmlp.model.torch_fork import safe_after_fork
from lmlp.training import Observer, TrainConfig, make_config
from lmlp.training import train as run
from lmlp.training.divergence import keep_diverged
from lmlp.training.state.outputs import checkpoint_stamp, previous_path

if TYPE_CHECKING:
    from typing_extensions import Unpack

_OWN = ("data", "valid", "output")


@safe_after_fork
def train(
    data: Data,
    *,
    valid: Data | None = None,
    output: str | Path | None = None,
    resume: bool = False,
    progress: bool = False,
    observer: Observer | None = None,
    **settings: Unpack[TrainSettings],
) -> Model:
    """Train an ensemble on energies, forces and stresses.

    >>> model = lmlp.train("train.xyz", members=2, epochs=2)
    >>> model.n_members
    2

    The settings are those of ``lmlp train`` (docs/training.md), sections as dictionaries
    (``loss={"energy": 20}``). Short names are ``members``, ``hidden``, ``activation``, ``baseline`` of the
    model, ``preset``, ``cutoff`` (Å), ``open_elements`` of the descriptor, ``energy_key``, ``forces_key``,
    ``stress_key``, ``virial_key``, ``weights_key``, ``units_key`` of the data, and ``optimizer="adamw"``. A
    ``time_limit`` is in seconds, or ``"6m"``. ``threads`` holds for torch in the whole process.

    Args:
        data: structures to train on: a file, several, or ``ase.Atoms`` with labels in ``calc.results``,
            ``info`` or ``arrays``, in eV, eV/Å, eV/Å³.
        valid: held-out structures that no member trains on, likewise; None: a share of ``data``.
        output: model file to write; checkpoint and log lie beside it, and files of an earlier run get other
            names (docs/outputs.md). None: the model is in memory only.
        resume: go on from the checkpoint beside ``output``; the same data and settings give the same weights
            as an unbroken run.
        progress: print a line now and then.
        observer: hears of the progress instead (:class:`lmlp.training.Observer`).
        settings: see above.

    Returns:
        the trained model, with errors and calibration on held-out structures.

    Raises:
        ConfigError: a setting that is unknown or impossible; it is named. Nothing to resume.
        DataError, UnknownElementError, GeometryError: data that cannot be used; the structure is named.
        TrainingError: a loss is not finite. DivergedError: the model is no better than none.
        OutputError, InvalidArgumentError: an output that cannot be written, or would destroy something.
        KeyboardInterrupt: after saving; its message says where, also without ``output``.
    """
    if resume and output is None:
        raise ConfigError("lmlp.train: resume: name the output whose checkpoint is meant")
    known = [name for name in TrainConfig.model_fields if name not in _OWN]
    values = nested(settings, known, "lmlp.train")
    hears = observer_of(observer, progress=progress)
    with run_folder() as folder:
        files, values["keys"] = as_files(
            {"data": listed(data, "data"), "valid": valid}, values.get("keys", {}), folder
        )
        values |= {**files, "output": str(folder / "model.pt" if output is None else output)}
        config = make_config(values, "lmlp.train")
        saved = (config.checkpoint, previous_path(config.checkpoint))
        if resume and not any(path.exists() for path in saved):
            raise ConfigError(f"lmlp.train: resume: there is no {config.checkpoint}")
        with locked(beside(config.output, ""), hears.on_message), _explained(config, resume=resume):
            model = run(config, observer=hears, resume=resume)
            kept = None if resume or not config.output.exists() else earlier(config.output, config.output)
            write_model_file(model, config.output, keep=kept)
        return Model(config.output.read_bytes(), None if output is None else config.output)


@contextmanager
def _explained(config: TrainConfig, *, resume: bool) -> Iterator[None]:
    """Say in errors where the weights are, once this run has saved some."""
    before = None if resume else checkpoint_stamp(config)
    try:
        yield
    except DivergedError as error:
        raise keep_diverged(error, config.output) from None
    except (KeyboardInterrupt, OutputError, TrainingError) as error:
        if checkpoint_stamp(config) in (None, before):
            raise
        where = (
            f"the weights are in {config.checkpoint} (lmlp.load); lmlp.train with "
            f'output="{config.output}", resume=True goes on'
        )
        text = f"{error}. " if str(error) else ""
        raise type(error)(f"{text}{where}") from None
