"""The middleware before page and API: token, rate, size and speed of uploads, closed routes, safe headers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from starlette.requests import ClientDisconnect

from photo2anime.web.error_messages import page_answer
from photo2anime.web.errors import HttpError, http_error_of
from photo2anime.web.server.access import RateLimit, may_enter
from photo2anime.web.server.gradio_routes import SPEAKING, check_message, check_route
from photo2anime.web.server.sign_in import form, sign_in
from photo2anime.web.server.storage import Storage
from photo2anime.web.server.visitors import Visitors, session_of
from photo2anime.web.settings import MB, Settings
from photo2anime.web.text import TEXTS, preferred

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_OWN = {"/api/paint": "POST"}
_OWN |= dict.fromkeys(("/api/styles", "/healthz", "/metrics", "/docs", "/openapi.json"), "GET, HEAD")
_PAGES = {text.root for text in TEXTS.values()}
_MESSAGE_BYTES = 1_000_000  # of JSON from the page
_FORM_BYTES = 100_000  # what a multipart body adds around a file
_CONTENT_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors "
)


class ServerMiddleware:
    """An ASGI app around another one; lets through what the settings allow."""

    def __init__(
        self,
        app: App,
        settings: Settings,
        storage: Storage,
        on_refusal: Callable[[int], None],
        visitors: Visitors | None = None,
    ) -> None:
        self.app, self.settings, self.storage, self.on_refusal = app, settings, storage, on_refusal
        self.visitors = visitors or Visitors()
        self.rate = RateLimit(settings.requests)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not served")
        request = CheckedRequest(self, scope, receive, send)
        try:
            await self._enter(request)
        except Exception as error:
            if request.head_is_sent:
                return None
            http_error = http_error_of(error) or request.http_error
            if http_error is None:
                raise
            await request.refuse(http_error)
        return None

    async def _enter(self, request: CheckedRequest) -> None:
        scope, path = request.scope, request.path
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if path == "/signin" and self.settings.token:
            return await sign_in(self.settings, scope, request.receive, request.send, self._count(scope))
        if path != "/healthz" and not may_enter(self.settings.token, headers):
            raise HttpError(401, "give the token: Authorization: Bearer TOKEN")
        if path == "/" and not scope["query_string"]:
            spoken = preferred(headers.get("accept-language", ""))
            if spoken.root:
                return await request.lead_to(f"{self.settings.root_path}{spoken.root}/")
        if path not in _OWN:
            check_route(path, self.storage.holds)
        elif request.method not in (allowed := _OWN[path].split(", ")):
            message = f"{path} takes {' or '.join(allowed)}, not {request.method[:20]}"
            raise HttpError(405, message, allow=_OWN[path])
        if scope["method"] == "POST":
            await self._check_upload(request, path, headers)
        session = session_of(path, scope["query_string"]) if request.method == "GET" else None
        if session is None:
            return await self.app(scope, request.receive, request.send)
        self.visitors.enter(session)
        try:
            return await self.app(scope, request.receive, request.send)
        finally:
            self.visitors.leave(session)

    def _count(self, scope: Message) -> Callable[[], None]:
        return lambda: self.rate.take((scope.get("client") or ("",))[0])

    async def _check_upload(self, request: CheckedRequest, path: str, headers: dict[str, str]) -> None:
        if "/gradio_api/cancel" not in path and "/gradio_api/reset" not in path:
            self._count(request.scope)()
        request.limit_bytes = self._most_bytes(path)
        length = headers.get("content-length", "0")
        if not length.isdigit():
            raise HttpError(400, "Content-Length is not a number")
        if int(length) > request.limit_bytes:
            raise HttpError(413, _too_large(request.limit_bytes), reason="size")
        if path.endswith(("/upload", "/api/paint")) and self.storage.is_full():
            raise HttpError(503, "the server's disk space for uploads is used up; try again later", 600, "share")
        if SPEAKING.search(path):
            await request.read_ahead()
            check_message(request.body, self.storage.holds)

    def _most_bytes(self, path: str) -> float:
        s = self.settings
        if path.endswith("/gradio_api/upload"):
            return max(s.upload_mb, s.video_mb, s.several_mb) * MB + _FORM_BYTES
        return s.upload_mb * MB + _FORM_BYTES if path == "/api/paint" else _MESSAGE_BYTES


class CheckedRequest:
    """One request: its body counted and timed as it comes in, its answer given safe headers, or replaced. HEAD is
    answered as GET is, without the body.
    """

    def __init__(self, middleware: ServerMiddleware, scope: Message, receive: Receive, send: Send) -> None:
        self.middleware, self._receive, self._send = middleware, receive, send
        self.method: str = scope["method"]
        self.head_is_sent = False
        self.scope, self.path = _below_root(scope, middleware.settings.root_path)
        self.limit_bytes: float = _MESSAGE_BYTES
        self.http_error: HttpError | None = None
        self.body = b""
        self._read_ahead = False
        self._came_bytes = 0
        self._whole = scope["method"] in ("GET", "HEAD")
        self._latest = time.monotonic() + middleware.settings.upload_seconds
        self._started = self._replaced = False
        if self.method == "HEAD":
            self.scope["method"] = "GET"

    async def receive(self) -> Message:
        """The next message of the client. Raises HttpError 413 or 408 when the body is too large or too slow."""
        if self._read_ahead:
            self._read_ahead = False
            return {"type": "http.request", "body": self.body, "more_body": False}
        if self._whole:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, self._latest - time.monotonic()))
        except TimeoutError:
            self.http_error = HttpError(
                408, f"the upload took longer than {self.middleware.settings.upload_seconds:g} seconds", reason="slow"
            )
            raise self.http_error from None
        self._came_bytes += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._came_bytes > self.limit_bytes:
            self.http_error = HttpError(413, _too_large(self.limit_bytes), reason="size")
            raise self.http_error
        return message

    async def read_ahead(self) -> None:
        """Takes the whole body into `body`; the app then gets it in one piece."""
        parts = []
        while not self._whole:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise HttpError(400, "the connection ended before the body did")
            parts.append(message.get("body", b""))
        self.body, self._read_ahead = b"".join(parts), True

    async def send(self, message: Message) -> None:
        """Passes the app's answer on; once the body was refused, the refusal instead."""
        if self.http_error and not self._started:
            return await self.refuse(self.http_error)
        if self._replaced:
            return None
        if self.head_is_sent:
            if message.get("more_body"):
                raise ClientDisconnect  # nobody waits for what a stream still has to say
            return None
        if message["type"] == "http.response.start":
            self._started = True
            message["headers"] = [*message.get("headers", []), *_safe_headers(self.path, self.middleware.settings)]
        await self._send(message)
        if self.method == "HEAD" and self._started:
            self.head_is_sent = True
            await self._send({"type": "http.response.body", "body": b""})
        return None

    async def lead_to(self, path: str) -> None:
        """Answers with a redirect."""
        headers = [(b"location", path.encode()), (b"content-length", b"0"), (b"vary", b"accept-language")]
        await self.send({"type": "http.response.start", "status": 307, "headers": headers})
        await self.send({"type": "http.response.body", "body": b""})

    async def refuse(self, http_error: HttpError) -> None:
        """Answers with the http_error, unless an answer has begun."""
        if self._started:
            return
        self._started = self._replaced = True
        self.middleware.on_refusal(http_error.status)
        headers, body = http_error.headers, http_error.body
        if "/gradio_api/" in self.path:
            headers, body = page_answer(self.path, self.middleware.settings, http_error)
        if http_error.status == 401 and self.path.rstrip("/") in _PAGES and self.scope["method"] == "GET":
            headers, body = {"content-type": "text/html; charset=utf-8", "cache-control": "no-store"}, form(self.path)
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        raw += [(b"content-length", str(len(body)).encode()), (b"connection", b"close")]
        raw += _safe_headers(self.path, self.middleware.settings)
        with suppress(OSError):  # the client has gone
            await self._send({"type": "http.response.start", "status": http_error.status, "headers": raw})
            await self._send({"type": "http.response.body", "body": b"" if self.method == "HEAD" else body})


def _below_root(scope: Message, root_path: str) -> tuple[Message, str]:
    """The scope with root_path before its path, as ASGI wants it, and the path without; a proxy may cut it off."""
    path: str = scope["path"]
    if root_path and (path == root_path or path.startswith(f"{root_path}/")):
        path = path.removeprefix(root_path) or "/"
    whole = root_path + path
    return {**scope, "path": whole, "raw_path": whole.encode(), "root_path": root_path}, path


def _too_large(limit_bytes: float) -> str:
    return f"the upload is larger than {(limit_bytes - _FORM_BYTES) / MB:.3g} MB; send a smaller one"


def _safe_headers(path: str, settings: Settings) -> list[tuple[bytes, bytes]]:
    policy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; media-src 'self'"
    if "/gradio_api/file=" not in path:
        policy = _CONTENT_POLICY + settings.frame_ancestors
    return [
        (b"content-security-policy", policy.encode("latin-1")),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
    ]
