"""The web page: its components and the functions behind its buttons."""
