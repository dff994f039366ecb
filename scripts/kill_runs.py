"""Ends `paint`, `video` and `distill` by SIGKILL at random moments, and looks for what was lost; seeded.

    python scripts/kill_runs.py [--moments 50] [--commands paint,video,distill] [--seed 0] [--seconds S]

Asserted after each: no source changed, what bears a result's final name is whole, and the same command, given again,
ends with every result and nothing beside them: exit code 0, or for a clip that was whole already a refusal. Exit code 1
when something was wrong. Linux and macOS.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image

PHOTOS, FRAMES, STEPS = 5, 12, 6
HEIGHT, WIDTH = 48, 64
_DISTILL = (  # the command, with features of a few numbers in place of the ones that are not shipped
    "import sys, torch; from photo2anime.train.learning import distill as module;"
    "layer = torch.nn.Conv2d(3, 4, 3);"
    "module.load_features = lambda _: lambda x: [layer(x).relu()];"
    "from photo2anime.cli import main; sys.exit(main(sys.argv[1:]))"
)


@dataclass(frozen=True, slots=True)
class Case:
    """A command in a folder. results: names of all that is there in the end, below `out`. whole: raises for a file that
    is not; of no other is one asked.
    """

    command: list[str]
    results: set[str]
    whole: Callable[[Path], object]
    may_leave: bool = False  # whether other files may lie in `out` in the end: checkpoints, logs


def main() -> int:
    """Reads the arguments, tries the moments of each command in turn, prints figures; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=50, help="of each command")
    parser.add_argument("--commands", default="paint,video,distill")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no further moment after so long")
    args = parser.parse_args()
    names, ends = args.commands.split(","), time.monotonic() + args.seconds
    rng, findings = random.Random(args.seed), []
    with tempfile.TemporaryDirectory(prefix="photo2anime-kill-") as folder:
        lasts = {name: seconds_of(name, Path(folder) / name) for name in names}
        tried, killed = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
        for moment in range(args.moments):
            for name in names:
                if time.monotonic() > ends:
                    break
                after = rng.uniform(0, lasts[name])
                was_killed, wrong = try_one(name, Path(folder) / f"{name}-{moment}", after)
                tried[name] += 1
                killed[name] += was_killed
                findings += [f"{name}, killed after {after:.3f} s: {what}" for what in wrong]
                for what in wrong:
                    print(f"{name}, killed after {after:.3f} s: {what}", flush=True)
    for name in names:
        print(f"{name}: {tried[name]} moments, {killed[name]} before its end; it takes {lasts[name]:.1f} s")
    print(f"{len(findings)} findings")
    return 1 if findings else 0


def seconds_of(name: str, folder: Path) -> float:
    """How long the command takes when nobody ends it."""
    case = prepared(name, folder)
    started = time.monotonic()
    ended = _started(case, folder).communicate()[1]
    if _names(folder / "out") < case.results:
        raise SystemExit(f"{name} does not work: {ended}")
    return time.monotonic() - started


def try_one(name: str, folder: Path, after: float) -> tuple[bool, list[str]]:
    """Ends the command after so many seconds, then lets it go on: whether it was still at work, and what is wrong."""
    case = prepared(name, folder)
    sources, wrong = _digests(folder / "in"), []
    process = _started(case, folder)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate()
    for result in sorted(case.results & _names(folder / "out")):
        wrong += _half(case, folder / "out" / result, "after the kill")
    was_whole = case.results <= _names(folder / "out")
    again = _started(case, folder)
    told = again.communicate()[1]
    if again.returncode and not (was_whole and "is there already" in told):  # ended between the rename and the exit
        wrong.append(f"the same command again ends with {again.returncode}: {told.strip()[-300:]}")
    there = _names(folder / "out")
    for result in sorted(case.results - there):
        wrong.append(f"{result} is missing in the end")
    for result in sorted(case.results & there):
        wrong += _half(case, folder / "out" / result, "in the end")
    if not case.may_leave and there - case.results:
        wrong.append(f"left over: {', '.join(sorted(there - case.results))}")
    if _digests(folder / "in") != sources:
        wrong.append("a source was changed")
    return process.returncode < 0, wrong


def prepared(name: str, folder: Path) -> Case:
    """Sources of the command in folder/in, and the command."""
    photos, out = folder / "in", folder / "out"
    photos.mkdir(parents=True)
    out.mkdir()
    rng = np.random.default_rng(1)
    frames = [rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8) for _ in range(max(PHOTOS, FRAMES))]
    program = [sys.executable, "-m", "photo2anime"]
    if name == "video":
        _write_clip(photos / "a.mp4", frames[:FRAMES])
        command = [*program, "video", str(photos / "a.mp4"), "-s", "shinkai-v2", "-o", str(out / "a.mp4")]
        return Case(command, {"a.mp4"}, _decode_clip)
    for number, frame in enumerate(frames[:PHOTOS]):
        Image.fromarray(frame).save(photos / f"{number}.png")
    if name == "paint":
        command = [*program, "paint", "-r", str(photos), "-s", "shinkai-v2", "-o", str(out)]
        return Case(command, {f"{number}-shinkai-v2.png" for number in range(PHOTOS)}, _decode_picture)
    command = [sys.executable, "-c", _DISTILL, "distill", "--photos", str(photos), "--targets", str(photos)]
    command += ["--run", str(out / "run"), "--style", "tiny", "--width", "8", "--crop-px", "32", "--batch-size", "2"]
    command += ["--steps", str(STEPS), "--warmup-steps", "1", "--checkpoint-steps", "2"]
    return Case(command, {"run/config.json"}, Path.read_bytes, may_leave=True)


def _started(case: Case, folder: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HOME": str(folder)}
    pipe = subprocess.PIPE
    return subprocess.Popen(case.command, stdout=subprocess.DEVNULL, stderr=pipe, text=True, env=environment)


def _write_clip(file: Path, frames: list[np.ndarray]) -> None:
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def _decode_clip(file: Path) -> None:
    with av.open(str(file)) as container:
        shown = sum(1 for _ in container.decode(video=0))
    if shown != FRAMES:
        raise ValueError(f"{shown} of {FRAMES} frames")


def _decode_picture(file: Path) -> None:
    with Image.open(file) as image:
        image.load()


def _half(case: Case, file: Path, when: str) -> list[str]:
    try:
        case.whole(file)
    except (OSError, ValueError, SyntaxError) as error:  # FFmpeg's errors are OSErrors or ValueErrors
        return [f"{file.name} is not whole {when}: {error}"]
    return []


def _names(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def _digests(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


if __name__ == "__main__":
    sys.exit(main())
