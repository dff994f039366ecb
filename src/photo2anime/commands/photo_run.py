"""One photo after the other: where its results go, whether they may, painting, and what is told of it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from photo2anime.commands.sources import STANDARD, PhotoToPaint, names_a_file
from photo2anime.commands.telling import Line, Outcome
from photo2anime.images.color_codes import GAIN_MAP
from photo2anime.images.decode import DEEP
from photo2anime.images.image_io import (
    FORMATS,
    encode_image,
    extension,
    left_out,
    read_image,
    writable_format,
    write_image,
)
from photo2anime.options import PhotosOptions
from photo2anime.painting import compose
from photo2anime.painting.comparison import Comparison
from photo2anime.painting.stylizer import Stylizer
from photo2anime.types import MemoryRanOutError, PaintedFace, Painting, Photo2AnimeError, Picture

_SAID_ONCE = {GAIN_MAP, DEEP}  # every photo of a telephone has a map, every scan of a folder its 16 bits


class PhotoRun:
    """Paints one photo after the other as options say. sources: real paths not to write to. say: takes the lines to
    print. tile_bars: shows one for each large photo.
    """

    def __init__(
        self,
        options: PhotosOptions,
        stylizers: Sequence[Stylizer | Comparison],
        sources: set[str],
        say: Callable[[Line], None],
        *,
        tile_bars: bool = False,
    ) -> None:
        self.options, self.stylizers, self.sources = options, stylizers, sources
        self.say, self.tile_bars = say, tile_bars
        self.written: dict[Path, str] = {}

    def attempt(self, job: PhotoToPaint) -> Outcome:
        """One photo in every style, whatever happens to it; what goes wrong is told in one line."""
        outcome = Outcome(photos=1)
        try:
            self._paint(job, outcome)
        except Photo2AnimeError as error:
            self._tell_error(job, error, outcome)
        except MemoryError:
            self._tell_error(job, MemoryRanOutError(), outcome)
        return outcome

    def groups(self, jobs: Iterable[PhotoToPaint]) -> list[list[PhotoToPaint]]:
        """jobs, those together whose results might have one name: they have to be painted one after the other."""
        found: dict[tuple[Path, str], list[PhotoToPaint]] = {}
        for job in jobs:
            found.setdefault((self._folder(job), _stem(job)), []).append(job)
        return list(found.values())

    def _paint(self, job: PhotoToPaint, outcome: Outcome) -> None:
        """One photo in every style, counted. Raises Photo2AnimeError for the first thing that is wrong with it."""
        picture: Picture | None = None
        for stylizer in self.stylizers:
            started = time.perf_counter()
            target = self._target(job, stylizer.card.name, picture)
            if target is None and picture is None:
                picture = self._read(job)
                target = self._target(job, stylizer.card.name, picture)
            if target is not None and self._skip(job, target):
                outcome.skipped += 1
                continue
            if self.options.dry_run:
                self._tell_result(f"{job.source} -> {target or 'standard output'} in {stylizer.card.name}")
                self.written[target or Path(STANDARD)] = job.source
                continue
            picture = picture or self._read(job)
            painting = self._painted(stylizer, picture)
            if lost := left_out(picture, self.options.write, target):
                painting = replace(painting, warnings=(*painting.warnings, lost))
            painted = compose.beside(picture, painting.picture) if self.options.paint.side_by_side else painting.picture
            for warning in painting.warnings:
                self._note(f"{job.source}: {warning}")
            outcome.painted += 1
            if target is None:
                sys.stdout.buffer.write(encode_image(painted, self.options.write))
                continue
            write_image(target, painted, self.options.write, source=None if job.source == STANDARD else job.source)
            self.written[target] = job.source
            self._tell(job, target, stylizer, replace(painting, picture=painted), time.perf_counter() - started)

    def _painted(self, stylizer: Stylizer | Comparison, picture: Picture) -> Painting:
        """One painting; on a terminal, with a bar that moves while tiles are done, unless it stands for many photos."""
        look = self.options.paint.look
        if isinstance(stylizer, Comparison):
            return stylizer.paint_picture(picture, look)
        if self.options.verbose:
            from photo2anime.inference.runtime import cpu_threads

            facts = f"{stylizer.card.file} ({stylizer.card.license}), {cpu_threads()} threads"
            self.say(Line(f"{stylizer.card.name}: {facts}"))
        if not self.tile_bars:
            return stylizer.paint_picture(picture, look)
        from tqdm import tqdm

        with tqdm(unit="tile", desc=stylizer.card.name, leave=False, delay=1.0) as bar:

            def on_tile(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            return stylizer.paint_picture(picture, look, on_tile=on_tile)

    def _skip(self, job: PhotoToPaint, target: Path) -> bool:
        """Whether target is there already and may stay. Raises Photo2AnimeError when it may not be written."""
        if target in self.written:
            raise Photo2AnimeError(
                f"{target} already holds the result of {self.written[target]}; give another -o or -f"
            )
        real = os.path.realpath(target)
        if real in self.sources and real != os.path.realpath(job.source):
            raise Photo2AnimeError(f"{target} is itself a photo to paint; give another -o")
        if not os.path.lexists(target):
            return False
        if not self.options.skip_existing:
            named, own = self.options.out and names_a_file(self.options.out), real == os.path.realpath(job.source)
            if named and not own and not self.options.write.overwrite:  # own: write_image has its say
                raise Photo2AnimeError(f"{target} is there already; give another -o, or --overwrite")
            return False
        if self.options.json:
            self._tell_result(json.dumps({"source": job.source, "target": str(target), "skipped": True}))
        else:
            self._tell_result(f"{target}  is there already")
        self.written[target] = job.source
        return True

    def _read(self, job: PhotoToPaint) -> Picture:
        if job.source == STANDARD and sys.stdin is None:
            raise Photo2AnimeError("standard input is closed; give a file")
        source = sys.stdin.buffer if job.source == STANDARD else job.source
        picture = read_image(source, max_megapixels=self.options.max_megapixels, enough_px=self.options.paint.max_side)
        if picture.frames > 1 and picture.format == "TIFF":
            self._note(f"{job.source}: only the first of its {picture.frames} pages is painted")
        elif picture.frames > 1:
            note = (
                f"is animated; only the first of its {picture.frames} frames is painted (`photo2anime video` does them)"
            )
            self._note(f"{job.source}: {note}")
        for note in picture.notes:
            self._note(f"{job.source}: {note}", once=note if note in _SAID_ONCE else "")
        return compose.shrink(picture, self.options.paint.max_side) if self.options.paint.max_side else picture

    def _target(self, job: PhotoToPaint, style: str, picture: Picture | None) -> Path | None:
        """Where a result goes; None is standard output, or not known yet without the picture."""
        out, source = self.options.out, Path(_file(job))
        if out == STANDARD or (out is None and job.source == STANDARD):
            return None
        if out and names_a_file(out):
            return Path(out)
        if out is None and job.source.startswith(("/dev/", "/proc/")):
            raise Photo2AnimeError("came through a pipe and has no folder for its result; give -o")
        if self.options.suffix:
            suffix = self.options.suffix
        elif source.suffix.lower() in FORMATS:
            suffix = source.suffix
        elif picture is None:
            return None
        else:
            suffix = extension(writable_format(picture.format))
        return self._folder(job) / self.options.name_as.format(stem=_stem(job), style=style, ext=suffix)

    def _folder(self, job: PhotoToPaint) -> Path:
        """Where the results of a photo go, unless -o names a file."""
        return Path(_file(job)).parent if self.options.out is None else Path(self.options.out) / job.below

    def _tell(
        self, job: PhotoToPaint, target: Path, stylizer: Stylizer | Comparison, painting: Painting, seconds: float
    ) -> None:
        height, width = painting.picture.rgb.shape[:2]
        if not self.options.json:
            self._tell_result(f"{target}  {width}x{height}  {seconds:.1f} s on {stylizer.device}")
            return
        facts = {"source": job.source, "target": str(target), "style": stylizer.card.name, "width": width}
        facts |= {"height": height, "seconds": round(seconds, 3), "device": stylizer.device}
        facts |= {"faces": [_told(face) for face in painting.faces]}
        self._tell_result(json.dumps(facts | {"warnings": [*painting.picture.notes, *painting.warnings]}))

    def _tell_error(self, job: PhotoToPaint, error: Photo2AnimeError, outcome: Outcome) -> None:
        """One line on standard error; with --json one on standard output too."""
        outcome.failed += 1
        self.say(Line(f"{job.source}: {error}"))
        if self.options.json:
            self._tell_result(json.dumps({"source": job.source, "error": str(error)}))

    def _note(self, text: str, once: str = "") -> None:
        if not self.options.quiet:
            self.say(Line(text, once=once))

    def _tell_result(self, text: str) -> None:
        if self.options.json or not self.options.quiet:
            self.say(Line(text, is_result=True))


def _file(job: PhotoToPaint) -> str:
    return "stdin.png" if job.source == STANDARD else job.source


def _stem(job: PhotoToPaint) -> str:
    return job.stem or Path(_file(job)).stem


def _told(face: PaintedFace) -> dict[str, Any]:
    box = [round(side) for side in face.face.box]
    return {"box": box, "score": round(face.face.score, 3), "version": face.version, "blurred": face.blurred}
