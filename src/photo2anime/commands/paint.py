"""The command line of `photo2anime paint`: what it takes, and the one call behind it."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser, Namespace

from photo2anime.commands.arguments import (
    add_look_arguments,
    add_style_argument,
    add_write_arguments,
    examples,
    number,
    record_of,
    use_threads,
)
from photo2anime.commands.video import is_video, paint_videos
from photo2anime.options import LoadOptions, PaintOptions, PhotosOptions


def add_paint_command(commands: argparse._SubParsersAction[ArgumentParser]) -> None:
    """Adds `paint`. Nothing heavy is imported before it runs."""
    p = commands.add_parser(
        "paint",
        help="paint photos (and videos)",
        description="Paints photos. The result of a/b.jpg is a/b-STYLE.jpg unless -o says otherwise.",
        **examples(
            "paint photo.jpg",
            "paint photo.jpg -s shinkai -o anime.png",
            "paint holiday/ -r -o painted/",
            "paint face.jpg -s portrait-v1,portrait-v2",
            "paint photo.jpg --compare",
        ),
    )
    p.add_argument("photos", nargs="+", metavar="PHOTO", help="a photo, a video, a folder, or - for standard input")
    p.add_argument(
        "-o", "--out", "--output", metavar="FILE|DIR", help="where to: a file, or a folder (end it with /); - is stdout"
    )
    add_style_argument(p)
    add_look_arguments(p)
    p.add_argument("--compare", action="store_true", help="one sheet of the photo in all styles, for choosing")
    p.add_argument("--side-by-side", action="store_true", help="photo and result in one picture")
    add_write_arguments(p)
    p.add_argument("-r", "--recursive", action="store_true", help="look into the folders of a folder, too")
    p.add_argument("--skip-existing", action="store_true", help="leave results that are there already")
    p.add_argument(
        "--overwrite",
        action="store_true",
        help="replace a file that is there, even the photo itself; without it only results under the usual name, "
        "PHOTO-STYLE, are made anew",
    )
    p.add_argument("--json", action="store_true", help="one JSON object for each result on standard output")
    p.add_argument("-n", "--dry-run", action="store_true", help="only tell what would be painted")
    p.add_argument("--quiet", action="store_true", help="tell only what fails")
    p.add_argument(
        "-j",
        "--jobs",
        type=_jobs,
        default=1,
        metavar="N",
        help="paint so many photos at a time (default 1), each with its share of the processors and memory of its own: "
        "where there are more processors than one photo keeps busy; on two it gains nothing",
    )
    p.add_argument("--verbose", action="store_true", help="tell which network paints, too")
    p.set_defaults(run=_paint)


def _paint(args: Namespace) -> int:
    use_threads(args)
    videos = [source for source in args.photos if is_video(source)]
    photos = [source for source in args.photos if source not in videos]
    codes = [_paint_photos(args, photos)] if photos else []
    return max(codes + ([paint_videos(args, videos)] if videos else []))


def _jobs(text: str) -> int:
    return int(number(text, "is not a number of photos", 1, 256))


def _paint_photos(args: Namespace, photos: list[str]) -> int:
    from photo2anime.commands.paint_files import paint_files
    from photo2anime.images.image_io import FORMATS, WriteOptions

    suffix = f".{args.format}" if args.format else None
    options = record_of(
        PhotosOptions,
        args,
        photos=tuple(photos),
        styles=tuple(args.style.split(",")),
        paint=record_of(PaintOptions, args),
        load=record_of(LoadOptions, args),
        write=record_of(WriteOptions, args, format=FORMATS[suffix] if suffix else None),
        suffix=suffix,
    )
    return paint_files(options)
