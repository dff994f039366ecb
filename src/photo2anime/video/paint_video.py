"""Functions for other modules: paint a whole video, or take stills from it, without the command line."""

from __future__ import annotations

from pathlib import Path

from photo2anime.options import PaintOptions, VideoOptions
from photo2anime.painting.stylizer import Stylizer
from photo2anime.types import Picture
from photo2anime.video.convert import Progress, Run
from photo2anime.video.source import VideoSource


def paint_video(
    source: Path,
    target: Path,
    stylizer: Stylizer,
    options: PaintOptions,
    start: float = 0.0,
    end: float | None = None,
    *,
    progress: Progress = lambda done, total: None,
) -> None:
    """Source painted into target as `photo2anime video` does by default, with its sound; whole or not at all.

    start, end: of the part that is painted, in seconds; None is to the end.
    progress: called after each frame with how many are done and how many there are, as far as the file tells (else
    None); what it raises ends the work, and nothing is left behind. Raises Photo2AnimeError for what is no video.
    """
    video = VideoOptions(str(source), str(target), options, start=start, end=end, overwrite=True)
    with VideoSource(source, start=start, end=end) as opened:
        run = Run(video, opened, stylizer, progress)
        try:
            run.to_video()()
        except BaseException:
            run.close(keep=False)
            raise


def seconds(source: Path) -> float:
    """How long the video lasts, as far as the file tells; else 0."""
    with VideoSource(source) as opened:
        return float(opened.facts.seconds or 0)


def stills(source: Path, count: int, start: float = 0.0, end: float | None = None) -> list[Picture]:
    """The first frames of count equal parts of a video from start to end (seconds), fewer when it is short."""
    end = seconds(source) if end is None else end
    found = []
    for number in range(count):
        with VideoSource(source, start=start + (end - start) * number / count) as opened:
            frames = opened.frames()
            frame = next(frames, None)
            frames.close()
        if frame is not None:
            found.append(Picture(frame.rgb))
    return found
