"""Training itself: losses, step, loop, optimiser, checkpoint, run folder."""
