"""The web page and the HTTP API behind `photo2anime serve`."""
