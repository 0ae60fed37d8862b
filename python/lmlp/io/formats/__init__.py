"""File formats, one per module: extended XYZ, RuNNer, HDF5, and what ASE reads."""
