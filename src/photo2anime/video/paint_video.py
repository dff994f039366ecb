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
    *,
    progress: Progress = lambda done, total: None,
) -> None:
    """Source painted into target as `photo2anime video` does by default, with its sound; whole or not at all.

    progress: called after each frame with how many are done and how many there are, as far as the file tells (else
    None); what it raises ends the work, and nothing is left behind. Raises Photo2AnimeError for what is no video.
    """
    with VideoSource(source) as opened:
        run = Run(VideoOptions(str(source), str(target), options, overwrite=True), opened, stylizer, progress)
        try:
            run.to_video()()
        except BaseException:
            run.close(keep=False)
            raise


def stills(source: Path, count: int) -> list[Picture]:
    """The first frames of count equal parts of a video, fewer when it is short."""
    with VideoSource(source) as opened:
        seconds = opened.facts.seconds or 0.0
    found = []
    for number in range(count):
        with VideoSource(source, start=seconds * number / count) as opened:
            frames = opened.frames()
            frame = next(frames, None)
            frames.close()
        if frame is not None:
            found.append(Picture(frame.rgb))
    return found
