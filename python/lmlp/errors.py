"""Errors that lmlp raises: each names what was given, what is allowed, and where."""


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


class ConfigError(LMLPError, ValueError):
    """A configuration with an unknown or impossible entry."""


class TrainingError(LMLPError, RuntimeError):
    """Training cannot go on; what was reached so far is on disk."""


class BuildError(LMLPError, RuntimeError):
    """Something that is compiled on the user's machine could not be."""


class NotFiniteError(LMLPError, ArithmeticError):
    """An energy, a force or an uncertainty that is not a finite number."""


class SharedCalculatorError(LMLPError, RuntimeError):
    """Results of a calculator that another thread has used meanwhile."""
