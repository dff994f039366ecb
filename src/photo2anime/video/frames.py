"""The records of video: a frame, colour tags, the facts of a video, and what could not be read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from photo2anime.types import RGB


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of many. rgb: (H, W, 3) uint8, upright. pts, duration: in units of Facts.time_base; duration is at
    least 1. alpha: (H, W) uint8 or None.
    """

    rgb: RGB
    pts: int
    duration: int
    alpha: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class Colors:
    """The colour tags of a video, as numbers of ITU-T H.273; 2 is "unspecified".

    range: 0 unspecified, 1 limited, 2 full.
    """

    range: int = 0
    matrix: int = 2
    primaries: int = 2
    transfer: int = 2


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a video. height, width: of the stored pixels after --max-side, before they are turned upright.

    time_base: seconds a timestamp counts in. fps: average. frames, seconds: None when the file does not say.
    quarter_turns: counter-clockwise, which make a stored frame upright. display_matrix: the nine numbers that say so in
    the file, None for none. pixel_aspect: width over height of one pixel. alpha: whether frames have transparency.
    plays: how often an animation is shown, 0 is for ever.
    """

    height: int
    width: int
    time_base: Fraction
    fps: Fraction
    frames: int | None = None
    seconds: float | None = None
    quarter_turns: int = 0
    display_matrix: tuple[int, ...] | None = None
    pixel_aspect: Fraction = Fraction(1)
    colors: Colors = Colors()
    alpha: bool = False
    plays: int = 0

    @property
    def usual_duration(self) -> int:
        """A frame's duration at the average rate, in units of time_base, at least 1."""
        return max(1, round(1 / self.fps / self.time_base))


@dataclass(slots=True)
class Losses:
    """Counts of what could not be read."""

    broken_packets: int = 0
    damaged_frames: int = 0
    missing_seconds: float = 0.0

    def told(self) -> list[str]:
        """The losses as clauses, one for each kind; empty when all was read."""
        said = []
        if self.broken_packets:
            said.append(f"{self.broken_packets} damaged packets could not be decoded and were left out")
        if self.damaged_frames:
            said.append(f"{self.damaged_frames} frames were damaged and painted as far as they could be decoded")
        if self.missing_seconds:
            said.append(f"the file ends {self.missing_seconds:.2f} s before the end it announces; the rest is lost")
        return said


def in_yuv(facts: Facts) -> Facts:
    """Facts with colour tags that fit pictures in YUV: RGB sources have none of their own."""
    if facts.colors.matrix != 0:
        return facts
    return replace(facts, colors=replace(facts.colors, range=1, matrix=1))
