"""The last share of a training: what is different there."""
