"""The page that asks for the token, and the cookie it leaves in the browser."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from photo2anime.web.errors import HttpError
from photo2anime.web.server.access import COOKIE, cookie_value
from photo2anime.web.settings import Settings
from photo2anime.web.text import text_at

_FORM = """<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>photo2anime</title>
<meta name="viewport" content="width=device-width"><style>
body {{ font: 1.1rem system-ui, sans-serif; display: grid; place-content: center;
  min-height: 90vh; color-scheme: light dark }}
form {{ display: grid; gap: 1rem; width: min(20rem, 80vw) }} input, button {{ font: inherit; padding: .6rem }}
</style></head><body><form method="post" action="{action}"><label for="token">{ask}</label>
<input id="token" name="token" type="password" required autofocus autocomplete="current-password">
<button>{enter}</button></form></body></html>"""


def form(path: str) -> bytes:
    """The page that asks for the token, in the language of the page at path."""
    text = text_at(path)
    action = "../signin" if text.root and path.endswith("/") else "signin"
    return _FORM.format(language=text.tag, ask=text.ask_token, enter=text.enter, action=action).encode()


async def sign_in(
    settings: Settings,
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    count: Callable[[], None],
) -> None:
    """POST token=...: sets the cookie and leads to the page. count: takes one from the address's allowance."""
    if scope["method"] != "POST":
        raise HttpError(405, "send the token with POST", allow="POST")
    count()
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
        if len(body) > 10_000:
            raise HttpError(413, "that is no token")
    given = parse_qs(body.decode("utf-8", "replace")).get("token", [""])[0]
    token = settings.token or ""
    if not hmac.compare_digest(given.encode(), token.encode()):
        raise HttpError(401, "that is not the token")
    cookie = f"{COOKIE}={cookie_value(token)}; HttpOnly; SameSite=Strict; Path={settings.root_path or '/'}"
    headers = [(b"location", f"{settings.root_path}/".encode()), (b"set-cookie", cookie.encode())]
    headers += [(b"content-length", b"0"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
