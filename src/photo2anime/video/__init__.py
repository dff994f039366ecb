"""Video: read, painted and written at once, with sound, timing and tags. PyAV is used here, and for training films."""
