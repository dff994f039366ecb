"""Video: read, painted and written at the same time, with its sound, its timing and its tags. PyAV lives only here."""
