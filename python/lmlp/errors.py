"""Errors that lmlp raises: each names what was given, what is allowed, and where."""

from __future__ import annotations

from collections.abc import Mapping


class LMLPError(Exception):
    """Base of every error that lmlp raises on purpose."""


class InvalidArgumentError(LMLPError, ValueError):
    """A value outside what is allowed."""


class UnknownElementError(LMLPError, ValueError):
    """An element that the model or its element table does not have."""


class GeometryError(LMLPError, ValueError):
    """Coincident atoms, NaN or infinite coordinates, a singular cell."""


class ModelFileError(LMLPError, ValueError):
    """A file that is not a model, or is truncated, altered or of a newer version."""


class UncertaintyError(LMLPError, RuntimeError):
    """An uncertainty was asked for that the model cannot give."""


class DataError(LMLPError, ValueError):
    """Reference data that cannot be used as they are."""


class DataWarning(UserWarning):
    """What was left out or converted when reference data were read."""


class ConfigError(LMLPError, ValueError):
    """A configuration with an unknown or impossible entry."""


class TrainingError(LMLPError, RuntimeError):
    """Training cannot go on; what was reached so far is on disk."""


class DivergedError(TrainingError):
    """A training has ended with a model that is no better than none.

    Args:
        message: what is wrong.
        model: the model (``lmlp.model.data.ModelData``), without errors and calibration.
    """

    def __init__(self, message: str, model: object) -> None:
        super().__init__(message)
        self.model = model


class ForgettingError(LMLPError, RuntimeError):
    """A session has lost more of what was learned earlier than ``max_forgetting`` allows.

    Args:
        message: how much.
        model: the new model (``lmlp.Model``), which is not put in place.
        report: of the session (docs/lifelong.md).
    """

    def __init__(self, message: str, model: object, report: Mapping[str, object]) -> None:
        super().__init__(message)
        self.model, self.report = model, report


class BuildError(LMLPError, RuntimeError):
    """Something that is compiled on the user's machine could not be."""


class NotFiniteError(LMLPError, ArithmeticError):
    """An energy, a force or an uncertainty that is not a finite number."""


class OutputError(LMLPError, OSError):
    """A file that cannot be written: no room, no permission, no folder."""


class SharedCalculatorError(LMLPError, RuntimeError):
    """Results of a calculator that another thread has used meanwhile."""
