"""HttpError: a refusal with its HTTP status; and the HttpError for an error of a lower layer."""

from __future__ import annotations

import errno
import json
import re
from dataclasses import dataclass
from typing import Literal

from photo2anime.types import NotAPictureError, Photo2AnimeError, TooLargeError

Reason = Literal["", "busy", "slow", "stopping", "memory", "disk", "share", "size", "rate", "cancelled"]

_ALLOCATION = re.compile(r"bad.?alloc|failed to allocate|cannot allocate|out of memory", re.IGNORECASE)
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FLAGS = {  # what the messages of lower layers tell users of the command -> what to tell a program
    r"; raise it with --max-megapixels": "; send a smaller one",
    r"try --tile or --max-side": "send a smaller photo, or max_side",
    r"use -f png or --max-side": "use format=png or max_side",
    r"use -f png": "use format=png",
    r"; see `photo2anime \w+`": "",
    r"--([a-z]+)-([a-z]+)": r"\1_\2",
    r"--([a-z]+)": r"\1",
}
_PATH = re.compile(r"(?<![\w.:/])(?:/[\w.+@~-]+){2,}:?|[A-Za-z]:\\[^\s;,]+")


@dataclass
class HttpError(Exception):
    """A refusal, raised in place of an answer. retry_seconds: when to try again, if that can help. reason: what
    kind it is, for the page's own words. allow: the methods of an address that was asked with another one.
    """

    status: int
    message: str
    retry_seconds: int | None = None
    reason: Reason = ""
    allow: str = ""

    @property
    def body(self) -> bytes:
        """The answer as JSON: {"error": "..."}."""
        return json.dumps({"error": " ".join(self.message.split())}, ensure_ascii=False).encode()

    @property
    def headers(self) -> dict[str, str]:
        """The headers that go with it."""
        headers = {"content-type": "application/json", "cache-control": "no-store"}
        if self.retry_seconds is not None:
            headers["retry-after"] = str(self.retry_seconds)
        if self.status == 401:
            headers["www-authenticate"] = 'Bearer realm="photo2anime"'
        if self.allow:
            headers["allow"] = self.allow
        return headers


class DamagedError(Photo2AnimeError):
    """The upload begins as a picture or a clip, and does not go on as one."""


class EmptyError(Photo2AnimeError):
    """The upload has no bytes."""


class NotAClipError(Photo2AnimeError):
    """The upload is in no video format that is read here."""


def out_of_memory() -> HttpError:
    """The answer when a painting did not fit into memory."""
    return HttpError(503, "there is not enough memory for this one now; send a smaller one or try later", 60, "memory")


def disk_full() -> HttpError:
    """The answer when the disk for uploads and results is full."""
    return HttpError(507, "the server's disk is full; try again later", 600, "disk")


def http_error_of(error: BaseException) -> HttpError | None:
    """An error as an answer: 415 for what is no picture, 413 for too many pixels, 422 for other mistakes in a picture
    or a field, 503 for memory and 507 for a disk that ran out, wherever in its causes that stands. None for all else.
    """
    if isinstance(error, HttpError):
        return error
    for cause in _causes(error):
        if isinstance(cause, MemoryError) or _ALLOCATION.search(str(cause)):
            return out_of_memory()
        if getattr(cause, "errno", None) in _FULL:  # OSError, and FFmpeg's own
            return disk_full()
    if not isinstance(error, Photo2AnimeError):
        return None
    message = without_flags(str(error))
    if isinstance(error, NotAPictureError):
        return HttpError(415, f"the upload {message}")
    if isinstance(error, TooLargeError):
        return HttpError(413, f"the upload {message}")
    return HttpError(422, message)


def without_flags(message: str) -> str:
    """A message made for the command line without its flags and without names of the server's files."""
    for flag, field in _FLAGS.items():
        message = re.sub(flag, field, message)
    return _PATH.sub("the file", message)


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found
