"""The commands of the command line: what each takes, and the one call behind it."""
