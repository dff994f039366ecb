"""The video commands of the command line: what they take, and the one call behind each."""

from __future__ import annotations

import argparse
import os
from argparse import ArgumentParser, Namespace
from typing import Any

from photo2anime.commands.arguments import (
    add_look_arguments,
    add_style_argument,
    examples,
    number,
    record_of,
    share,
    use_threads,
)
from photo2anime.extras import need
from photo2anime.options import VIDEO_SUFFIXES, LiveOptions, LoadOptions, PaintOptions, VideoOptions
from photo2anime.types import Photo2AnimeError


def add_video_commands(commands: argparse._SubParsersAction[ArgumentParser]) -> None:
    """Adds video and live. Nothing heavy is imported before one of them runs."""
    p = commands.add_parser(
        "video",
        help="paint a video, with its sound, its timing and its tags",
        description="Paints a video. The result of a/b.mp4 is a/b-STYLE.mp4 unless -o says otherwise; MOV, MKV, WebM, "
        "GIF, WebP, APNG and AVIF stay what they are, all else becomes MP4.",
        **examples(
            "video clip.mp4",
            "video clip.mp4 -s shinkai -o anime.mp4",
            "video clip.mp4 --start 0:10 --end 0:20 --preview",
            "video clips/ -o painted/",
        ),
    )
    p.add_argument("sources", nargs="+", metavar="IN", help="a video, an animated picture, or a folder of videos")
    p.add_argument(
        "-o", "--out", "--output", metavar="OUT", help="a file (.mp4 .mov .mkv .webm .gif .webp .png .avif) or a folder"
    )
    add_style_argument(p)
    _add_painting(p)
    p.add_argument(
        "--codec",
        choices=("h264", "hevc", "vp9", "av1", "prores"),
        help="default: h264, and vp9 in WebM; with transparency prores in MOV and vp9 in MKV",
    )
    p.add_argument("--crf", type=int, metavar="N", help="quality, lower is better; default h264 18, hevc 20, others 28")
    p.add_argument(
        "--pix-fmt", metavar="NAME", help="default: yuv420p, which plays everywhere, or what keeps transparency"
    )
    p.add_argument("-q", "--quality", type=int, choices=range(1, 101), metavar="1..100", help="of WebP and AVIF")
    p.add_argument("--start", type=_seconds, default=0.0, metavar="TIME", help="begin here: seconds, or [H:]M:S")
    p.add_argument("--end", type=_seconds, metavar="TIME", help="end before here")
    p.add_argument("--no-audio", action="store_true", help="leave sound and subtitles out")
    p.add_argument("--side-by-side", action="store_true", help="photo and painting in one picture")
    p.add_argument("--overwrite", action="store_true", help="replace a result that is there")
    p.add_argument("--resume", action="store_true", help="go on where the same command was stopped")
    p.add_argument("--preview", action="store_true", help="paint one still for each second instead")
    p.add_argument("--json", action="store_true", help="one JSON object on standard output")
    p.set_defaults(run=_video)

    p = commands.add_parser("live", help="paint a camera in a window", description="Paints what a camera sees.")
    p.add_argument("source", nargs="?", default="0", metavar="CAMERA|VIDEO", help="a camera's number, or a video file")
    p.add_argument("-s", "--style", default="hayao", metavar="STYLE", help="a style, or an .onnx file")
    _add_painting(p)
    p.add_argument("--frames", type=int, metavar="N", help="stop after so many painted frames")
    p.add_argument("--save-stills", metavar="DIR", help="write painted frames as JPEG instead of showing a window")
    p.set_defaults(run=_live)


def _add_painting(p: ArgumentParser) -> None:
    add_look_arguments(p)
    p.add_argument("--steady", type=share, default=0.85, metavar="0..1", help="against flicker; 0 is off")


def _painting(args: Namespace) -> dict[str, Any]:
    return {"paint": record_of(PaintOptions, args), "load": record_of(LoadOptions, args)}


def is_video(source: str) -> bool:
    """Whether source is a video file by its name; animated pictures are pictures here."""
    return os.path.splitext(source)[1].lower() in VIDEO_SUFFIXES and not os.path.isdir(source)


def _video(args: Namespace) -> int:
    use_threads(args)
    return paint_videos(args, args.sources)


def paint_videos(args: Namespace, sources: list[str]) -> int:
    """Paints each video, and each one directly in a folder, in each style; the worst of the exit codes. args: of video,
    or of paint, which has fewer.
    """
    need("video", "video", "av")
    try:
        from photo2anime.video.convert import video
    except ImportError as error:  # it is there, but a library under it would not load
        raise Photo2AnimeError(f"video cannot start ({error}); is there enough memory?") from error
    from photo2anime.styles import offered_styles

    files = [file for source in sources for file in _videos_in(source)]
    styles = [name for part in args.style.split(",") if (name := part.strip())]
    if "all" in styles:
        styles = offered_styles(free=args.free)
    if len(files) * len(styles) > 1 and args.out and os.path.splitext(args.out)[1] and not os.path.isdir(args.out):
        raise Photo2AnimeError(f"-o {args.out} is one file for {len(files) * len(styles)} results; give a folder")
    if not files or not styles:
        raise Photo2AnimeError("no video to paint" if styles else "no style was given; see `photo2anime styles`")
    code = 0
    for file in files:
        for style in styles:
            paint = record_of(PaintOptions, args, style=style)
            options = record_of(VideoOptions, args, source=file, paint=paint, load=record_of(LoadOptions, args))
            code = max(code, video(options))
    return code


def _videos_in(source: str) -> list[str]:
    if not os.path.isdir(source):
        return [source]
    return [file for name in sorted(os.listdir(source)) if is_video(file := os.path.join(source, name))]


def _live(args: Namespace) -> int:
    need("video", "video", "av", "cv2")
    use_threads(args)
    from photo2anime.video.live import live

    return live(record_of(LiveOptions, args, **_painting(args)))


def _seconds(text: str) -> float:
    """90, 1:30 and 0:01:30.0 are the same time."""
    parts = text.split(":")
    wrong = "is not a time; give seconds, M:S or H:M:S"
    values = [number(part, wrong, 0, 1e7) for part in parts]
    if len(parts) > 3:
        raise argparse.ArgumentTypeError(f"{text} {wrong}")
    return float(sum(value * 60**power for power, value in enumerate(reversed(values))))
