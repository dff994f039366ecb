"""Everything the server refuses, with its HTTP status."""

from __future__ import annotations

import json
from dataclasses import dataclass

from photo2anime.types import NotAPictureError, Photo2AnimeError, TooLargeError


@dataclass
class Problem(Exception):  # noqa: N818  an answer, not always a mistake
    """An answer other than the one that was asked for. retry_seconds: when to try again, if that can help."""

    status: int
    message: str
    retry_seconds: int | None = None

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
        return headers


def problem_of(error: Photo2AnimeError) -> Problem:
    """A mistake in a picture or a field as an answer: 415 for what is no picture, 413 for too many pixels, else 422."""
    message = str(error).replace("; raise it with --max-megapixels", "; send a smaller one")
    if isinstance(error, NotAPictureError):
        return Problem(415, f"the upload {message}")
    if isinstance(error, TooLargeError):
        return Problem(413, f"the upload {message}")
    return Problem(422, message)
