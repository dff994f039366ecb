"""Measures `photo2anime video`: python scripts/bench_video.py [--against FILE.onnx ...]

Prints tables and writes docs/benchmarks-video.md. Every network goes through the same command, on the same clip, with
reading and writing included, in turn in one process, so that a machine whose speed drifts is fair to all. AnimeGANv2
has untrained weights: the arithmetic is the same.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import statistics
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from PIL import Image

from bench import REFERENCE, animeganv2, write_report
from photo2anime.inference.runtime import cpu_threads
from photo2anime.options import LoadOptions, VideoOptions
from photo2anime.painting.stylizer import Stylizer
from photo2anime.styles import list_styles
from photo2anime.types import RGB, Batch, MeanColor
from photo2anime.video.convert import Run
from photo2anime.video.source import VideoSource
from photo2anime.video.steady import Steady

EXAMPLES = Path(__file__).parent.parent / "examples"
SIZES = {"854x480": (480, 854), "1280x720": (720, 1280)}
STYLE = "hayao"  # every style has the same network
OURS = f"photo2anime {STYLE}"
STEP_PX = (0.4, 0.75)  # how far the pan moves from frame to frame, (down, right)
NOISE_LEVELS = 4.0  # standard deviation of the sensor noise
SETTLE_FRAMES = 4  # left out of the flicker figures, of inputs and results alike


class Speed(NamedTuple):
    fps: float
    network_share: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", nargs="*", type=Path, default=[], metavar="FILE.onnx")
    parser.add_argument("--frames", type=int, default=60, help="of the clip that we paint")
    parser.add_argument("--short-frames", type=int, default=2, help="of the clip that the others paint")
    parser.add_argument("--sizes", nargs="*", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--flicker-frames", type=int, default=60, help="0 for none")
    parser.add_argument("--out", type=Path, default=EXAMPLES.parent / "docs" / "benchmarks-video.md")
    args = parser.parse_args()
    torch.set_num_threads(cpu_threads())
    write_report(measured(args), args.out)


def measured(args: Namespace) -> Iterator[str]:
    """The report's sections, in Markdown."""
    yield header(args.rounds)
    for name in args.sizes:
        yield f"## {name}\n\n" + speed_table(*SIZES[name], args)
    if args.flicker_frames > SETTLE_FRAMES + 1:
        yield "## Flicker\n\n" + flicker_table(args)


def header(rounds: int) -> str:
    return (
        "# Video benchmarks\n\n"
        f"Written by `scripts/bench_video.py` on {datetime.date.today()}: {platform.machine()}, {cpu_threads()} "
        f"threads, Python {platform.python_version()}, onnxruntime {onnxruntime.__version__}, av {av.__version__}, "
        f"torch {torch.__version__}. Frames a second are of the whole command, H.264 in and out; medians of {rounds} "
        "rounds, all networks in turn in one process, on a clip that pans over a photo.\n"
    )


# Speed


def stylizers(against: list[Path], height: int, width: int) -> dict[str, Stylizer]:
    """Who paints, by name. Networks of one fixed size would run in tiles, so they are left out."""
    found = {OURS: LoadOptions("cpu").for_video().stylizer(STYLE), REFERENCE: animeganv2()}
    if found[OURS].card.sha256 != list_styles()[STYLE].sha256:
        found[f"{OURS}, --precision int8"] = Stylizer.load(STYLE, device="cpu", precision="int8")
        found[f"{OURS}, --precision float32"] = Stylizer.load(STYLE, device="cpu")
    for file in against:
        loaded = Stylizer.load(file, device="cpu", tile_px=1 << 20)
        if loaded.card.fixed_size in (None, (height, width)):
            found[file.stem] = loaded
    return found


def speed_table(height: int, width: int, args: Namespace) -> str:
    ways = stylizers(args.against, height, width)
    found: dict[str, list[Speed]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as folder:
        long, short = Path(folder) / "long.mp4", Path(folder) / "short.mp4"
        write_clip(long, pan(args.frames, height, width, 0))
        write_clip(short, pan(args.short_frames, height, width, 0))
        for _ in range(args.rounds):
            for name, stylizer in ways.items():
                found[name].append(paint_clip(long if name.startswith(OURS) else short, stylizer))
    ours = statistics.median(speed.fps for speed in found[OURS])
    lines = ["| network | frames a second | photo2anime is faster | inside the network |", "|---|---|---|---|"]
    for name, speeds in found.items():
        fps = statistics.median(speed.fps for speed in speeds)
        share = statistics.median(speed.network_share for speed in speeds)
        lines.append(f"| {name} | {fps:.2f} | {ours / fps:.1f} times | {share:.0%} |")
    return "\n".join(lines) + "\n"


def paint_clip(clip: Path, stylizer: Stylizer) -> Speed:
    """One run of the command without its command line; the time inside the network is that of its calls."""
    target = clip.with_name("painted.mp4")
    options = VideoOptions(str(clip), str(target), overwrite=True)
    inside = 0.0
    network = stylizer.network

    def timed(batch: Batch, *mean_color: MeanColor) -> Batch:
        nonlocal inside
        began = time.perf_counter()
        try:
            return network(batch, *mean_color)
        finally:
            inside += time.perf_counter() - began

    stylizer.network = timed
    began = time.perf_counter()
    try:
        with VideoSource(clip) as source:
            run = Run(options, source, stylizer)
            run.to_video()()
    finally:
        stylizer.network = network
    seconds = time.perf_counter() - began
    return Speed(run.painted / seconds, inside / seconds)


def write_clip(file: Path, frames: list[RGB]) -> None:
    with av.open(str(file), "w") as out:
        stream = out.add_stream("libx264", rate=Fraction(25), options={"crf": "18"})
        stream.height, stream.width = frames[0].shape[:2]
        for rgb in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        out.mux(stream.encode(None))


# Flicker


def still(frames: int, height: int, width: int) -> list[RGB]:
    """A photo that stands still, with new sensor noise in every frame."""
    photo = np.asarray(Image.open(EXAMPLES / "china.jpg").convert("RGB").resize((width, height)), np.float32)
    return [noisy(photo, NOISE_LEVELS, number) for number in range(frames)]


def pan(frames: int, height: int, width: int, noise: float) -> list[RGB]:
    """A slow pan over a photo, by STEP_PX a frame, cubic interpolation."""
    with Image.open(EXAMPLES / "china.jpg") as image:
        scale = max((width + STEP_PX[1] * frames) / image.width, (height + STEP_PX[0] * frames) / image.height)
        size = (round(image.width * scale) + 8, round(image.height * scale) + 8)
        photo = np.asarray(image.convert("RGB").resize(size, Image.Resampling.LANCZOS), np.float32)
    return [noisy(np.asarray(shifted(photo, n)[:height, :width], np.float32), noise, n) for n in range(frames)]


def shifted(photo: NDArray[np.float32], steps: float) -> NDArray[np.float32]:
    down, right = (step * steps for step in STEP_PX)
    matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(photo, matrix, photo.shape[1::-1], flags=flags, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.float32)


def noisy(photo: NDArray[np.float32], levels: float, seed: int) -> RGB:
    noise = np.random.default_rng(seed).normal(0, levels, photo.shape) if levels else 0
    grey: RGB = np.clip(photo + noise + 0.5, 0, 255).astype(np.uint8)
    return grey


def deviation(frames: list[RGB]) -> float:
    """Standard deviation over time, in grey levels, averaged over the picture."""
    return float(np.stack(frames[SETTLE_FRAMES:]).astype(np.float32).std(axis=0).mean())


def warp_error(frames: list[RGB]) -> float:
    """Mean difference, in grey levels, of each frame to the one before it moved by the pan's exact motion."""
    inside = (slice(8, -8), slice(8, -8))
    errors = [
        np.abs(shifted(before.astype(np.float32), 1)[inside] - after[inside].astype(np.float32)).mean()
        for before, after in zip(frames[SETTLE_FRAMES:], frames[SETTLE_FRAMES + 1 :], strict=False)
    ]
    return float(np.mean(errors))


def steadied(strength: float) -> Callable[[RGB], RGB]:
    """Paints frames that follow one another as `photo2anime video` does."""
    paint, steady = LoadOptions("cpu").for_video().stylizer(STYLE).paint, Steady(strength)
    return lambda photo: steady(photo, paint(photo))


def flicker_table(args: Namespace) -> str:
    size = (256, 384)
    clips = still(args.flicker_frames, *size), pan(args.flicker_frames, *size, 0), pan(args.flicker_frames, *size, 3)
    painters: dict[str, Callable[[], Callable[[RGB], RGB]]] = {"input": lambda: lambda rgb: rgb}
    for strength in (0.0, 0.85):
        painters[f"photo2anime {STYLE}, --steady {strength:g}"] = lambda s=strength: steadied(s)  # type: ignore[misc]
    for file in args.against:
        painters[file.stem] = lambda f=file: Stylizer.load(f, device="cpu").paint  # type: ignore[misc]
    lines = [
        f"{args.flicker_frames} frames of {size[1]}x{size[0]}, the first {SETTLE_FRAMES} left out. Still: a photo with "
        f"sensor noise of {NOISE_LEVELS:g} levels, standard deviation over time. Pan: over a photo by {STEP_PX[1]:g} "
        f"pixels right and {STEP_PX[0]:g} down a frame, difference to the frame before after that motion, without "
        "noise and with noise of 3 levels. Grey levels of 255, in brackets over the input's.\n",
        "| | still | pan | noisy pan |",
        "|---|---|---|---|",
    ]
    base: list[float] | None = None
    for name, begin in painters.items():
        painted = [[*map(begin(), clip)] for clip in clips]
        figures = [deviation(painted[0]), warp_error(painted[1]), warp_error(painted[2])]
        base = base or figures
        cells = " | ".join(f"{value:.2f} ({value / own:.2f})" for value, own in zip(figures, base, strict=True))
        lines.append(f"| {name} | {cells} |")
        print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
