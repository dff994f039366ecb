"""The page that paints in the browser, served for the scripts that measure it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

FLAGS = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@contextmanager
def served() -> Iterator[str]:
    """Its address, while `photo2anime serve --on-device` runs on a free port."""
    command = [sys.executable, "-m", "photo2anime", "serve", "--on-device", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().split(" is at ")[1].split("/  ")[0].rstrip("/")
        finally:
            server.terminate()
