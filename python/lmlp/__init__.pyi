from lmlp.calculators.ase import LMLPCalculator as LMLPCalculator

__version__: str
__all__ = ["LMLPCalculator", "__version__"]
