"""A server in a process of its own, for the tests that need real sockets, signals or a browser."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from conftest import ROOT


@dataclass
class Server:
    url: str
    process: subprocess.Popen[str]
    temporary: Path

    def folders(self) -> list[Path]:
        """The server's own folders under its temporary directory."""
        return list(self.temporary.glob("photo2anime-serve-*"))


@contextlib.contextmanager
def serving(temporary: Path, *flags: str, code: str = "from photo2anime.cli import main; main()") -> Iterator[Server]:
    """`photo2anime serve` on a free port, with these flags. code: Python that runs instead of the command."""
    environment = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": str(ROOT / "src")}
    environment.pop("PHOTO2ANIME_TOKEN", None)
    command = [sys.executable, "-c", code, "serve", "--port", "0", *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert " is at " in line, line
        yield Server(line.split(" is at ")[1].split("/  ")[0].rstrip("/"), process, temporary)
    finally:
        process.kill()
        process.wait()
