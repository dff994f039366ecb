"""The HTTP API: its routes, its fields, its description as a page."""
