"""The face of the package, for scripts and notebooks: ``lmlp.train`` and the like (docs/python.md)."""
