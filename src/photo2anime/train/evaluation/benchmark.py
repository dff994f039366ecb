"""Measures a style's flicker on short clips, its time and its memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import psutil

from photo2anime.types import RGB, Photo2AnimeError

_CLIP_PX, _CLIP_FRAMES = 320, 5
_SENSOR_LEVELS = 2.5  # standard deviation of a camera's noise in ordinary light
_BORDER_PX = 48  # left out of a pan: what comes into view there is new to the network
_POLL_SECONDS = 0.01
_PAINT_ONCE_AND_TIME = """
import json, sys, time
import numpy
from photo2anime import Stylizer
stylizer = Stylizer.load(sys.argv[1])
photo = numpy.random.default_rng(0).integers(0, 256, (int(sys.argv[2]), int(sys.argv[3]), 3), numpy.uint8)
times = []
for _ in range(4):
    started = time.perf_counter()
    stylizer.paint(photo)
    times.append(time.perf_counter() - started)
print(json.dumps(min(times) * 1e3))
"""


@dataclass(frozen=True, slots=True)
class Flicker:
    """noise: how far painted frames of a still differ over how far the frames do, which carry sensor noise alone.
    pan: how far two painted frames of a camera that moves one pixel differ where they show the same, in grey levels.
    """

    noise: float
    pan: float


@dataclass(frozen=True, slots=True)
class Cost:
    """milliseconds: the fastest of four paintings of a picture. memory_mb: most that the whole process took, in MB."""

    milliseconds: float
    memory_mb: float


def flicker(photos: list[RGB], paint: Callable[[RGB], RGB]) -> Flicker:
    """The mean over photos of a clip of five frames each: the middle with noise, and a pan over it to the right."""
    noises, pans = [], []
    for number, photo in enumerate(photos):
        height, width = photo.shape[:2]
        side = min(_CLIP_PX, height, width - _CLIP_FRAMES)
        top, left = (height - side) // 2, (width - _CLIP_FRAMES - side) // 2
        still = photo[top : top + side, left : left + side]
        rng = np.random.default_rng(number)
        noisy = [np.clip(still + rng.normal(0, _SENSOR_LEVELS, still.shape), 0, 255) for _ in range(_CLIP_FRAMES)]
        frames = [np.rint(frame).astype(np.uint8) for frame in noisy]
        noises.append(_mean_step([paint(frame) for frame in frames]) / _mean_step(frames))
        moving = [paint(photo[top : top + side, left + t : left + t + side]) for t in range(_CLIP_FRAMES)]
        border = min(_BORDER_PX, side // 4)
        inner = slice(border, side - border)
        steps = [
            _difference(a[inner, border + 1 : side - border], b[inner, border : side - border - 1])
            for a, b in pairwise(moving)
        ]
        pans.append(float(np.mean(steps)))
    return Flicker(float(np.mean(noises)), float(np.mean(pans)))


def _mean_step(frames: list[RGB]) -> float:
    return float(np.mean([_difference(a, b) for a, b in pairwise(frames)]))


def _difference(a: RGB, b: RGB) -> float:
    return float(np.abs(a.astype(np.float32) - b).mean())


def cost(style: str, height: int, width: int) -> Cost:
    """What painting a (height, width) picture takes, in a process of its own that does nothing else."""
    command = [sys.executable, "-c", _PAINT_ONCE_AND_TIME, style, str(height), str(width)]
    process = psutil.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    most = 0
    while process.poll() is None:
        try:
            most = max(most, process.memory_info().rss)
        except psutil.Error:  # it has just ended
            break
        try:
            process.wait(_POLL_SECONDS)
        except psutil.TimeoutExpired:
            continue
    said, wrong = process.communicate()
    if process.returncode:
        raise Photo2AnimeError(f"{style} could not be timed ({(wrong.strip().splitlines() or ['killed'])[-1]})")
    return Cost(float(json.loads(said)), most / 1e6)
