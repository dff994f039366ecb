"""Measures `photo2anime batch`: how much of what bare processes paint, what the start costs, whether memory is flat.

    python scripts/bench_batch.py --photos 2000 --size 640x480
    python scripts/bench_batch.py --photos 20000 --size 256x256 --memory

The first compares with processes that paint photos they hold in memory, before and after the batch, because a machine
has moods; and in core-seconds too, of all processes that a batch has, which others on the machine change little. The
second prints the driver's memory as photos go by. --sizes prints the core-seconds of one photo, by its size, for
estimates. Prints Markdown.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from photo2anime.batch.manifest import read_manifest
from photo2anime.batch.run import Progress, paint_batch
from photo2anime.images.image_io import WriteOptions, encode_image, read_image
from photo2anime.inference.runtime import cpu_features, cpu_threads
from photo2anime.options import BatchOptions, LoadOptions

EXAMPLES = Path(__file__).parent.parent / "examples"
SIZES = ((640, 480), (1600, 1200), (4000, 3000))
BARE = """
import os, sys, time
os.environ["PHOTO2ANIME_THREADS"] = "1"
from photo2anime.images.image_io import read_image
from photo2anime.options import LoadOptions
files, count = sys.argv[2:], int(sys.argv[1])
photos = [read_image(file) for file in files]
stylizer = LoadOptions().stylizer("hayao")
stylizer.paint_picture(photos[0])
print("ready", flush=True)
sys.stdin.readline()
started, spent = time.time(), time.process_time()
for number in range(count):
    stylizer.paint_picture(photos[number % len(photos)])
print(time.time() - started, time.process_time() - spent)
"""


@dataclass(frozen=True)
class Batch:
    """What a batch did. rate: photos a second from the first result to the last. spent: core-seconds until the last.
    memory: (photos, MB) of the driver.
    """

    rate: float
    spent: float
    startup: float
    seconds: float
    failed: int
    memory: list[tuple[int, float]]


def make_photos(folder: Path, count: int, width: int, height: int) -> None:
    """Crops of the example photos, each with a noise of its own, as JPEG."""
    rng = np.random.default_rng(0)
    sources = [Image.open(file).convert("RGB") for file in sorted(EXAMPLES.glob("*.jpg"))]
    for number in range(count):
        source = sources[number % len(sources)]
        scale = max(width / source.width, height / source.height) * rng.uniform(1, 1.5)
        larger = source.resize((max(width, round(source.width * scale)), max(height, round(source.height * scale))))
        left, top = (int(rng.integers(0, larger.size[i] - (width, height)[i] + 1)) for i in (0, 1))
        place = folder / f"{number // 1000:03}"
        place.mkdir(parents=True, exist_ok=True)
        larger.crop((left, top, left + width, top + height)).save(place / f"{number:06}.jpg", quality=90)


@dataclass(frozen=True)
class Bare:
    """Photos a second of all processes together, and core-seconds of one photo."""

    rate: float
    core_seconds: float


def bare(files: list[Path], processes: int, count: int) -> Bare:
    """So many processes that paint, without reading or writing. count: photos each."""
    command = [sys.executable, "-c", BARE, str(count), *map(str, files)]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    for one in running:
        assert one.stdout is not None and one.stdout.readline().strip() == "ready"
    for one in running:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    told = [tuple(map(float, one.communicate()[0].split())) for one in running]
    return Bare(sum(count / took for took, _ in told), sum(spent for _, spent in told) / count / processes)


def core_seconds(process: psutil.Process) -> float:
    """What it and all below it have spent so far."""
    spent = 0.0
    for one in (process, *process.children(recursive=True)):
        with suppress(psutil.Error):
            times = one.cpu_times()
            spent += times.user + times.system
    return spent


def run_batch(source: Path, dest: Path) -> Batch:
    """One batch with the usual options."""
    process, memory = psutil.Process(), list[tuple[int, float]]()
    before, spent = core_seconds(process), 0.0

    def on_row(progress: Progress) -> None:
        nonlocal spent
        if progress.summary.done % 100 == 0:
            spent = core_seconds(process) - before
            memory.append((progress.summary.done, process.memory_info().rss / 1e6))

    summary = paint_batch(BatchOptions(str(source), str(dest)), on_row=on_row)
    times = [row.time for row in read_manifest(str(dest)) if row.status == "painted"]
    rate = (len(times) - 1) / (max(times) - min(times))
    return Batch(rate, spent, summary.startup, summary.seconds, summary.failed, memory)


def print_sizes() -> None:
    """What one photo takes on one core, read from and written to memory."""
    os.environ["PHOTO2ANIME_THREADS"] = "1"
    print("| photo | bytes | int8, core-seconds | float32, core-seconds | of it reading and writing |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        for width, height in SIZES:
            folder = Path(place, f"{width}x{height}")
            make_photos(folder, 6, width, height)
            files = [file.read_bytes() for file in sorted(folder.rglob("*.jpg"))]
            took = {precision: _mean_seconds(files, precision) for precision in ("int8", "float32")}
            size = sum(map(len, files)) / len(files)
            whole = " | ".join(f"{sum(took[precision]):.3f}" for precision in took)
            print(f"| {width}x{height} | {size / 1e3:.0f} kB | {whole} | {took['int8'][1]:.3f} |", flush=True)


def _mean_seconds(files: list[bytes], precision: str) -> tuple[float, float]:
    """Core-seconds a photo: painting; reading and writing."""
    stylizer = LoadOptions(precision=precision).stylizer("hayao")  # type: ignore[arg-type]
    stylizer.paint_picture(read_image(files[0]))
    painting = other = 0.0
    for content in files:
        began = time.process_time()
        picture = read_image(content)
        read = time.process_time()
        painted = stylizer.paint_picture(picture).picture
        done = time.process_time()
        encode_image(painted, WriteOptions())
        painting, other = painting + done - read, other + read - began + time.process_time() - done
    return painting / len(files), other / len(files)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--photos", type=int, default=2000)
    p.add_argument("--size", default="640x480")
    p.add_argument("--memory", action="store_true", help="only the driver's memory, no comparison")
    p.add_argument("--sizes", action="store_true", help="only what one photo takes, by its size")
    args = p.parse_args()
    if args.sizes:
        print_sizes()
        return
    width, height = map(int, args.size.split("x"))
    cores = cpu_threads()
    vnni = "with" if any("vnni" in name for name in cpu_features()) else "without"
    print(f"{cores} cores {vnni} VNNI, load {os.getloadavg()[0]:.1f}, {args.photos} photos of {args.size}\n")
    with tempfile.TemporaryDirectory() as place:
        source = Path(place, "in")
        make_photos(source, args.photos, width, height)
        sample = sorted(source.rglob("*.jpg"))[:24]
        each = max(1, min(args.photos, 200) // cores)
        before = None if args.memory else bare(sample, cores, each)
        done = run_batch(source, Path(place, "out"))
        after = None if args.memory else bare(sample, cores, each)
        again = None if args.memory else run_batch(source, Path(place, "out"))  # all but the painting
    print("| | |\n|---|---|")
    if before is not None and after is not None and again is not None:
        rate, spent = (before.rate + after.rate) / 2, (before.core_seconds + after.core_seconds) / 2
        own = (done.spent - again.spent) / args.photos
        print(f"| bare, before and after | {before.rate:.2f}, {after.rate:.2f} photos a second |")
        print(f"| bare, before and after | {before.core_seconds:.4f}, {after.core_seconds:.4f} core-seconds a photo |")
        print(f"| batch | {done.rate:.2f} photos a second, {done.rate / rate:.2f} of bare |")
        print(f"| batch, without its start | {own:.4f} core-seconds a photo, {spent / own:.2f} of bare |")
        print(f"| again, with nothing to do | {again.spent:.1f} core-seconds, {again.seconds:.1f} s |")
    print(f"| start until the first result | {done.startup:.1f} s |\n| whole run | {done.seconds:.1f} s |")
    print(f"| failed | {done.failed} |")
    for count, megabytes in done.memory[:: max(1, len(done.memory) // 10)]:
        print(f"| driver after {count} | {megabytes:.1f} MB |")


if __name__ == "__main__":
    started = time.perf_counter()
    main()
    print(f"\nin {time.perf_counter() - started:.0f} s")
