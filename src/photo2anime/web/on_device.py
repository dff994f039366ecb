"""`serve --on-device`: hands out the page that paints in the visitor's own browser; this server paints nothing."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from photo2anime.types import Photo2AnimeError
from photo2anime.web.settings import Settings

HEADERS = {
    # The browser gives a page shared memory, which threads need, only when it is isolated from all others.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
        "img-src 'self' blob:; style-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors {frames}"
    ),
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_WORKER_SECONDS = 600
_KINDS = {
    ".mjs": "text/javascript",
    ".js": "text/javascript",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
}
_KINDS |= {".webmanifest": "application/manifest+json", ".webp": "image/webp", ".svg": "image/svg+xml"}


def built_files() -> Path:
    """The folder of built files: PHOTO2ANIME_BROWSER, this package's own, or browser/dist of the repository.

    Raises Photo2AnimeError when there is none.
    """
    package = Path(str(resources.files("photo2anime")))
    asked = os.environ.get("PHOTO2ANIME_BROWSER")
    places = [Path(asked)] if asked else [package / "web" / "browser", package.parents[1] / "browser" / "dist"]
    for place in places:
        if (place / "index.html").is_file():
            return place
    raise Photo2AnimeError(
        "the page that paints in the browser is not built; run `make browser` in the repository (it needs Node 18 or "
        "newer), or name the folder of built files in PHOTO2ANIME_BROWSER"
    )


def serve_on_device(settings: Settings) -> None:
    """Hands out the built files until SIGINT or SIGTERM. Raises Photo2AnimeError when they are missing, or a token is
    set, which this page has no use for.
    """
    import uvicorn

    from photo2anime.web.app import announce, listen

    if settings.token is not None:
        raise Photo2AnimeError("--on-device hands out files alone and asks for no token; leave --token out")
    app = create_app(built_files(), settings)
    listening = listen(settings)
    announce(listening, settings)
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, ws="none")
    uvicorn.Server(config).run([listening])


def create_app(folder: Path, settings: Settings):  # type: ignore[no-untyped-def]  # noqa: ANN201  Starlette is an extra
    """The ASGI app that hands out a folder, packed and with the headers that isolate the page. The networks are this
    package's own where the folder has none.
    """
    import mimetypes

    from starlette.applications import Starlette
    from starlette.datastructures import MutableHeaders
    from starlette.middleware.gzip import GZipMiddleware
    from starlette.routing import Mount
    from starlette.staticfiles import StaticFiles
    from starlette.types import Message, Receive, Scope, Send

    for ending, kind in _KINDS.items():
        mimetypes.add_type(kind, ending)
    headers = {name: value.format(frames=settings.frame_ancestors) for name, value in HEADERS.items()}
    networks = folder / "networks" if (folder / "networks").is_dir() else resources.files("photo2anime") / "bundles"
    parts = {"/networks": StaticFiles(directory=str(networks)), "": StaticFiles(directory=folder, html=True)}
    files = Starlette(routes=[Mount((settings.root_path + path) or "/", part) for path, part in parts.items()])
    packed = GZipMiddleware(files, minimum_size=1024, compresslevel=6)

    async def isolated(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent = MutableHeaders(scope=message)
                for name, value in headers.items():
                    sent[name] = value
                # Files are asked for again, and answered with 304 while they are the same; the service worker's own,
                # which browsers look for on every visit, only after a while: a visit then asks for nothing at all.
                worker = scope["path"].endswith("/sw.js")
                sent["Cache-Control"] = f"max-age={_WORKER_SECONDS}" if worker else "no-cache"
            await send(message)

        await packed(scope, receive, send_with_headers)

    return isolated
