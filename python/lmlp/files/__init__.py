"""Files that commands write: what may stand where, writing them whole, and who writes (docs/outputs.md)."""
