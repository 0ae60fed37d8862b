"""Types of the face; ``__init__.py`` loads each name when it is first used."""

from lmlp.calculators.ase import LMLPCalculator as LMLPCalculator
from lmlp.descriptor.compute import Descriptor as Descriptor
from lmlp.face.evaluate import evaluate as evaluate
from lmlp.face.learn import learn as learn
from lmlp.face.model import Model as Model
from lmlp.face.model import load as load
from lmlp.face.reweight import reweight as reweight
from lmlp.face.train import train as train

__version__: str
__all__ = [
    "Descriptor",
    "LMLPCalculator",
    "Model",
    "__version__",
    "evaluate",
    "learn",
    "load",
    "reweight",
    "train",
]
