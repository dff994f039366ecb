"""Picture files: read as upright sRGB pictures, and written whole or not at all."""
