"""Puts a running server under load: paintings from several clients; counts them, and watches the server's memory.

    python scripts/load.py http://localhost:7860 --pid PID --paintings 500 --clients 8 [--photo photo.jpg]

Start the server with --requests 0 (no limit a minute) for it.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

STYLES = ("hayao", "shinkai", "paprika")


@dataclass
class Load:
    """What came of it. memory: resident bytes of the server after each painting, in the order they came back."""

    done: int = 0
    lost: list[str] = field(default_factory=list)
    seconds: float = 0.0
    memory: list[int] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """Mean memory of the last fifth over that of the first fifth, less one."""
        part = max(1, len(self.memory) // 5)
        return statistics.mean(self.memory[-part:]) / statistics.mean(self.memory[:part]) - 1


def put_under_load(url: str, pid: int, photos: list[bytes], paintings: int, clients: int) -> Load:
    """Paints photos in turn and in changing styles until so many paintings were asked for."""
    load, numbers, lock = Load(), itertools.count(), threading.Lock()
    server = psutil.Process(pid)

    def work() -> None:
        with httpx.Client(timeout=120, trust_env=False) as client:
            while (number := next(numbers)) < paintings:
                started = time.perf_counter()
                photo, style = photos[number % len(photos)], STYLES[number % len(STYLES)]
                answer = client.post(f"{url}/api/paint", params={"style": style}, content=photo)
                with lock:
                    load.waits.append(time.perf_counter() - started)
                    load.memory.append(server.memory_info().rss)
                    if answer.status_code == 200:
                        load.done += 1
                    else:
                        load.lost.append(f"{answer.status_code} {answer.text[:200]}")

    started = time.perf_counter()
    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    load.seconds = time.perf_counter() - started
    return load


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Puts a running server under load.")
    parser.add_argument("url")
    parser.add_argument("--pid", type=int, required=True, help="the server's process, for its memory")
    parser.add_argument("--paintings", type=int, default=500)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--photo", type=Path, nargs="+", required=True)
    args = parser.parse_args()
    result = put_under_load(
        args.url, args.pid, [photo.read_bytes() for photo in args.photo], args.paintings, args.clients
    )
    print(f"{result.done} painted, {len(result.lost)} lost, {60 * result.done / result.seconds:.0f} a minute")
    print(f"waited {statistics.median(result.waits):.2f} s (median), {max(result.waits):.2f} s at most")
    first, last = result.memory[0] / 2**20, result.memory[-1] / 2**20
    print(f"memory {first:.0f} -> {last:.0f} MiB; last fifth over first fifth {100 * result.growth:+.1f} %")
    for line in result.lost[:5]:
        print(line)
