"""The settings of `photo2anime serve`: where to listen, who has access, and every limit."""

from __future__ import annotations

import os
from dataclasses import dataclass

TILE_PX = 1024  # side of a window: bounds the memory of a painting, and the time until it can be stopped
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Settings:
    """All switches of the server; the command's flags carry the same names.

    root_path: where a proxy shows the server ("/anime"), "" for the top. token: closes page and API, None leaves them
    open. proxy: address of the proxy whose X-Forwarded-For is believed, "" for none. frame_ancestors: who may show the
    page in a frame (Content-Security-Policy). workers: paintings at a time, 0 for one per processor. queue: jobs that
    may wait. video_memory_mb: memory of the process that paints a video, 0 for no limit. requests: uploads and
    paintings a minute from one address, 0 for no limit. storage_mb: uploads and results kept on disk at once. Every
    *_seconds is a time in seconds: *job* for one painting, *upload* for a request's body to arrive, *keep* until files
    are deleted, *stop* for what runs at shutdown.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    root_path: str = ""
    token: str | None = None
    proxy: str = ""
    frame_ancestors: str = "'self'"
    style: str = "hayao"
    device: str = "auto"
    workers: int = 0
    queue: int = 32
    requests: int = 240
    upload_mb: float = 30
    megapixels: float = 60
    several: int = 100
    several_mb: float = 500
    video_mb: float = 200
    video_memory_mb: float = 4000
    storage_mb: float = 4000
    connections: int = 256
    job_seconds: float = 60
    video_seconds: float = 3600
    upload_seconds: float = 120
    keep_seconds: float = 3600
    stop_seconds: float = 6

    @property
    def slots(self) -> int:
        """Paintings at a time."""
        return self.workers or processors()


def processors() -> int:
    """How many processors this process may use (runtime.cpu_threads would bring in ONNX Runtime)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
