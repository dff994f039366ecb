"""Runs a worker process for each clip: starts it, reads its messages, ends it."""

from __future__ import annotations

import json
import logging
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import photo2anime
from photo2anime.types import Photo2AnimeError
from photo2anime.web.errors import NotAClipError, disk_full, out_of_memory
from photo2anime.web.server.video_worker import Order

_POLL_SECONDS = 0.1  # until a worker whose job is over is ended
_CLOSE_TO_LIMIT = 0.7  # a worker that fails with so much of its memory taken failed for want of more
_LOG_BYTES = 4000


def run_worker(order: Order, check: Callable[..., None]) -> str:
    """Runs the order in a new process; returns what it told at its end. check: called several times a second, with
    frames done and in all when there is news; what it raises ends the process. Raises what went wrong there, kind for
    kind.
    """
    own_folder = order.target if order.task == "stills" else str(Path(order.target).parent)
    environment = os.environ | {"TMPDIR": own_folder, "PYTHONPATH": _packages()}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", Order.__module__],  # -P: nothing is imported from where we stand
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the server, which ends this one
        )
        assert process.stdin is not None and process.stdout is not None
        try:
            last = _Answer("", "")
            with suppress(BrokenPipeError):
                process.stdin.write(order.line())
                process.stdin.flush()
            peak_bytes = 0
            for answer in _answers(process.stdout, check):
                last = answer or last
                peak_bytes = max(peak_bytes, _data_bytes(process.pid))
            code = process.wait()
        finally:
            process.kill()
            process.wait()
            with suppress(BrokenPipeError):
                process.stdin.close()
            process.stdout.close()
        if last.kind != "done":
            is_close = bool(order.memory_bytes) and peak_bytes > _CLOSE_TO_LIMIT * order.memory_bytes
            raise _error_of(replace(last, kind="memory") if is_close else last, code, log)
        return last.message


@dataclass(frozen=True, slots=True)
class _Answer:
    kind: str
    message: str


def _answers(lines: IO[bytes], check: Callable[..., None]) -> Iterator[_Answer | None]:
    """The worker's answers, or None for its steps, which go to check, and several times a second, until it closes its
    end.
    """
    came: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        for line in lines:
            came.put(line)
        came.put(b"")

    threading.Thread(target=read, name="worker's answers", daemon=True).start()
    while True:
        try:
            line = came.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            check()
            yield None
            continue
        if not line:
            return
        try:
            answer = json.loads(line)
        except ValueError:  # it was killed while it wrote
            continue
        if answer["kind"] == "step":
            check(answer["done"], answer["total"])
            yield None
        else:
            yield _Answer(answer["kind"], answer["message"])


def _error_of(answer: _Answer, code: int, log: IO[bytes]) -> Exception:
    if answer.kind == "memory":
        return out_of_memory()
    if answer.kind == "disk":
        return disk_full()
    if answer.kind == "unreadable":
        return NotAClipError(answer.message)
    if answer.kind == "":  # it died: killed for its memory, or by a clip that breaks a decoder
        log.seek(max(0, log.seek(0, 2) - _LOG_BYTES))
        told = log.read().decode("utf-8", "replace")
        if "MemoryError" in told or "bad_alloc" in told or code == -9:
            return out_of_memory()
        logging.getLogger("uvicorn.error").error("a video worker ended with code %s: %s", code, told)
    return Photo2AnimeError(answer.message or "the video could not be painted")


def _data_bytes(pid: int) -> int:
    """The memory that a process has taken as its limit counts it; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def _packages() -> str:
    """The import path of the worker: this installation's own first."""
    own = str(Path(photo2anime.__file__).parents[1])
    return os.pathsep.join([own, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))])
