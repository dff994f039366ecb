"""`photo2anime serve`: starts and stops the web page and the HTTP API, with the middleware before them."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import socket
import sys
import tempfile
import threading
from collections.abc import AsyncIterator
from importlib import resources
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import uvicorn
from fastapi import FastAPI

from photo2anime.images.image_io import read_image
from photo2anime.types import Photo2AnimeError
from photo2anime.web.api.routes import build_api
from photo2anime.web.page.cards import card_css, telling_square
from photo2anime.web.page.head import head
from photo2anime.web.page.samples import PHOTOS, SHOWN, Samples, before_and_after
from photo2anime.web.server.middleware import ServerMiddleware
from photo2anime.web.server.services import Services
from photo2anime.web.settings import MB, Settings
from photo2anime.web.text import ENGLISH, TEXTS, Text

if TYPE_CHECKING:
    import gradio as gr

_ARENA_MAX = -8  # M_ARENA_MAX of malloc.h


def serve(settings: Settings) -> NoReturn:
    """Serves until SIGINT or SIGTERM, then finishes what runs and ends the process, with exit code 0."""
    listening = listen(settings)
    _share_memory()
    services = Services(settings)
    try:
        app = create_app(services)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=settings.connections,
            timeout_keep_alive=10,
            proxy_headers=bool(settings.proxy),
            forwarded_allow_ips=settings.proxy or None,
            ws="none",
        )
        _Server(config, services).run([listening])
    finally:
        services.storage.remove()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # a thread inside ONNX Runtime cannot be ended otherwise, and Python's own clearing up takes seconds


def create_app(services: Services) -> ServerMiddleware:
    """The whole ASGI app: middleware, API, the page in every language. Styles are loaded, so that nobody waits."""
    _stay_offline(services)
    import gradio as gr

    from photo2anime.web.page.layout import build_page
    from photo2anime.web.page.photo_tab import CARDS

    api = build_api(services)
    api.router.lifespan_context = _lifespan(services)

    css = _css(services)
    samples = Samples(services, f"#{CARDS}")
    showcase = _showcase(services, ENGLISH)
    for text in reversed(TEXTS.values()):  # English last: its address begins those of the others
        path, blocks = text.root or "/", build_page(services, text, samples, showcase)
        gr.mount_gradio_app(
            api,
            blocks,
            path,
            root_path=services.settings.root_path + path.rstrip("/") or None,
            footer_links=[],
            run_history=False,
            show_error=False,  # but for our own sentences, which are always shown
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            max_file_size=int(max(services.settings.upload_mb, services.settings.video_mb) * MB),
            theme=_theme(),
            css=css,
            head=head(text, services.settings),
        )
    services.storage.keep_present()
    samples.start()
    return ServerMiddleware(api, services.settings, services.storage, services.metrics.refused, services.visitors)


class _Server(uvicorn.Server):
    """Uvicorn that refuses new paintings at the signal, finishes those that run, and waits for nothing else."""

    def __init__(self, config: uvicorn.Config, services: Services) -> None:
        super().__init__(config)
        self.services = services

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            announce(sockets[0], self.services.settings)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:
            self.services.close()
            threading.Thread(target=self._finish, daemon=True).start()
            last = threading.Timer(self.services.settings.stop_seconds + 1.5, self._end)
            last.daemon = True
            last.start()
        self.should_exit = True

    def _end(self) -> None:
        """What has not ended by now, on a busy machine Python's own clearing up, is not waited for."""
        self.services.storage.remove()
        os._exit(0)

    def _finish(self) -> None:
        self.services.finish(self.services.settings.stop_seconds)
        threading.Event().wait(0.7)  # so that the last answers are sent; the page's open event streams never end
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # that those streams are cut is no error
        self.force_exit = True


def listen(settings: Settings) -> socket.socket:
    """A bound socket. Raises Photo2AnimeError when the address cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise Photo2AnimeError(
            f"cannot listen on {settings.host} port {settings.port} ({reason}); choose another --host or --port"
        ) from error
    return listening


def announce(listening: socket.socket, settings: Settings) -> None:
    """Tells on standard output where the page is."""
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else "localhost" if host == "127.0.0.1" else host
    sys.stdout.write(f"photo2anime is at http://{shown}:{port}{settings.root_path}/  (Ctrl-C ends it)\n")
    sys.stdout.flush()


def _share_memory() -> None:
    """Limits glibc to two heaps for all threads; otherwise each thread has its own, which never shrinks."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).mallopt(_ARENA_MAX, 2)


def _stay_offline(services: Services) -> None:
    """Switches off all that Gradio would send or fetch, and puts its files in our folder. Call before importing it."""
    os.environ |= {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_TEMP_DIR": str(services.storage.folder),
        "GRADIO_RUN_HISTORY": "False",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    tempfile.tempdir = str(services.storage.folder)


def _lifespan(services: Services):  # type: ignore[no-untyped-def]  # noqa: ANN202
    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        sweeper = asyncio.create_task(_sweep(services))
        yield
        sweeper.cancel()

    return lifespan


async def _sweep(services: Services) -> None:
    while True:
        await asyncio.sleep(services.storage.sweep_seconds)
        await asyncio.to_thread(services.storage.sweep)


def _theme() -> gr.Theme:
    import gradio as gr

    fonts = ["system-ui", "sans-serif"]
    return gr.themes.Soft(
        primary_hue="rose", secondary_hue="rose", neutral_hue="slate", font=fonts, font_mono=["monospace"]
    ).set(  # darker than Gradio's own, which are too faint to read for WCAG 2.2 AA
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_label_text_color="*primary_700",
        block_label_text_color_dark="*neutral_100",
        block_label_background_fill_dark="*primary_800",
        block_title_background_fill_dark="*primary_800",
        block_title_text_color="*primary_700",
        block_title_text_color_dark="*neutral_100",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        checkbox_label_background_fill_selected="*primary_700",
        checkbox_label_background_fill_selected_dark="*primary_700",
    )


def _css(services: Services) -> str:
    """The style sheet, each style's card painted by the style itself: portraits on a face, others on a scene."""
    css = resources.files("photo2anime").joinpath("web/page/style.css").read_text(encoding="utf-8")
    face, scene = (telling_square(read_image(PHOTOS / f"{name}.jpg")) for name in ("astronaut", "china"))
    for name in services.paint_service.styles():
        try:
            square = face if name.startswith("portrait") else scene
            css += card_css(services.paint_service, square, [name], ".cards") + "\n"
        except (Photo2AnimeError, OSError, ValueError) as error:
            _leave_out(services, name, error)
    return css


def _showcase(services: Services, text: Text) -> str:
    """HTML: a portrait and a scene, each with its painting wiping over it."""
    figures = ""
    for name in SHOWN:
        before, after = before_and_after(services, name)
        figures += (
            f'<figure class="wipe"><img src="{before}" alt="{text.shown_before}">'
            f'<img class="after" src="{after}" alt="{text.shown_after}"></figure>'
        )
    return f'<div class="showcase">{figures}</div>'


def _leave_out(services: Services, style: str, error: Exception) -> None:
    """Leaves out a style whose file is broken. Raises Photo2AnimeError when it is the page's default style."""
    if style == services.settings.style:
        raise Photo2AnimeError(f"{style} cannot be painted with ({error}); give another --style") from error
    services.paint_service.leave_out(style)
    sys.stderr.write(f"photo2anime: {style} is left out: {error}\n")
