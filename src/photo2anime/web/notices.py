"""What goes wrong, in the words of the page: every refusal and error as one sentence in the visitor's language."""

from __future__ import annotations

from dataclasses import replace

from photo2anime.types import NotAPictureError, Photo2AnimeError, TooLargeError
from photo2anime.web.problems import DamagedError, EmptyError, NotAClipError, Problem, problem_of
from photo2anime.web.settings import Settings
from photo2anime.web.text import CHINESE, ENGLISH, Text


class NoticeError(Exception):
    """A friendly sentence for the page, in its language."""


def notice_of(text: Text, settings: Settings, error: BaseException) -> str | None:
    """The sentence for a visitor, without names of files, flags or English in a Chinese one; None for what is no known
    kind of error.
    """
    problem = problem_of(error)
    sentences = {
        "busy": text.busy,
        "slow": text.too_slow,
        "stopping": text.stopping,
        "memory": text.out_of_memory,
        "disk": text.disk_full,
        "share": text.disk_full,
        "rate": text.too_often.format(seconds=(problem and problem.retry_seconds) or 60),
        "size": text.too_many_bytes.format(limit=max(settings.upload_mb, settings.video_mb)),
        "cancelled": text.cancelled,
    }
    if problem is not None and problem.reason:
        return sentences[problem.reason]
    kinds: dict[type[Exception], str] = {
        NotAPictureError: text.not_a_picture,
        NotAClipError: text.not_a_video,
        TooLargeError: text.too_many_pixels.format(limit=settings.megapixels),
        DamagedError: text.damaged,
        EmptyError: text.empty_file,
        Photo2AnimeError: text.failed,
        Problem: text.failed,
    }
    return next((sentence for kind, sentence in kinds.items() if isinstance(error, kind)), None)


def visitors_answer(path: str, settings: Settings, problem: Problem) -> tuple[dict[str, str], bytes]:
    """Headers and body of a refusal at one of the page's own addresses, which the page shows: a sentence in its
    language, as JSON, and bare after an upload.
    """
    text = CHINESE if path.startswith("/zh/") else ENGLISH
    sentence = notice_of(text, settings, problem) if problem.reason else None
    told = replace(problem, message=sentence or problem.message)
    if path.endswith("/upload"):
        return problem.headers | {"content-type": "text/plain; charset=utf-8"}, told.message.encode()
    return told.headers, told.body
