"""The video commands of the command line: what they take, and the one call behind each."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser, Namespace
from typing import Any

from photo2anime.commands.arguments import add_look_arguments, need, number, record_of, share
from photo2anime.options import LiveOptions, LoadOptions, PaintOptions, VideoOptions
from photo2anime.types import Photo2AnimeError


def add_video_commands(commands: argparse._SubParsersAction[ArgumentParser]) -> None:
    """Adds video and live. Nothing heavy is imported before one of them runs."""
    p = commands.add_parser(
        "video",
        help="paint a video, with its sound, its timing and its tags",
        description="Paints a video. The result of a/b.mp4 is a/b-STYLE.mp4 unless -o says otherwise; MOV, MKV, WebM, "
        "GIF, WebP, APNG and AVIF stay what they are, all else becomes MP4.",
    )
    p.add_argument("source", metavar="IN", help="a video or an animated picture")
    p.add_argument("-o", "--out", metavar="OUT", help="a file (.mp4 .mov .mkv .webm .gif .webp .png .avif) or a folder")
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
    _add_painting(p)
    p.add_argument("--frames", type=int, metavar="N", help="stop after so many painted frames")
    p.add_argument("--save-stills", metavar="DIR", help="write painted frames as JPEG instead of showing a window")
    p.set_defaults(run=_live)


def _add_painting(p: ArgumentParser) -> None:
    p.add_argument("-s", "--style", default="hayao", metavar="STYLE", help="a style, or an .onnx file")
    add_look_arguments(p)
    p.add_argument("--steady", type=share, default=0.7, metavar="0..1", help="against flicker; 0 is off")


def _painting(args: Namespace) -> dict[str, Any]:
    return {"paint": record_of(PaintOptions, args), "load": record_of(LoadOptions, args)}


def _video(args: Namespace) -> int:
    need("video", "video", "av")
    try:
        from photo2anime.video.convert import video
    except ImportError as error:  # it is there, but a library under it would not load
        raise Photo2AnimeError(f"video cannot start ({error}); is there enough memory?") from error

    return video(record_of(VideoOptions, args, **_painting(args)))


def _live(args: Namespace) -> int:
    need("video", "video", "av", "cv2")
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
