"""`photo2anime paint`: which photos, which styles, where to; one after the other, whatever happens to one of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from photo2anime.commands.photo_processes import painted_by
from photo2anime.commands.photo_run import PhotoRun
from photo2anime.commands.sources import STANDARD, PhotoToPaint, find_sources, names_a_file
from photo2anime.commands.telling import Outcome, Teller
from photo2anime.images import jxl
from photo2anime.images.image_io import FORMATS
from photo2anime.options import PhotosOptions
from photo2anime.painting import portraits
from photo2anime.painting.comparison import Comparison
from photo2anime.painting.stylizer import Stylizer
from photo2anime.styles import installed_styles, list_styles, offered_styles, shipped_styles
from photo2anime.types import Photo2AnimeError

_STREAMS = (STANDARD, "/dev/", "/proc/")  # which another process cannot read


def paint_files(options: PhotosOptions) -> int:
    """Paints options.photos in options.styles, prints a line for each result, and returns the exit code: 1 where one
    failed, or there was none to paint.
    """
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
    sources = {os.path.realpath(job.source) for job in found.jobs if job.source != STANDARD}
    told = Teller(options, len(found.jobs))
    run = PhotoRun(options, stylizers, sources, told.say, tile_bars=told.shows_tiles)
    with closing(_outcomes(run, found.jobs)) as outcomes:
        told.count(outcomes)
    told.tell_summary(len(found.jobs) + len(found.failures))
    return 1 if told.total.failed or found.failures or not found.jobs else 0


def _outcomes(run: PhotoRun, jobs: Sequence[PhotoToPaint]) -> Generator[Outcome]:
    """What becomes of each photo, by this process or by options.jobs of them."""
    groups = run.groups(jobs)
    only_here = run.options.dry_run or any(job.source.startswith(_STREAMS) for job in jobs)
    processes = 1 if only_here else min(run.options.jobs, len(groups))
    yield from map(run.attempt, jobs) if processes < 2 else painted_by(processes, run, groups)


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
