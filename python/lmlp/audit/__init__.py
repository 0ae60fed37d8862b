"""Are reference data what they claim? One check per module; :mod:`lmlp.audit.report` runs them all."""
