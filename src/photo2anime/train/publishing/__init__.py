"""From weights to an installed style: export, 8-bit, import of other people's networks."""
