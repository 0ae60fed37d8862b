"""From files to batches: structures as arrays, pair lists, network inputs, on disk where memory ends."""
