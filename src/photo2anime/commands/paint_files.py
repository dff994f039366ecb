"""`photo2anime paint`: which photos, which styles, where to; one after the other, whatever happens to one of them."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from photo2anime.commands.sources import STANDARD, PhotoToPaint, find_sources, names_a_file
from photo2anime.images import jxl
from photo2anime.images.color_codes import GAIN_MAP
from photo2anime.images.image_io import (
    FORMATS,
    encode_image,
    extension,
    read_image,
    writable_format,
    write_image,
)
from photo2anime.options import PhotosOptions
from photo2anime.painting import compose, portraits
from photo2anime.painting.comparison import Comparison
from photo2anime.painting.stylizer import Stylizer
from photo2anime.styles import installed_styles, list_styles, offered_styles, shipped_styles
from photo2anime.types import MemoryRanOutError, PaintedFace, Painting, Photo2AnimeError, Picture


def paint_files(options: PhotosOptions) -> int:
    """Paints options.photos in options.styles, prints a line for each result, and returns the exit code."""
    if options.compare and options.paint.side_by_side:
        raise Photo2AnimeError("--compare shows the photo already; leave --side-by-side out")
    loaded = _load_styles(options)
    portraits.check_choice(options.paint.faces, loaded[0].face_painters)
    stylizers: Sequence[Stylizer | Comparison] = [Comparison(loaded)] if options.compare else loaded
    known = {*(s.card.name for s in stylizers), *list_styles(), Comparison.NAME}
    to_folder = options.out if options.out and options.out != STANDARD and not names_a_file(options.out) else None
    found = find_sources(
        options.photos, recursive=options.recursive, out=to_folder, suffix=options.suffix, style_names=sorted(known)
    )
    for line in [*([] if options.quiet else found.notes), *found.failures]:
        print(line, file=sys.stderr)
    options = _with_extension(options, found.jobs, len(found.jobs) * len(stylizers))
    _check_out(options, len(found.jobs) * len(stylizers))
    painter = PhotoRun(
        options, stylizers, {os.path.realpath(job.source) for job in found.jobs if job.source != STANDARD}
    )
    for job in painter.with_progress(found.jobs):
        try:
            painter.paint(job)
        except Photo2AnimeError as error:
            painter.tell_error(job, error)
        except MemoryError:
            painter.tell_error(job, MemoryRanOutError())
    painter.tell_summary(len(found.jobs) + len(found.failures))
    return 1 if painter.failed or found.failures else 0


def _load_styles(options: PhotosOptions) -> list[Stylizer]:
    """The styles that were asked for. Of those that came with `all` a broken one of the user's own is only told of."""
    names: dict[str, bool] = {}  # whether it was asked for by name
    for name in ("all",) if options.compare else (part.strip() for part in options.styles):
        if name.lower() == "all":
            names = dict.fromkeys(offered_styles(free=options.load.free), False) | names
        elif name:
            names[name] = True
    if not names:
        raise Photo2AnimeError("no style was given; see `photo2anime styles`")
    if not all(names.values()):
        for problem in installed_styles()[1]:
            print(f"left out: {problem}", file=sys.stderr)
    loaded = []
    for name, by_name in names.items():
        try:
            loaded.append(options.load.stylizer(name))
        except Photo2AnimeError as error:
            if by_name or name in shipped_styles():
                raise
            print(f"left out: style {name}: {error}", file=sys.stderr)
    return loaded


def _with_extension(options: PhotosOptions, jobs: Sequence[PhotoToPaint], results: int) -> PhotosOptions:
    """Options whose -o, given as one file's name without extension, has the extension of its photo."""
    out = options.out
    if not out or out == STANDARD or results != 1 or out.endswith(("/", "\\")) or os.path.isdir(out):
        return options
    if names_a_file(out) or Path(out).suffix or STANDARD in options.photos or any(map(os.path.isdir, options.photos)):
        return options
    own = Path(jobs[0].source).suffix
    return replace(options, out=out + (options.suffix or (own if own.lower() in FORMATS else ".png")))


def _check_out(options: PhotosOptions, results: int) -> None:
    """Raises Photo2AnimeError for an -o that cannot hold what is asked, before anything is painted."""
    to_stdout = options.out == STANDARD or (options.out is None and STANDARD in options.photos)
    if to_stdout and results > 1:
        raise Photo2AnimeError(f"standard output takes one picture, not {results}; give a folder with -o")
    if to_stdout and sys.stdout.isatty():
        raise Photo2AnimeError("a picture would be written to the terminal; give -o, or redirect the output")
    if to_stdout and options.json:
        raise Photo2AnimeError("--json and the picture both want standard output; give -o FILE")
    to_file = options.out and not to_stdout and names_a_file(options.out)
    if ".jxl" in (options.suffix, to_file and Path(options.out or "").suffix.lower()):
        jxl.prepare_to_write()
    if options.out and to_file:
        if results > 1:
            raise Photo2AnimeError(f"-o {options.out} is one file for {results} results; give a folder")
        if options.suffix and FORMATS[Path(options.out).suffix.lower()] != options.write.format:
            raise Photo2AnimeError(f"-o {options.out} and -f {options.suffix[1:]} disagree; leave -f out")


_SAID_ONCE = {GAIN_MAP}  # every photo of a telephone has one


class PhotoRun:
    """Paints one photo after the other as the arguments say and tells of each. sources: real paths not to write to."""

    def __init__(self, options: PhotosOptions, stylizers: Sequence[Stylizer | Comparison], sources: set[str]) -> None:
        self.options, self.stylizers, self.sources = options, stylizers, sources
        self.said: set[str] = set()
        self.written: dict[Path, str] = {}
        self.painted = self.skipped = self.failed = 0
        self.bar: Any = None

    def paint(self, job: PhotoToPaint) -> None:
        """One photo in every style. Raises Photo2AnimeError for the first thing that is wrong with it."""
        picture: Picture | None = None
        for stylizer in self.stylizers:
            started = time.perf_counter()
            target = self._target(job, stylizer.card.name, picture)
            if target is None and picture is None:
                picture = self._read(job)
                target = self._target(job, stylizer.card.name, picture)
            if target is not None and self._skip(job, target):
                self.skipped += 1
                continue
            if self.options.dry_run:
                self._say(f"{job.source} -> {target or 'standard output'} in {stylizer.card.name}")
                self.written[target or Path(STANDARD)] = job.source
                continue
            picture = picture or self._read(job)
            painting = self._painted(stylizer, picture)
            painted = compose.beside(picture, painting.picture) if self.options.paint.side_by_side else painting.picture
            for warning in painting.warnings:
                self._note(f"{job.source}: {warning}")
            self.painted += 1
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
            self._say(f"{stylizer.card.name}: {facts}", sys.stderr)
        if self.bar is not None or self.options.quiet or not sys.stderr.isatty():
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
            self._say(json.dumps({"source": job.source, "target": str(target), "skipped": True}))
        else:
            self._say(f"{target}  is there already")
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
            if note not in _SAID_ONCE or note not in self.said:
                self._note(f"{job.source}: {note}")
            self.said.add(note)
        return compose.shrink(picture, self.options.paint.max_side) if self.options.paint.max_side else picture

    def _target(self, job: PhotoToPaint, style: str, picture: Picture | None) -> Path | None:
        """Where a result goes; None is standard output, or not known yet without the picture."""
        out, source = self.options.out, Path("stdin.png" if job.source == STANDARD else job.source)
        if out == STANDARD or (out is None and job.source == STANDARD):
            return None
        if out and names_a_file(out):
            return Path(out)
        if out is None and job.source.startswith(("/dev/", "/proc/")):
            raise Photo2AnimeError("came through a pipe and has no folder for its result; give -o")
        folder = source.parent if out is None else Path(out) / job.below
        if self.options.suffix:
            suffix = self.options.suffix
        elif source.suffix.lower() in FORMATS:
            suffix = source.suffix
        elif picture is None:
            return None
        else:
            suffix = extension(writable_format(picture.format))
        return folder / self.options.name_as.format(stem=job.stem or source.stem, style=style, ext=suffix)

    def _tell(
        self, job: PhotoToPaint, target: Path, stylizer: Stylizer | Comparison, painting: Painting, seconds: float
    ) -> None:
        height, width = painting.picture.rgb.shape[:2]
        if not self.options.json:
            self._say(f"{target}  {width}x{height}  {seconds:.1f} s on {stylizer.device}")
            return
        facts = {"source": job.source, "target": str(target), "style": stylizer.card.name, "width": width}
        facts |= {"height": height, "seconds": round(seconds, 3), "device": stylizer.device}
        facts |= {"faces": [_told(face) for face in painting.faces]}
        self._say(json.dumps(facts | {"warnings": [*painting.picture.notes, *painting.warnings]}))

    def tell_error(self, job: PhotoToPaint, error: Photo2AnimeError) -> None:
        """One line on standard error; with --json one on standard output too."""
        self.failed += 1
        self._say(f"{job.source}: {error}", sys.stderr)
        if self.options.json:
            self._say(json.dumps({"source": job.source, "error": str(error)}))

    def tell_summary(self, photos: int) -> None:
        """How it went, on standard error, where there was more than one photo."""
        if photos < 2 or self.options.quiet or self.options.json or self.options.dry_run:
            return
        counts = {"painted": self.painted, "there already": self.skipped, "failed": self.failed}
        self._say(", ".join(f"{count} {what}" for what, count in counts.items() if count), sys.stderr)

    def _note(self, line: str) -> None:
        if not self.options.quiet:
            self._say(line, sys.stderr)

    def _say(self, line: str, stream: TextIO | None = None) -> None:
        if stream is None and self.options.quiet and not self.options.json:
            return
        if self.bar is not None:
            self.bar.write(line, file=stream or sys.stdout)
        else:
            print(line, file=stream or sys.stdout, flush=True)

    def with_progress(self, jobs: list[PhotoToPaint]) -> Iterable[PhotoToPaint]:
        """jobs, with a progress bar on a terminal when there are several."""
        if len(jobs) < 2 or self.options.quiet or not sys.stderr.isatty():
            return jobs
        from tqdm import tqdm

        self.bar = tqdm(jobs, unit="photo")
        bar: Iterable[PhotoToPaint] = self.bar
        return bar


def _told(face: PaintedFace) -> dict[str, Any]:
    box = [round(side) for side in face.face.box]
    return {"box": box, "score": round(face.face.score, 3), "version": face.version, "blurred": face.blurred}
