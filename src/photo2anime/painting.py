"""`photo2anime paint`: which photos, which styles, where to; one after the other, whatever happens to one of them."""

from __future__ import annotations

import json
import os
import sys
import time
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from photo2anime import compose, portraits
from photo2anime.compare import Comparison
from photo2anime.image_io import (
    FORMATS,
    READABLE,
    WriteOptions,
    encode_image,
    extension,
    read_image,
    writable_format,
    write_image,
)
from photo2anime.styles import list_styles
from photo2anime.stylizer import Stylizer
from photo2anime.types import Look, PaintedFace, Painting, Photo2AnimeError, Picture

_STANDARD = "-"  # input and output by that name are the standard streams


@dataclass(frozen=True, slots=True)
class Job:
    """One photo to paint. below: where it lay under the folder that was given with -r, kept under -o."""

    source: str
    below: Path = Path()


def paint_all(args: Namespace) -> int:
    """Paints args.photos in args.style, prints a line for each result, and returns the exit code."""
    names = list(list_styles()) if args.compare else _style_names(args.style)
    if args.compare and args.side_by_side:
        raise Photo2AnimeError("--compare shows the photo already; leave --side-by-side out")
    asked = {"device": args.device, "tile_px": args.tile, "precision": args.precision, "free": args.free}
    loaded = [Stylizer.load(name, **asked) for name in names]
    portraits.check_choice(args.faces, loaded[0].face_painters)
    stylizers: Sequence[Stylizer | Comparison] = [Comparison(loaded)] if args.compare else loaded
    jobs = list(dict.fromkeys(_jobs(args, [s.card.name for s in stylizers])))
    _check_out(args, len(jobs) * len(stylizers))
    painter = Painter(args, stylizers, {os.path.realpath(job.source) for job in jobs if job.source != _STANDARD})
    failed = 0
    for job in painter.with_progress(jobs):
        try:
            painter.paint(job)
        except Photo2AnimeError as error:
            failed += 1
            painter.tell_error(job, error)
    return 1 if failed else 0


def _style_names(text: str) -> list[str]:
    names: list[str] = []
    for name in (part.strip() for part in text.split(",")):
        names += list(list_styles()) if name.lower() == "all" else [name] if name else []
    if not names:
        raise Photo2AnimeError("no style was given; see `photo2anime styles`")
    return list(dict.fromkeys(names))


def _jobs(args: Namespace, style_names: list[str]) -> Iterator[Job]:
    for source in args.photos:
        if not (args.recursive and Path(source).is_dir()):
            yield Job(source)
            continue
        files = list(_photos_under(Path(source), Path(args.out) if args.out else None))
        stems = {file.with_suffix("") for file in files}
        found = [file for file in files if not _is_own_result(file, stems, style_names)]
        if not found:
            print(f"{source}: no photos in this folder", file=sys.stderr)
        for file in found:
            yield Job(str(file), file.parent.relative_to(source))


def _photos_under(folder: Path, out: Path | None) -> Iterator[Path]:
    """Picture files in folder and below, sorted; hidden ones and what lies under out are left alone."""
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder)
        is_result = out is not None and out.resolve() != folder.resolve() and out.resolve() in file.resolve().parents
        hidden = any(part.startswith(".") for part in inside.parts)
        if file.suffix.lower() in READABLE and file.is_file() and not hidden and not is_result:
            yield file


def _is_own_result(file: Path, stems: set[Path], style_names: list[str]) -> bool:
    """Whether an earlier run painted file from a photo beside it."""
    names = {*style_names, *list_styles(), Comparison.NAME}
    return any(
        file.stem.endswith(f"-{name}") and file.with_name(file.stem.removesuffix(f"-{name}")) in stems for name in names
    )


def _check_out(args: Namespace, results: int) -> None:
    """Raises Photo2AnimeError for an -o that cannot hold what is asked, before anything is painted."""
    to_stdout = args.out == _STANDARD or (args.out is None and _STANDARD in args.photos)
    if to_stdout and results > 1:
        raise Photo2AnimeError(f"standard output takes one picture, not {results}; give a folder with -o")
    if to_stdout and sys.stdout.isatty():
        raise Photo2AnimeError("a picture would be written to the terminal; give -o, or redirect the output")
    if to_stdout and args.json:
        raise Photo2AnimeError("--json and the picture both want standard output; give -o FILE")
    if args.out and not to_stdout and _names_a_file(args.out):
        if results > 1:
            raise Photo2AnimeError(f"-o {args.out} is one file for {results} results; give a folder")
        if args.format and FORMATS[Path(args.out).suffix.lower()] != FORMATS[f".{args.format}"]:
            raise Photo2AnimeError(f"-o {args.out} and -f {args.format} disagree; leave -f out")


def _names_a_file(out: str) -> bool:
    suffix = Path(out).suffix.lower()
    if out.endswith(("/", "\\")) or Path(out).is_dir():
        return False
    if suffix in READABLE and suffix not in FORMATS:
        raise Photo2AnimeError(f"-o {out}: cannot write {suffix}; use {', '.join(FORMATS)}")
    return suffix in FORMATS


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
            write_image(target, painted, self.options, source=None if job.source == _STANDARD else job.source)
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
        if not (self.args.skip_existing and os.path.exists(target)):
            return False
        if self.args.json:
            self._say(json.dumps({"source": job.source, "target": str(target), "skipped": True}))
        else:
            self._say(f"{target}  is there already")
        self.written[target] = job.source
        return True

    def _read(self, job: Job) -> Picture:
        if job.source == _STANDARD and sys.stdin is None:
            raise Photo2AnimeError("standard input is closed; give a file")
        source = sys.stdin.buffer.read() if job.source == _STANDARD else job.source
        picture = read_image(source, max_megapixels=self.args.max_megapixels)
        if picture.frames > 1 and picture.format == "TIFF":
            self._say(f"{job.source}: only the first of its {picture.frames} pages is painted", sys.stderr)
        elif picture.frames > 1:
            note = (
                f"is animated; only the first of its {picture.frames} frames is painted (`photo2anime video` does them)"
            )
            self._say(f"{job.source}: {note}", sys.stderr)
        return compose.shrink(picture, self.args.max_side) if self.args.max_side else picture

    def _target(self, job: Job, style: str, picture: Picture | None) -> Path | None:
        """Where a result goes; None is standard output, or not known yet without the picture."""
        out, source = self.args.out, Path("stdin.png" if job.source == _STANDARD else job.source)
        if out == _STANDARD or (out is None and job.source == _STANDARD):
            return None
        if out and _names_a_file(out):
            return Path(out)
        folder = source.parent if out is None else Path(out) / job.below
        if self.args.format:
            suffix = f".{self.args.format}"
        elif source.suffix.lower() in FORMATS:
            suffix = source.suffix
        elif picture is None:
            return None
        else:
            suffix = extension(writable_format(picture.format))
        return folder / f"{source.stem}-{style}{suffix}"

    def _tell(
        self, job: Job, target: Path, stylizer: Stylizer | Comparison, painting: Painting, seconds: float
    ) -> None:
        height, width = painting.picture.rgb.shape[:2]
        if not self.args.json:
            self._say(f"{target}  {width}x{height}  {seconds:.1f} s on {stylizer.device}")
            return
        facts = {"source": job.source, "target": str(target), "style": stylizer.card.name, "width": width}
        facts |= {"height": height, "seconds": round(seconds, 3), "device": stylizer.device}
        self._say(
            json.dumps(facts | {"faces": [_told(face) for face in painting.faces], "warnings": painting.warnings})
        )

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
