"""`photo2anime paint`: which photos, which styles, where to; one after the other, whatever happens to one of them."""

from __future__ import annotations

import json
import os
import sys
import time
from argparse import Namespace
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from photo2anime.commands.sources import STANDARD, Job, find_sources, names_a_file
from photo2anime.images.color_codes import GAIN_MAP
from photo2anime.images.image_io import (
    FORMATS,
    WriteOptions,
    encode_image,
    extension,
    read_image,
    writable_format,
    write_image,
)
from photo2anime.painting import compose, portraits
from photo2anime.painting.comparison import Comparison
from photo2anime.painting.stylizer import Stylizer
from photo2anime.styles import installed_styles, list_styles, shipped_styles
from photo2anime.types import Look, MemoryRanOutError, PaintedFace, Painting, Photo2AnimeError, Picture


def paint_all(args: Namespace) -> int:
    """Paints args.photos in args.style, prints a line for each result, and returns the exit code."""
    if args.compare and args.side_by_side:
        raise Photo2AnimeError("--compare shows the photo already; leave --side-by-side out")
    loaded = _load_styles(args)
    portraits.check_choice(args.faces, loaded[0].face_painters)
    stylizers: Sequence[Stylizer | Comparison] = [Comparison(loaded)] if args.compare else loaded
    known = {*(s.card.name for s in stylizers), *list_styles(), Comparison.NAME}
    suffix = f".{args.format}" if args.format else None
    to_folder = args.out if args.out and args.out != STANDARD and not names_a_file(args.out) else None
    found = find_sources(args.photos, recursive=args.recursive, out=to_folder, suffix=suffix, style_names=sorted(known))
    for line in [*found.notes, *found.failures]:
        print(line, file=sys.stderr)
    _check_out(args, len(found.jobs) * len(stylizers))
    painter = Painter(args, stylizers, {os.path.realpath(job.source) for job in found.jobs if job.source != STANDARD})
    failed = len(found.failures)
    for job in painter.with_progress(found.jobs):
        try:
            painter.paint(job)
        except Photo2AnimeError as error:
            failed += 1
            painter.tell_error(job, error)
        except MemoryError:
            failed += 1
            painter.tell_error(job, MemoryRanOutError())
    return 1 if failed else 0


def _load_styles(args: Namespace) -> list[Stylizer]:
    """The styles that were asked for. Of those that came with `all` a broken one of the user's own is only told of."""
    names: dict[str, bool] = {}  # whether it was asked for by name
    for name in ("all",) if args.compare else (part.strip() for part in args.style.split(",")):
        if name.lower() == "all":
            offered = [name for name, card in list_styles().items() if card.free or not args.free]
            names = dict.fromkeys(offered, False) | names
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
            loaded.append(
                Stylizer.load(name, device=args.device, tile_px=args.tile, precision=args.precision, free=args.free)
            )
        except Photo2AnimeError as error:
            if by_name or name in shipped_styles():
                raise
            print(f"left out: style {name}: {error}", file=sys.stderr)
    return loaded


def _check_out(args: Namespace, results: int) -> None:
    """Raises Photo2AnimeError for an -o that cannot hold what is asked, before anything is painted."""
    to_stdout = args.out == STANDARD or (args.out is None and STANDARD in args.photos)
    if to_stdout and results > 1:
        raise Photo2AnimeError(f"standard output takes one picture, not {results}; give a folder with -o")
    if to_stdout and sys.stdout.isatty():
        raise Photo2AnimeError("a picture would be written to the terminal; give -o, or redirect the output")
    if to_stdout and args.json:
        raise Photo2AnimeError("--json and the picture both want standard output; give -o FILE")
    if args.out and not to_stdout and names_a_file(args.out):
        if results > 1:
            raise Photo2AnimeError(f"-o {args.out} is one file for {results} results; give a folder")
        if args.format and FORMATS[Path(args.out).suffix.lower()] != FORMATS[f".{args.format}"]:
            raise Photo2AnimeError(f"-o {args.out} and -f {args.format} disagree; leave -f out")


_SAID_ONCE = {GAIN_MAP}  # every photo of a telephone has one


class Painter:
    """Paints one photo after the other as the arguments say and tells of each. sources: real paths not to write to."""

    def __init__(self, args: Namespace, stylizers: Sequence[Stylizer | Comparison], sources: set[str]) -> None:
        self.args, self.stylizers, self.sources = args, stylizers, sources
        self.options = WriteOptions(
            format=FORMATS[f".{args.format}"] if args.format else None,
            quality=args.quality,
            strip_metadata=args.strip_metadata,
            overwrite=args.overwrite,
        )
        self.look = Look(args.strength, args.keep_color, args.faces, args.face_strength, args.drawn_px, args.lines)
        self.said: set[str] = set()
        self.written: dict[Path, str] = {}
        self.bar: Any = None

    def paint(self, job: Job) -> None:
        """One photo in every style. Raises Photo2AnimeError for the first thing that is wrong with it."""
        picture: Picture | None = None
        for stylizer in self.stylizers:
            started = time.perf_counter()
            target = self._target(job, stylizer.card.name, picture)
            if target is None and picture is None:
                picture = self._read(job)
                target = self._target(job, stylizer.card.name, picture)
            if target is not None and self._skip(job, target):
                continue
            picture = picture or self._read(job)
            painting = stylizer.paint_picture(picture, self.look)
            painted = compose.beside(picture, painting.picture) if self.args.side_by_side else painting.picture
            for warning in painting.warnings:
                self._say(f"{job.source}: {warning}", sys.stderr)
            if target is None:
                sys.stdout.buffer.write(encode_image(painted, self.options))
                continue
            write_image(target, painted, self.options, source=None if job.source == STANDARD else job.source)
            self.written[target] = job.source
            self._tell(job, target, stylizer, replace(painting, picture=painted), time.perf_counter() - started)

    def _skip(self, job: Job, target: Path) -> bool:
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
        if not self.args.skip_existing:
            named, own = self.args.out and names_a_file(self.args.out), real == os.path.realpath(job.source)
            if named and not own and not self.args.overwrite:  # own: write_image has its say
                raise Photo2AnimeError(f"{target} is there already; give another -o, or --overwrite")
            return False
        if self.args.json:
            self._say(json.dumps({"source": job.source, "target": str(target), "skipped": True}))
        else:
            self._say(f"{target}  is there already")
        self.written[target] = job.source
        return True

    def _read(self, job: Job) -> Picture:
        if job.source == STANDARD and sys.stdin is None:
            raise Photo2AnimeError("standard input is closed; give a file")
        source = sys.stdin.buffer if job.source == STANDARD else job.source
        picture = read_image(source, max_megapixels=self.args.max_megapixels)
        if picture.frames > 1 and picture.format == "TIFF":
            self._say(f"{job.source}: only the first of its {picture.frames} pages is painted", sys.stderr)
        elif picture.frames > 1:
            note = (
                f"is animated; only the first of its {picture.frames} frames is painted (`photo2anime video` does them)"
            )
            self._say(f"{job.source}: {note}", sys.stderr)
        for note in picture.notes:
            if note not in _SAID_ONCE or note not in self.said:
                self._say(f"{job.source}: {note}", sys.stderr)
            self.said.add(note)
        return compose.shrink(picture, self.args.max_side) if self.args.max_side else picture

    def _target(self, job: Job, style: str, picture: Picture | None) -> Path | None:
        """Where a result goes; None is standard output, or not known yet without the picture."""
        out, source = self.args.out, Path("stdin.png" if job.source == STANDARD else job.source)
        if out == STANDARD or (out is None and job.source == STANDARD):
            return None
        if out and names_a_file(out):
            return Path(out)
        if out is None and job.source.startswith(("/dev/", "/proc/")):
            raise Photo2AnimeError("came through a pipe and has no folder for its result; give -o")
        folder = source.parent if out is None else Path(out) / job.below
        if self.args.format:
            suffix = f".{self.args.format}"
        elif source.suffix.lower() in FORMATS:
            suffix = source.suffix
        elif picture is None:
            return None
        else:
            suffix = extension(writable_format(picture.format))
        return folder / f"{job.stem or source.stem}-{style}{suffix}"

    def _tell(
        self, job: Job, target: Path, stylizer: Stylizer | Comparison, painting: Painting, seconds: float
    ) -> None:
        height, width = painting.picture.rgb.shape[:2]
        if not self.args.json:
            self._say(f"{target}  {width}x{height}  {seconds:.1f} s on {stylizer.device}")
            return
        facts = {"source": job.source, "target": str(target), "style": stylizer.card.name, "width": width}
        facts |= {"height": height, "seconds": round(seconds, 3), "device": stylizer.device}
        facts |= {"faces": [_told(face) for face in painting.faces]}
        self._say(json.dumps(facts | {"warnings": [*painting.picture.notes, *painting.warnings]}))

    def tell_error(self, job: Job, error: Photo2AnimeError) -> None:
        """One line on standard error; with --json one on standard output too."""
        self._say(f"{job.source}: {error}", sys.stderr)
        if self.args.json:
            self._say(json.dumps({"source": job.source, "error": str(error)}))

    def _say(self, line: str, stream: TextIO | None = None) -> None:
        if self.bar is not None:
            self.bar.write(line, file=stream or sys.stdout)
        else:
            print(line, file=stream or sys.stdout, flush=True)

    def with_progress(self, jobs: list[Job]) -> Iterable[Job]:
        """jobs, with a progress bar on a terminal when there are several."""
        if len(jobs) < 2 or not sys.stderr.isatty():
            return jobs
        from tqdm import tqdm

        self.bar = tqdm(jobs, unit="photo")
        bar: Iterable[Job] = self.bar
        return bar


def _told(face: PaintedFace) -> dict[str, Any]:
    box = [round(side) for side in face.face.box]
    return {"box": box, "score": round(face.face.score, 3), "version": face.version, "blurred": face.blurred}
