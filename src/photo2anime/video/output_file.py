"""Chooses where a result is written, and refuses places where it may not be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from photo2anime.images.image_io import why_not_written
from photo2anime.options import VideoOptions
from photo2anime.types import Photo2AnimeError
from photo2anime.video import animation
from photo2anime.video.encoder import CONTAINERS


def choose_target(options: VideoOptions, file: Path, style: str) -> Path:
    """Where the result goes. Raises Photo2AnimeError when it cannot be written there or something is there already."""
    known = {**CONTAINERS, **animation.FORMATS}
    suffix = file.suffix.lower() if file.suffix.lower() in known else ".mp4"
    target = Path(options.out) if options.out else file.with_name(f"{file.stem}-{style}{suffix}")
    if options.out and (options.out.endswith(("/", "\\")) or target.is_dir()):
        target = target / f"{file.stem}-{style}{suffix}"
    if target.suffix.lower() not in known:
        raise Photo2AnimeError(f"cannot write {target.suffix or 'a file without extension'}; use {', '.join(known)}")
    if target.exists() and not options.overwrite and not options.preview:
        raise Photo2AnimeError(f"{target} is there already; give another -o, or --overwrite")
    with reporting_disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    return target


@contextmanager
def reporting_disk_errors(target: Path) -> Iterator[None]:
    """Turns disk errors into a Photo2AnimeError of one line."""
    try:
        yield
    except OSError as error:
        when_full = "free some space" + (", then --resume" if target.suffix.lower() in CONTAINERS else "")
        raise Photo2AnimeError(why_not_written(target, error, when_full=when_full)) from error


def sync(file: Path) -> None:
    """Waits until the file is on the disk."""
    with open(file, "rb+") as opened:
        os.fsync(opened.fileno())
