"""Receives uploads to the page: written to disk as they arrive, under names of our own, the extension by content.

These two routes stand before Gradio's of the same address. What is neither picture nor clip is not kept: an empty file
takes its place, so that the page can say which one it was.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from python_multipart import MultipartParser
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import parse_options_header

from photo2anime.web.error_messages import page_answer
from photo2anime.web.errors import HttpError, http_error_of
from photo2anime.web.server.file_types import EMPTY, HEAD_BYTES, UNKNOWN, extension_of
from photo2anime.web.server.services import Services
from photo2anime.web.server.storage import Storage
from photo2anime.web.text import TEXTS

_MOST_FILES = 1000
_MOST_HEADER_BYTES = 8192
_PROGRESS_SECONDS = 0.1


class UploadParser:
    """Parses one multipart body as it arrives. Feed it with `write`, then `finish`, or `give_up` when it ends early."""

    def __init__(self, storage: Storage, boundary: bytes) -> None:
        self.storage = storage
        self.files: list[Path] = []
        self.name = ""  # of the file that is coming in
        self.came_bytes = 0
        self._header, self._value, self._headers = b"", b"", dict[bytes, bytes]()
        self._head = b""
        self._open: IO[bytes] | None = None
        self._told = self._is_file = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._take_header,
                "on_header_value": self._take_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._take,
                "on_part_end": self._end,
            },
        )

    def write(self, data: bytes) -> None:
        """Takes the next piece of the body. Raises HttpError 400 for what is no multipart body."""
        self.came_bytes += len(data)
        try:
            self._parser.write(data)
        except MultipartParseError as error:
            raise HttpError(400, f"the body is not multipart/form-data ({error})") from None

    def finish(self) -> list[Path]:
        """The files, in the order they came."""
        try:
            self._parser.finalize()
        except MultipartParseError as error:
            raise HttpError(400, f"the body is not multipart/form-data ({error})") from None
        if self._open is not None:
            raise HttpError(400, "the body ends before its last part does")
        return self.files

    def give_up(self) -> None:
        """Deletes what was received."""
        if self._open is not None:
            self._open.close()
        for file in self.files:
            self.storage.discard(file)

    def _begin(self) -> None:
        self._headers, self._header, self._value = {}, b"", b""

    def _take_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]
        self._check_header()

    def _take_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._check_header()

    def _check_header(self) -> None:
        if len(self._header) + len(self._value) > _MOST_HEADER_BYTES:
            raise HttpError(400, "a part of the body has a header that is too long")

    def _end_header(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header, self._value = b"", b""

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._is_file = options.get(b"name") == b"files" and b"filename" in options
        self._head, self._told = b"", False
        if self._is_file and len(self.files) == _MOST_FILES:
            raise HttpError(400, f"more than {_MOST_FILES} files in one upload; send fewer")
        self.name = options.get(b"filename", b"").decode("utf-8", "replace")

    def _take(self, data: bytes, start: int, end: int) -> None:
        if not self._is_file:
            return
        if self._told:
            if self._open is not None:
                self._open.write(data[start:end])
            return
        self._head += data[start:end]
        if len(self._head) >= HEAD_BYTES:
            self._tell()

    def _tell(self) -> None:
        """Decides by the head what the file is, and opens it."""
        extension = extension_of(self._head)
        file = self.storage.new_upload(extension, self.name)
        self.files.append(file)
        self._told = True
        opened = open(file, "xb")  # noqa: SIM115  closed by _end or give_up
        if extension in (UNKNOWN, EMPTY):
            opened.close()
        else:
            self._open = opened
            opened.write(self._head)
        self._head = b""

    def _end(self) -> None:
        if self._is_file and not self._told:
            self._tell()
        if self._open is not None:
            self._open.close()
            self._open = None


def add_upload_routes(api: FastAPI, services: Services) -> None:
    """POST /gradio_api/upload, GET /gradio_api/upload_progress, for the page in each language."""
    coming: dict[str, UploadParser] = {}

    async def upload(request: Request, upload_id: str = "") -> Response:
        _, options = parse_options_header(request.headers.get("content-type", ""))
        if not options.get(b"boundary"):
            raise HttpError(400, "send the files as multipart/form-data, in the field `files`")
        intake = UploadParser(services.storage, options[b"boundary"])
        if upload_id and len(coming) < _MOST_FILES:
            coming[upload_id] = intake
        try:
            async for part in request.stream():
                intake.write(part)
            return JSONResponse([str(file) for file in intake.finish()])
        except BaseException as error:
            intake.give_up()
            http_error = http_error_of(error)
            if http_error is None:
                raise
            path = request.url.path.removeprefix(services.settings.root_path)
            headers, body = page_answer(path, services.settings, http_error)
            return Response(body, http_error.status, headers)
        finally:
            coming.pop(upload_id, None)

    async def progress(upload_id: str) -> Response:
        return StreamingResponse(_progress(coming, upload_id), media_type="text/event-stream")

    for text in TEXTS.values():
        api.add_api_route(f"{text.root}/gradio_api/upload", upload, methods=["POST"], include_in_schema=False)
        api.add_api_route(f"{text.root}/gradio_api/upload_progress", progress, methods=["GET"], include_in_schema=False)


async def _progress(coming: dict[str, UploadParser], upload_id: str) -> AsyncIterator[str]:
    """How many bytes have come since the last message, as the page's own progress bar wants to hear it."""
    told = 0
    for _ in range(10):  # the page asks a little before it sends
        if upload_id in coming:
            break
        await asyncio.sleep(_PROGRESS_SECONDS)
    while intake := coming.get(upload_id):
        if intake.came_bytes > told:
            yield _event({"msg": "update", "orig_name": intake.name, "chunk_size": intake.came_bytes - told})
            told = intake.came_bytes
        await asyncio.sleep(_PROGRESS_SECONDS)
    yield _event({"msg": "done"})


def _event(message: dict[str, Any]) -> str:
    return f"data: {json.dumps(message)}\n\n"
