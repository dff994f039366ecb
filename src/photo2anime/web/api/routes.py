"""The HTTP API: POST /api/paint, GET /api/styles, /healthz, /metrics, /docs; every error as JSON."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from typing import IO, Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from photo2anime import __version__
from photo2anime.types import Photo2AnimeError
from photo2anime.web.api.docs_page import docs_page
from photo2anime.web.api.fields import PaintFields
from photo2anime.web.errors import HttpError, http_error_of
from photo2anime.web.server.jobs import Job
from photo2anime.web.server.paint_service import Painted
from photo2anime.web.server.services import Services
from photo2anime.web.server.uploads import add_upload_routes

_IN_MEMORY_BYTES = 1_000_000  # a larger upload waits on disk

_ERROR = {"application/json": {"schema": {"type": "object", "properties": {"error": {"type": "string"}}}}}
_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"description": "no photo in the request", "content": _ERROR},
    401: {"description": "the token is missing or wrong", "content": _ERROR},
    408: {"description": "the upload came too slowly", "content": _ERROR},
    413: {"description": "too many bytes or pixels", "content": _ERROR},
    415: {"description": "the upload is no picture", "content": _ERROR},
    422: {"description": "a field is wrong, or the picture damaged", "content": _ERROR},
    429: {"description": "too many requests a minute", "content": _ERROR},
    500: {"description": "a mistake of the server's; it stands in its log", "content": _ERROR},
    503: {"description": "too much is waiting, the painting took too long, or memory ran out", "content": _ERROR},
    507: {"description": "the server's disk is full", "content": _ERROR},
}
_FIELDS = PaintFields.model_json_schema()
_PHOTO = {"photo": {"type": "string", "format": "binary", "description": "the photo"}}
_FORM = {**_FIELDS, "properties": {**_PHOTO, **_FIELDS["properties"]}, "required": ["photo"]}
_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {"schema": _FORM},
        "image/*": {"schema": {"type": "string", "format": "binary"}},
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    },
}


def build_api(services: Services) -> FastAPI:
    """The app with the API's routes; the page is mounted into it afterwards."""
    api = FastAPI(
        title="photo2anime",
        version=__version__,
        description="Turns photos into anime.",
        docs_url=None,
        redoc_url=None,
        servers=[{"url": services.settings.root_path or "/"}],
    )
    _answer_errors(api)
    add_upload_routes(api, services)

    @api.post(
        "/api/paint",
        summary="Paint a photo",
        description="A multipart form with the field `photo`, or the photo itself as the body. Fields may also stand "
        "in the query.",
        response_class=Response,
        responses={200: {"description": "the painting", "content": {"image/*": {}}}, **_ERRORS},
        openapi_extra={"requestBody": _BODY},
    )
    async def paint(request: Request, query: Annotated[PaintFields, Query()]) -> Response:
        async with _Upload(request) as upload:
            fields = PaintFields.model_validate({**query.model_dump(exclude_unset=True), **upload.fields})
            options = fields.options()
            services.paint_service.check(options)
            started = time.perf_counter()
            job = services.start_painting(upload.photo, options, fields.write(), lambda done, total: None)
            painted = await _result(services, job, request)
        headers = {
            "content-disposition": f'inline; filename="anime-{options.style}{painted.suffix}"',
            "server-timing": f"paint;dur={1000 * (time.perf_counter() - started):.0f}",
            "cache-control": "no-store",
        }
        return Response(painted.data, media_type=painted.media_type, headers=headers)

    @api.get("/api/styles", summary="The installed styles", responses={401: _ERRORS[401]})
    async def styles() -> list[dict[str, str | bool]]:
        return [
            {"name": card.name, "description": card.description, "license": card.license, "free": card.free}
            for card in services.paint_service.styles().values()
        ]

    @api.get("/healthz", summary="Whether the server is up")
    async def healthz() -> dict[str, str]:
        return {"status": "ok", "version": __version__}

    @api.get("/metrics", summary="Counters, as Prometheus text", response_class=Response, responses={401: _ERRORS[401]})
    async def metrics() -> Response:
        return Response(services.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @api.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(api.openapi()))

    return api


class _Upload:
    """The photo of a request and its fields, from a form or the bare body. A large one waits on disk until the end."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.photo: IO[bytes]
        self.fields: dict[str, str] = {}
        self._form: FormData | None = None

    async def __aenter__(self) -> _Upload:
        try:
            await self._take()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def _take(self) -> None:
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "multipart/form-data":
            await self._take_form()
        elif kind in ("", "application/octet-stream") or kind.startswith("image/"):
            self.photo = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115  type: ignore[assignment]
            async for part in self.request.stream():
                self.photo.write(part)
        else:
            raise HttpError(415, f"a body of type {kind[:100]!r} is not taken; send multipart/form-data or image/*")
        if self.photo.seek(0, 2) == 0:
            raise HttpError(400, "the photo is empty (0 bytes); send it in the body or in the form field `photo`")
        self.photo.seek(0)

    async def _take_form(self) -> None:
        form = self._form = await self.request.form(max_files=1, max_fields=20)
        for name, value in form.multi_items():
            if isinstance(value, UploadFile) and name == "photo":
                self.photo = value.file
            elif isinstance(value, str) and name != "photo":
                self.fields[name] = value
            else:
                raise HttpError(
                    422, f"the form field {name[:100]!r} is not what it should be: photo is a file, the rest text"
                )
        if not hasattr(self, "photo"):
            raise HttpError(400, "the form has no file called photo")

    async def __aexit__(self, *_: object) -> None:
        if self._form is not None:
            await self._form.close()
        elif hasattr(self, "photo"):
            self.photo.close()


async def _result(services: Services, job: Job, request: Request) -> Painted:
    """What the job gives; a client who leaves before it is done ends it."""
    future = asyncio.ensure_future(asyncio.wrap_future(job.future))
    while not (await asyncio.wait([future], timeout=0.5))[0]:
        if await request.is_disconnected():
            services.jobs.stop(job, HttpError(400, "the client has left", reason="cancelled"))
    painted: Painted = future.result()
    return painted


def _answer_errors(api: FastAPI) -> None:
    async def by_kind(request: Request, error: Exception) -> Response:
        http_error = http_error_of(error)
        if http_error is None:
            if isinstance(error, OSError):  # of the others the server tells itself
                logging.getLogger("uvicorn.error").error("%s failed", request.url.path, exc_info=error)
            http_error = HttpError(500, "the server made a mistake; it is in its log")
        return Response(http_error.body, http_error.status, http_error.headers)

    async def by_leaving(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": "the connection ended before the upload did"}, 400)

    async def by_field(request: Request, error: Exception) -> Response:
        errors: Any = error.errors()  # type: ignore[attr-defined]
        lines = [f"{'.'.join(str(part) for part in e['loc'] if part != 'query')}: {e['msg']}" for e in errors]
        return JSONResponse({"error": "; ".join(lines)}, 422)

    async def by_status(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)

    from fastapi.exceptions import RequestValidationError

    for kind in (HttpError, Photo2AnimeError, MemoryError, OSError, Exception):
        api.add_exception_handler(kind, by_kind)
    api.add_exception_handler(ClientDisconnect, by_leaving)
    api.add_exception_handler(RequestValidationError, by_field)
    api.add_exception_handler(ValidationError, by_field)
    api.add_exception_handler(HTTPException, by_status)
