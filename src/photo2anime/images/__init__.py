"""Picture files: read as upright sRGB pictures, and written completely or not at all."""
