"""Jobs of mixed kinds from several clients against `photo2anime serve`: none may be lost, nothing may pile up.

    python scripts/soak.py --jobs 500 --clients 8 --minutes 15

Starts a server of its own on a free port. The kinds: photos through the API and the page, several photos in one go,
videos, files that are damaged or dangerous, and visitors who leave in the middle. Ends after so many jobs or minutes.
Exit code 1 when a job was lost, a file grew too old, or something was left behind.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from PIL import Image

from photo2anime.web.page.samples import NAMES
from soak_files import Files, files
from visitor import Visitor

ROOT = Path(__file__).parent.parent
KINDS = {"photo": 40, "page photo": 15, "batch": 8, "video": 7, "bad": 18, "leaver": 12}  # of a hundred jobs
_TRIES = 60  # for a job that is told to come back


@dataclass
class Soak:
    """What came of it. memory: (seconds since the start, resident bytes of the server). oldest: age of a file."""

    done: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    put_off: int = 0
    memory: list[tuple[float, int]] = field(default_factory=list)
    oldest: float = 0.0
    seconds: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fifth(self, number: int) -> float:
        """Mean resident bytes in the fifth of the time with this number, 1 to 5."""
        begin, end = (self.seconds * n / 5 for n in (number - 1, number))
        return statistics.mean([used for when, used in self.memory if begin <= when <= end] or [0])


class Client:
    """One client: does a job of a kind and raises RuntimeError when it does not end as it should."""

    def __init__(self, url: str, files: Files, soak: Soak, seed: int) -> None:
        self.url, self.files, self.soak, self.random = url, files, soak, random.Random(seed)

    def do(self, kind: str) -> None:
        works: dict[str, Callable[[], object]] = {
            "photo": self.photo,
            "page photo": lambda: self.page("submit", ["photo.jpg"], self.photos(1)),
            "batch": self.batch,
            "video": lambda: self.page("paint-video", ["clip.mp4"], [self.files.clip]),
            "bad": self.bad,
            "leaver": self.leaver,
        }
        works[kind]()

    def photos(self, count: int) -> list[bytes]:
        return self.random.choices(self.files.photos, k=count)

    def photo(self) -> None:
        (photo,) = self.photos(1)
        style = self.random.choice(["hayao", "shinkai", "paprika"])
        answer = self.post(photo, style)
        if answer.status_code != 200:
            raise RuntimeError(f"{answer.status_code} {answer.text[:200]}")
        if Image.open(io.BytesIO(answer.content)).size != Image.open(io.BytesIO(photo)).size:
            raise RuntimeError("the painting has another size")

    def post(self, photo: bytes, style: str = "hayao") -> httpx.Response:
        for _ in range(_TRIES):
            answer = httpx.post(f"{self.url}/api/paint", params={"style": style}, content=photo, timeout=300)
            if "retry-after" not in answer.headers:
                break
            self.wait(float(answer.headers["retry-after"]))
        return answer

    def wait(self, seconds: float) -> None:
        with self.soak.lock:
            self.soak.put_off += 1
        time.sleep(min(seconds, 5))

    def page(self, button: str, names: list[str], contents: list[bytes], *, several: bool = False) -> str:
        """What the page shows: of a batch its lines. A full queue is come back to."""
        for _ in range(_TRIES):
            visitor = Visitor(self.url)
            try:
                given = visitor.upload(*zip(names, contents, strict=True))
                visitor.press(button, given if several else given[0])
                ended = visitor.result()
            finally:
                visitor.leave()
            if ended["success"]:
                return str(ended["output"]["data"])
            if "Many people" not in str(ended["output"]):
                raise RuntimeError(str(ended["output"].get("error")))
            self.wait(2)
        raise RuntimeError("always busy")

    def batch(self) -> None:
        lines = self.page(
            "paint-all", ["a.jpg", "Thumbs.db", "b.png"], [*self.photos(1), b"\xd0\xcf", *self.photos(1)], several=True
        )
        if "2 of 3 photos painted" not in lines or "Thumbs.db" not in lines:
            raise RuntimeError(lines[:300])

    def bad(self) -> None:
        name, content = self.random.choice(list(self.files.bad.items()))
        if self.random.random() < 0.5:
            answer = self.post(content)
            if not 400 <= answer.status_code < 500 or "error" not in answer.json():
                raise RuntimeError(f"{name}: {answer.status_code} {answer.text[:200]}")
            return
        button = "paint-video" if name.startswith("list") else "submit"
        try:
            shown = self.page(button, [name], [content])
        except RuntimeError as refusal:
            if any(
                kind in str(refusal) for kind in ("not a picture", "not a video", "damaged", "empty", "too many pixels")
            ):
                return
            raise
        raise RuntimeError(f"{name} was painted: {shown[:200]}")

    def leaver(self) -> None:
        visitor = Visitor(self.url)
        if self.random.random() < 0.5:
            visitor.press("paint-video", visitor.upload(("long.mp4", self.files.long_clip))[0])
        else:
            names = [(f"{number}.jpg", photo) for number, photo in enumerate(self.photos(6))]
            visitor.press("paint-all", visitor.upload(*names))
        with contextlib.closing(visitor.events()) as events:
            until = time.monotonic() + self.random.uniform(0.2, 4)
            for _ in events:
                if time.monotonic() > until:
                    break
        visitor.leave()


@contextlib.contextmanager
def serving(temporary: Path, keep_seconds: int) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server of this source tree whose temporary files lie in temporary."""
    environment = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": str(ROOT / "src")}
    flags = ["--port", "0", "--requests", "0", "--keep-seconds", str(keep_seconds), "--queue", "16"]
    command = [sys.executable, "-m", "photo2anime", "serve", *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split(" is at ")[1].split("/  ")[0], process
    finally:
        process.kill()
        process.wait()


def watch(soak: Soak, pid: int, temporary: Path, kept: set[Path], started: float, ended: threading.Event) -> None:
    """Notes the server's memory and the age of its oldest file until ended."""
    server = psutil.Process(pid)
    while not ended.wait(0.5):
        soak.memory.append((time.monotonic() - started, server.memory_info().rss))
        for file in _files_in(temporary) - kept:
            with contextlib.suppress(FileNotFoundError):
                soak.oldest = max(soak.oldest, time.time() - file.stat().st_mtime)


def _files_in(folder: Path) -> set[Path]:
    return {Path(parent) / name for parent, _, names in os.walk(folder) for name in names}


def put_to_soak(url: str, pid: int, temporary: Path, jobs: int, clients: int, seconds: float) -> Soak:
    """So many jobs in a fixed mix and order, or as many as fit into the time."""
    soak, sent, numbers, ended = Soak(), files(), itertools.count(), threading.Event()
    order = random.Random(1).choices(list(KINDS), weights=list(KINDS.values()), k=jobs)
    kept = _files_in(temporary)
    started = time.monotonic()

    def work(seed: int) -> None:
        client = Client(url, sent, soak, seed)
        while (number := next(numbers)) < jobs and time.monotonic() - started < seconds:
            kind = order[number]
            try:
                client.do(kind)
            except (RuntimeError, httpx.HTTPError, StopIteration, KeyError) as error:
                with soak.lock:
                    soak.lost.append(f"{kind}: {type(error).__name__} {error}")
                continue
            with soak.lock:
                soak.done[kind] += 1

    watcher = threading.Thread(target=watch, args=(soak, pid, temporary, kept, started, ended))
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(clients)]
    for thread in (watcher, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    soak.seconds = time.monotonic() - started
    ended.set()
    watcher.join()
    return soak


def main() -> int:
    parser = argparse.ArgumentParser(description="Mixed jobs against a server of its own.")
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--keep-seconds", type=int, default=120)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder)
        with serving(temporary, args.keep_seconds) as (url, process):
            while len(list(temporary.rglob("results/*/*-*.jpg"))) < len(NAMES):  # the page's samples, which stay
                time.sleep(0.5)
            before = _files_in(temporary)
            soak = put_to_soak(url, process.pid, temporary, args.jobs, args.clients, 60 * args.minutes)
            time.sleep(args.keep_seconds + 2)
            workers = len(psutil.Process(process.pid).children())
            left = _files_in(temporary) - before
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=30)
        at_exit = list(temporary.glob("photo2anime-serve-*"))
    second, last = soak.fifth(2), soak.fifth(5)
    print(
        f"{sum(soak.done.values())} jobs done in {soak.seconds:.0f} s {dict(soak.done)}; {soak.put_off} times put off"
    )
    print(f"lost: {len(soak.lost)}")
    growth = 100 * (last / second - 1) if second else 0.0
    print("memory by fifths:", ", ".join(f"{soak.fifth(number) / 2**20:.0f}" for number in range(1, 6)), "MiB")
    print(f"memory: second fifth {second / 2**20:.0f} MiB, last fifth {last / 2**20:.0f} MiB ({growth:+.1f} %)")
    print(f"oldest file: {soak.oldest:.0f} s, the limit is {args.keep_seconds} s; left after it: {len(left)}")
    for file in sorted(left):
        print(f"left: {file.relative_to(temporary)}")
    print(f"workers left: {workers}; at exit: code {code}, {len(at_exit)} folders")
    for line in soak.lost[:10]:
        print(line)
    return 1 if soak.lost or left or at_exit or workers or soak.oldest > args.keep_seconds else 0


if __name__ == "__main__":
    sys.exit(main())
