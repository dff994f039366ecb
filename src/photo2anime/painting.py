"""`photo2anime paint`: which photos, which styles, where to; one after the other, whatever happens to one of them."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from photo2anime import compose
from photo2anime.image_io import (
    FORMATS,
    READABLE,
    WriteOptions,
    encode_image,
    extension,
    read_image,
    shrink,
    writable_format,
    write_image,
)
from photo2anime.styles import list_styles
from photo2anime.stylizer import Stylizer
from photo2anime.types import Photo2AnimeError, Picture

_STANDARD = "-"  # input and output by that name are the standard streams


@dataclass(frozen=True, slots=True)
class Job:
    """One photo to paint. below: where it lay under the folder that was given with -r, kept under -o."""

    source: str
    below: Path = Path()


def paint_all(args: Namespace) -> int:
    """Paints args.photos in args.style, prints a line for each result, and returns the exit code."""
    names = list(list_styles()) if args.style == "all" else args.style.split(",")
    stylizers = [Stylizer.load(name, device=args.device, tile_px=args.tile) for name in names]
    jobs = list(_jobs(args, [s.card.name for s in stylizers]))
    _check_out(args, len(jobs) * len(stylizers))
    written: dict[Path, str] = {}
    failed = 0
    for job in _with_progress(jobs):
        try:
            _paint_one(job, stylizers, args, written)
        except Photo2AnimeError as error:
            failed += 1
            print(f"{job.source}: {error}", file=sys.stderr)
            if args.json:
                print(json.dumps({"source": job.source, "error": str(error)}), flush=True)
    return 1 if failed else 0


def _jobs(args: Namespace, style_names: list[str]) -> Iterator[Job]:
    for source in args.photos:
        if args.recursive and Path(source).is_dir():
            files = sorted(file for file in Path(source).rglob("*") if file.suffix.lower() in READABLE)
            stems = {file.with_suffix("") for file in files}
            for file in files:
                if not _is_own_result(file, stems, style_names):
                    yield Job(str(file), file.parent.relative_to(source))
        else:
            yield Job(source)


def _is_own_result(file: Path, stems: set[Path], style_names: list[str]) -> bool:
    """Whether an earlier run painted file from a photo beside it."""
    names = {*style_names, *list_styles()}
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
    return not out.endswith(("/", "\\")) and not Path(out).is_dir() and Path(out).suffix.lower() in FORMATS


def _paint_one(job: Job, stylizers: list[Stylizer], args: Namespace, written: dict[Path, str]) -> None:
    options = WriteOptions(
        format=FORMATS[f".{args.format}"] if args.format else None,
        quality=args.quality,
        strip_metadata=args.strip_metadata,
        overwrite=args.overwrite,
    )
    picture: Picture | None = None
    for stylizer in stylizers:
        started = time.perf_counter()
        early = _target(job, stylizer.card.name, args, None)
        if early and args.skip_existing and early.exists():
            continue
        if picture is None:
            picture = _read(job, args)
        target = _target(job, stylizer.card.name, args, picture)
        if args.skip_existing and target and target.exists():
            continue
        painted = stylizer(picture, strength=args.strength, keep_color=args.keep_color)
        if args.side_by_side:
            painted = _beside(picture, painted)
        if target is None:
            encode_image(sys.stdout.buffer, painted, options)
            continue
        if target in written:
            raise Photo2AnimeError(f"{target} already holds the result of {written[target]}; give another -o or -f")
        source = None if job.source == _STANDARD else job.source
        write_image(target, painted, options, source=source)
        written[target] = job.source
        _tell(job, target, stylizer, painted, time.perf_counter() - started, args.json)


def _read(job: Job, args: Namespace) -> Picture:
    source = sys.stdin.buffer.read() if job.source == _STANDARD else job.source
    picture = read_image(source, max_megapixels=args.max_megapixels)
    if picture.frames > 1:
        note = f"is animated; only the first of its {picture.frames} frames is painted (`photo2anime video` does all)"
        print(f"{job.source}: {note}", file=sys.stderr)
    return shrink(picture, args.max_side) if args.max_side else picture


def _target(job: Job, style: str, args: Namespace, picture: Picture | None) -> Path | None:
    """Where a result goes; None is standard output, or not known yet without the picture."""
    source = Path("stdin.png" if job.source == _STANDARD else job.source)
    if args.out == _STANDARD or (args.out is None and job.source == _STANDARD):
        return None
    if args.out and _names_a_file(args.out):
        return Path(args.out)
    folder = source.parent if args.out is None else Path(args.out) / job.below
    if args.format:
        suffix = f".{args.format}"
    elif source.suffix.lower() in FORMATS:
        suffix = source.suffix
    elif picture is None:
        return None
    else:
        suffix = extension(writable_format(picture.format))
    return folder / f"{source.stem}-{style}{suffix}"


def _beside(picture: Picture, painted: Picture) -> Picture:
    alpha = picture.alpha
    both = None if alpha is None else compose.side_by_side(alpha, alpha)
    return replace(painted, rgb=compose.side_by_side(picture.rgb, painted.rgb), alpha=both)


def _tell(job: Job, target: Path, stylizer: Stylizer, painted: Picture, seconds: float, as_json: bool) -> None:
    height, width = painted.rgb.shape[:2]
    if as_json:
        facts = {"source": job.source, "target": str(target), "style": stylizer.card.name, "width": width}
        print(
            json.dumps(facts | {"height": height, "seconds": round(seconds, 3), "device": stylizer.device}), flush=True
        )
    else:
        print(f"{target}  {width}x{height}  {seconds:.1f} s on {stylizer.device}", flush=True)


def _with_progress(jobs: list[Job]) -> Iterable[Job]:
    if len(jobs) < 2 or not sys.stderr.isatty():
        return jobs
    from tqdm import tqdm

    progress: Iterable[Job] = tqdm(jobs, unit="photo")
    return progress
