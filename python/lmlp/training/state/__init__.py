"""What a run leaves on disk and goes on from: checkpoint, log, who trains on what."""
