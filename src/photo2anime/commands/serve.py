"""The command line of `photo2anime serve`: parse only; nothing heavy is imported before it runs."""

from __future__ import annotations

import argparse
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from photo2anime.types import DEVICES, Photo2AnimeError
from photo2anime.web.settings import Settings

_LIMITS = {
    "workers": "paintings at a time; 0: one per processor",
    "queue": "jobs that may wait",
    "requests": "uploads and paintings a minute from one address; 0: no limit",
    "upload-mb": "size of a photo",
    "megapixels": "pixels of a photo",
    "several": "photos in one go on the page",
    "several-mb": "size of all of them",
    "video-mb": "size of a video",
    "video-memory-mb": "memory of the process that paints a video; 0: no limit",
    "storage-mb": "uploads and results on disk at once",
    "connections": "open connections",
    "job-seconds": "time for one photo",
    "video-seconds": "time for one video",
    "upload-seconds": "time for an upload to arrive",
    "keep-seconds": "time until uploads and results are deleted",
    "stop-seconds": "time for what runs when the server stops",
}


def add_serve_command(commands: argparse._SubParsersAction[ArgumentParser]) -> None:
    """Adds `serve` to the parser."""
    p = commands.add_parser(
        "serve",
        help="open the web page and the HTTP API",
        description="Serves the web page and the HTTP API (POST /api/paint, described at /docs).",
    )
    d = Settings()
    p.add_argument("--host", default=d.host, help="address to listen on; 0.0.0.0 for everybody (default %(default)s)")
    p.add_argument("--port", type=int, default=d.port, help="default %(default)s; 0 takes a free one")
    p.add_argument(
        "--token", help="asked of everybody who comes in; better: PHOTO2ANIME_TOKEN, which `ps` does not show"
    )
    p.add_argument("--root-path", default="", metavar="/PATH", help="where a proxy shows the server")
    p.add_argument("--proxy", default="", metavar="ADDRESS", help="the proxy whose X-Forwarded-For is believed")
    p.add_argument("--frame-ancestors", default=d.frame_ancestors, metavar="SITES", help="who may show it in a frame")
    p.add_argument("-s", "--style", default=d.style, help="the style that is chosen at first (default %(default)s)")
    p.add_argument("--device", default=d.device, choices=DEVICES, help="what the networks run on")
    p.add_argument(
        "--on-device",
        action="store_true",
        help="hand out the page that paints in the visitor's own browser; `make browser` builds it",
    )
    limits = p.add_argument_group("limits")
    for name, meaning in _LIMITS.items():
        default = getattr(d, name.replace("-", "_"))
        limits.add_argument(
            f"--{name}",
            type=_limit(Settings.__annotations__[name.replace("-", "_")]),
            default=default,
            metavar="N",
            help=f"{meaning} (default {default:g})",
        )
    p.set_defaults(run=_serve)


def settings_of(args: Namespace) -> Settings:
    """What was asked for, as a record. Raises Photo2AnimeError for a root path or token that cannot work."""
    token = args.token or os.environ.get("PHOTO2ANIME_TOKEN") or None
    if token is not None and (not token.isascii() or not token.isprintable() or " " in token):
        raise Photo2AnimeError(
            "the token has letters that cannot stand in a header; use printable ASCII without spaces"
        )
    root_path = args.root_path.rstrip("/")
    if root_path and not root_path.startswith("/"):
        raise Photo2AnimeError(f"--root-path {args.root_path} must begin with a slash")
    limits = {name.replace("-", "_"): getattr(args, name.replace("-", "_")) for name in _LIMITS}
    return Settings(
        host=args.host,
        port=args.port,
        token=token,
        root_path=root_path,
        proxy=args.proxy,
        frame_ancestors=args.frame_ancestors,
        style=args.style,
        device=args.device,
        **limits,
    )


def _serve(args: Namespace) -> int:
    settings = settings_of(args)
    print("photo2anime starts, in some seconds", file=sys.stderr, flush=True)  # Gradio takes 3 to 12 to import
    try:
        serve = _server(on_device=args.on_device)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("photo2anime"):
            raise
        raise Photo2AnimeError(f"{error.name} is not installed; pip install 'photo2anime[app]'") from error
    serve(settings)
    return 0


def _server(*, on_device: bool) -> Callable[[Settings], None]:
    if on_device:
        from photo2anime.web.on_device import serve_on_device

        return serve_on_device
    from photo2anime.web.app import serve

    return serve


def _limit(kind: str) -> Callable[[str], float]:
    """A parser of numbers that are not negative. kind: "int" or "float"."""

    def number(text: str) -> float:
        try:
            value = int(text) if kind == "int" else float(text)
        except ValueError:
            value = -1
        if not 0 <= value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text} is not {'a whole' if kind == 'int' else 'a'} number from 0 on")
        return value

    return number
