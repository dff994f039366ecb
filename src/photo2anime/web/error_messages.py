"""Every refusal and error as one sentence in the visitor's language."""

from __future__ import annotations

from dataclasses import replace

from photo2anime.types import NotAPictureError, Photo2AnimeError, TooLargeError
from photo2anime.web.errors import DamagedError, EmptyError, HttpError, NotAClipError, http_error_of
from photo2anime.web.settings import Settings
from photo2anime.web.text import Text, text_at


class PageError(Exception):
    """A friendly sentence for the page, in its language."""


def page_message_of(text: Text, settings: Settings, error: BaseException) -> str | None:
    """The sentence for a visitor, without names of files, flags or English in a Chinese one; None for what is no known
    kind of error.
    """
    http_error = http_error_of(error)
    sentences = {
        "busy": text.busy,
        "slow": text.too_slow,
        "stopping": text.stopping,
        "memory": text.out_of_memory,
        "disk": text.disk_full,
        "share": text.disk_full,
        "rate": text.too_often.format(seconds=(http_error and http_error.retry_seconds) or 60),
        "size": text.too_many_bytes.format(limit=max(settings.upload_mb, settings.video_mb)),
        "cancelled": text.cancelled,
    }
    if http_error is not None and http_error.reason:
        return sentences[http_error.reason]
    kinds: dict[type[Exception], str] = {
        NotAPictureError: text.not_a_picture,
        NotAClipError: text.not_a_video,
        TooLargeError: text.too_many_pixels.format(limit=settings.megapixels),
        DamagedError: text.damaged,
        EmptyError: text.empty_file,
        Photo2AnimeError: text.failed,
        HttpError: text.failed,
    }
    return next((sentence for kind, sentence in kinds.items() if isinstance(error, kind)), None)


def page_answer(path: str, settings: Settings, http_error: HttpError) -> tuple[dict[str, str], bytes]:
    """Headers and body of a refusal at one of the page's own addresses, which the page shows: a sentence in its
    language, as JSON, and bare after an upload.
    """
    text = text_at(path)
    sentence = page_message_of(text, settings, http_error) if http_error.reason else None
    told = replace(http_error, message=sentence or http_error.message)
    if path.endswith("/upload"):
        return http_error.headers | {"content-type": "text/plain; charset=utf-8"}, told.message.encode()
    return told.headers, told.body
