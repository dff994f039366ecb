"""Which of Gradio's routes are open, and a check of messages to them: only our files, no addresses to fetch."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from photo2anime.web.errors import HttpError
from photo2anime.web.text import ROOTS

_PAGES = re.compile(
    rf"^{ROOTS}/?$"
    rf"|^{ROOTS}/(config|theme\.css|robots\.txt|favicon\.ico|manifest\.json|login_check|pwa_icon(/\d+)?)/?$"
    rf"|^{ROOTS}/(assets|static|svelte)/[\w./@+-]+$"
)
_CALLS = re.compile(
    rf"^{ROOTS}/gradio_api/(info|openapi\.json|theme\.css|app_id|token|startup-events|cancel|reset|upload|upload_progress"
    r"|queue/(join|data)|heartbeat/\w+|(call|run|api)/\w+(/\w+)?|call/v2/\w+|file=[^\n]+)/?$"
)
SPEAKING = re.compile(r"/gradio_api/(queue/join|(call|run|api)/|call/v2/|reset|cancel)")  # their bodies are JSON
_FILE = re.compile(rf"^{ROOTS}/gradio_api/file=(.+)$")


def check_route(path: str, holds: Callable[[str], bool]) -> None:
    """Raises HttpError 404 for routes of Gradio that the page does not use (its proxy, monitoring, code editing, ..)
    and for files that are not ours.
    """
    file = _FILE.match(path)
    if file and not holds(file.group(1)):
        raise HttpError(404, "there is no such file; results are deleted after a while")
    if ".." in path.split("/") or not (_PAGES.match(path) or _CALLS.match(path)):
        raise HttpError(404, "there is nothing at this address; see /docs")


def check_message(body: bytes, holds: Callable[[str], bool]) -> None:
    """Raises HttpError 400 when a message names files that are not ours, or addresses the server would fetch."""
    try:
        message = json.loads(body or b"{}")
    except ValueError:
        raise HttpError(400, "the body is not JSON") from None
    _check_files(message, holds, depth=0)


def _check_files(value: Any, holds: Callable[[str], bool], depth: int) -> None:
    if depth > 20:
        raise HttpError(400, "the message is nested too deeply")
    if isinstance(value, list):
        for item in value:
            _check_files(item, holds, depth + 1)
    elif isinstance(value, dict):
        path = value.get("path")
        if path is not None and not (isinstance(path, str) and holds(path)):
            raise HttpError(400, "a file is named that was not uploaded here; upload it first")
        for item in value.values():
            _check_files(item, holds, depth + 1)
