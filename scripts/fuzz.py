"""Feeds mutated files to photo2anime and looks for what must not happen; seeded, so every file can be made again.

    python scripts/fuzz.py --pictures 10000 --networks 500 --clips 2000 [--seed 0] [--keep DIR]
    python scripts/fuzz.py --seconds 180                                    the short form, of everything

Each file goes to a child process with limits on memory and time. Asserted of each: the process lives, no traceback, no
more than 20 s of a processor, one line at most for an error, no file left over, the source unchanged. A finding is
printed and its file kept; the exit code is 1 when there is one.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import random
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import count, islice
from pathlib import Path
from typing import Any

import psutil

from fuzz_corpus import CORPORA

KINDS = ("picture", "network", "clip")
SHARES = {"picture": 20, "network": 1, "clip": 2}  # of the files of a run that is limited by time
HANG_SECONDS = 20.0  # of a processor
STUCK_SECONDS = 120.0  # of the clock, on a machine that has other work
MEMORY = {"picture": 3 << 30, "network": 6 << 30, "clip": 6 << 30}
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


# Mutations


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Data with a few things wrong: bits, numbers, pieces that are gone, doubled, moved, or the end missing."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8, 30))):
        if not changed:
            break
        head = rng.random() < 0.6  # headers are where parsers live
        at = rng.randrange(min(len(changed), 400) if head else len(changed))
        how = rng.randrange(8)
        if how == 0:
            changed[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            changed[at] = rng.randrange(256)
        elif how in (2, 3):
            size = rng.choice((1, 2, 4, 8))
            number = rng.choice(NUMBERS) & ((1 << 8 * size) - 1)
            changed[at : at + size] = number.to_bytes(size, rng.choice(("big", "little")))
        elif how == 4:
            del changed[at : at + rng.choice((1, 2, 4, 16, 100))]
        elif how == 5:
            changed[at:at] = changed[at : at + rng.choice((1, 4, 16, 200))]
        elif how == 6:
            size, other = rng.choice((4, 16, 64)), rng.randrange(len(changed))
            changed[at : at + size] = changed[other : other + size]
        else:
            del changed[rng.randrange(1, len(changed) + 1) :]
    return _with_sums(bytes(changed)) if rng.random() < 0.7 else bytes(changed)


def _with_sums(data: bytes) -> bytes:
    """A PNG whose checksums are right again, so that what is wrong gets past them."""
    import zlib

    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    mended, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if at + 12 + length > len(data):
            break
        part = data[at + 4 : at + 8 + length]
        mended += data[at : at + 4] + part + zlib.crc32(part).to_bytes(4, "big")
        at += 12 + length
    return bytes(mended + data[at:])


# The child


def child() -> None:
    """Takes lines of JSON, runs the command they name, and answers with a line: exit code, what was said."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from photo2anime.cli import main
    from photo2anime.painting.stylizer import Stylizer

    load = Stylizer.load
    hayao = cache(lambda: load("hayao"))  # once: of pictures and clips it is the reading that is tried
    Stylizer.load = lambda style="hayao", **how: hayao() if style == "hayao" else load(style, **how)  # type: ignore
    for line in sys.stdin:
        wish = json.loads(line)
        said = io.StringIO()
        code: int | None = None
        broke = ""
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            try:
                code = _read_checkpoint(wish["checkpoint"]) if "checkpoint" in wish else main(wish["arguments"])
            except BaseException:  # noqa: BLE001  what must not be is what is looked for
                broke = traceback.format_exc()
        answers.write(json.dumps({"code": code, "said": said.getvalue(), "broke": broke}) + "\n")
        answers.flush()


def _read_checkpoint(file: str) -> int:
    """What `import` does before it exports, which takes long."""
    from photo2anime.train.publishing.animeganv2_weights import generator_state
    from photo2anime.types import Photo2AnimeError

    try:
        generator_state(Path(file))
    except Photo2AnimeError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


class Child:
    """The process that is given the files; a new one is started when it dies."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.log = kind, folder / "log"
        self.process: subprocess.Popen[str] | None = None
        self.environment = os.environ | {"PHOTO2ANIME_HOME": str(folder / "home"), "TMPDIR": str(folder / "temporary")}
        (folder / "temporary").mkdir(exist_ok=True)

    def ask(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Its answer. With "broke" for what it should not have done, and then it is gone."""
        if self.process is None or self.process.poll() is not None:
            self.process = self._start()
        assert self.process.stdin and self.process.stdout
        watched, started = psutil.Process(self.process.pid), time.monotonic()
        before = sum(watched.cpu_times()[:2])
        self.process.stdin.write(json.dumps(wish) + "\n")
        self.process.stdin.flush()
        while not select.select([self.process.stdout], [], [], 0.2)[0]:
            spent = sum(watched.cpu_times()[:2]) - before
            if spent > HANG_SECONDS * (psutil.cpu_count() or 1) or time.monotonic() - started > STUCK_SECONDS:
                self.process.kill()
                self.process.wait()
                return {"code": None, "said": "", "broke": f"hangs: {spent:.0f} s of processors"}
        if line := self.process.stdout.readline():
            return dict(json.loads(line))
        return {
            "code": None,
            "said": self.log.read_text(errors="replace")[-2000:],
            "broke": f"died: {self.process.wait()}",
        }

    def close(self) -> None:
        if self.process is not None and self.process.stdin:
            self.process.stdin.close()
            self.process.wait(30)

    def _start(self) -> subprocess.Popen[str]:
        limit = MEMORY[self.kind]
        return subprocess.Popen(
            [sys.executable, __file__, "--child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log.open("w"),
            text=True,
            env=self.environment,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        )


# The parent


@dataclass
class Tally:
    """What came of it, kind by kind."""

    tried: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)


def try_one(kind: str, extension: str, data: bytes, worker: Child, folder: Path) -> tuple[bool, str]:
    """Whether the file was accepted, and what was wrong; nothing is the usual."""
    place = folder / "place"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    source, target = place / f"source.{extension}", folder / "out" / ("out.png" if kind != "clip" else "out.mp4")
    source.write_bytes(data)
    shutil.rmtree(target.parent, ignore_errors=True)
    target.parent.mkdir()
    small = ["-o", str(target), "--max-side", "32", "--faces", "off"]
    if kind == "network" and extension != "onnx":
        wish: dict[str, Any] = {"checkpoint": str(source)}
    elif kind == "network":
        wish = {"arguments": ["paint", str(folder / "photo.png"), "-s", str(source), *small]}
    else:
        wish = {"arguments": ["paint" if kind == "picture" else "video", str(source), *small]}
    answer = worker.ask(wish)
    code, said = answer["code"], answer["said"]
    wrong = [answer["broke"]] if answer["broke"] else []
    if "Traceback" in said or (code in (1, 2) and said.count("\n") > 2) or code not in (0, 1, 2, None):
        wrong.append(f"exit code {code}: {said}")
    if code == 0 and "checkpoint" not in wish and not target.exists():
        wrong.append("exit code 0 without a result")
    if hashlib.sha256(source.read_bytes()).digest() != hashlib.sha256(data).digest():
        wrong.append("the source was changed")
    left = [str(file.relative_to(folder)) for file in place.rglob("*") if file != source]
    kept = {0, 1} if kind == "clip" else {0}  # a damaged video is painted as far as it could be read, with code 1
    left += [str(file.relative_to(folder)) for file in target.parent.rglob("*") if file != target or code not in kept]
    left += [str(file.relative_to(folder)) for file in (folder / "temporary").rglob("*")]
    if left and code is not None:
        wrong.append(f"left over: {', '.join(left[:5])}")
    return code == 0, "\n".join(wrong)


def files(kind: str, seed: int) -> Iterator[tuple[int, str, bytes]]:
    """(number, extension, mutated file) without end; nothing when the kind cannot be made here."""
    corpus = list(CORPORA[kind]())
    for number in count():
        if not corpus:
            return
        rng = random.Random(f"{seed} {kind} {number}")
        extension, data = corpus[number % len(corpus)]
        yield number, extension if rng.random() < 0.95 else "png", mutated(data, rng)


def run(counts: dict[str, int | None], seed: int, keep: Path, seconds: float | None) -> Tally:
    """Tries so many files of each kind, taking turns; None is as many as the time allows."""
    from PIL import Image

    tally, ends = Tally(), time.monotonic() + seconds if seconds else None
    with tempfile.TemporaryDirectory(prefix="photo2anime-fuzz-") as name:
        folder = Path(name)
        Image.new("RGB", (32, 24), "teal").save(folder / "photo.png")
        workers = {kind: Child(kind, folder) for kind in KINDS}
        streams = {kind: islice(files(kind, seed), limit) for kind, limit in counts.items() if limit != 0}
        while streams and (ends is None or time.monotonic() < ends):
            for kind in list(streams):
                for _ in range(SHARES[kind]):
                    if (item := next(streams[kind], None)) is None:
                        streams.pop(kind)
                        break
                    if ends is not None and time.monotonic() > ends:
                        break
                    number, extension, data = item
                    accepted, wrong = try_one(kind, extension, data, workers[kind], folder)
                    tally.tried[kind] += 1
                    tally.accepted[kind] += accepted
                    if wrong:
                        keep.mkdir(parents=True, exist_ok=True)
                        (keep / f"{kind}-{seed}-{number}.{extension}").write_bytes(data)
                        tally.findings.append(f"{kind} {number} of seed {seed} (.{extension}): {wrong}")
                        print(tally.findings[-1], flush=True)
        for worker in workers.values():
            worker.close()
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for kind in KINDS:
        parser.add_argument(f"--{kind}s", type=int, metavar="N", help=f"mutated {kind}s to try")
    parser.add_argument("--seconds", type=float, help="stop after so long; without numbers, of everything")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"), help="where files of findings go")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child()
        return 0
    asked: dict[str, int | None] = {kind: getattr(args, f"{kind}s") for kind in KINDS}
    if any(asked.values()) or not args.seconds:
        asked = {kind: number or 0 for kind, number in asked.items()}
    if not args.seconds and not any(asked.values()):
        parser.error("give --pictures, --networks, --clips or --seconds")
    tally = run(asked, args.seed, args.keep, args.seconds)
    for kind in KINDS:
        print(f"{kind}s: {tally.tried[kind]} tried, {tally.accepted[kind]} of them still good enough to be painted")
    print(f"{len(tally.findings)} findings")
    return 1 if tally.findings else 0


if __name__ == "__main__":
    sys.exit(main())
