"""The HTTP API and the middleware before it: what is answered, what is refused, and with which status."""

from __future__ import annotations

import io
import json
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from conftest import photo_of

pytest.importorskip("gradio")
from starlette.testclient import TestClient

from photo2anime import Photo2AnimeError, list_styles
from photo2anime.options import PaintOptions
from photo2anime.web.api.routes import build_api
from photo2anime.web.app import create_app
from photo2anime.web.errors import HttpError
from photo2anime.web.server.access import RateLimit
from photo2anime.web.server.jobs import Job, Jobs
from photo2anime.web.server.middleware import ServerMiddleware
from photo2anime.web.server.paint_service import PaintService
from photo2anime.web.server.services import Services
from photo2anime.web.settings import Settings

Opened = Callable[..., TestClient]


def encoded(format: str, height: int = 40, width: int = 56, **save: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(photo_of(height, width)).save(file, format, **save)
    return file.getvalue()


def decoded(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


PNG = encoded("PNG")


@pytest.fixture
def opened() -> Iterator[Opened]:
    """A client of the API alone, with the settings that are given."""
    workshops: list[Services] = []

    def open_with(**settings: Any) -> TestClient:
        services = Services(Settings(**settings))
        workshops.append(services)
        middleware = ServerMiddleware(
            build_api(services), services.settings, services.storage, services.metrics.refused
        )
        client = TestClient(middleware)  # type: ignore[arg-type]
        client.services = services  # type: ignore[attr-defined]
        return client

    yield open_with
    for services in workshops:
        services.finish(2)
        services.storage.remove()


@pytest.fixture(scope="module")
def whole() -> Iterator[TestClient]:
    """A client of the whole app, page and API."""
    services = Services(Settings())
    with TestClient(create_app(services)) as client:  # type: ignore[arg-type]
        client.services = services  # type: ignore[attr-defined]
        yield client
    services.finish(2)
    services.storage.remove()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Paintings that go on, tile after tile, until the event is set."""
    release = threading.Event()

    def paint(self: PaintService, photo: Any, options: PaintOptions, on_tile: Any = None) -> Any:
        while not release.wait(0.01):
            on_tile(1, 2)
        return photo

    monkeypatch.setattr(PaintService, "paint", paint)
    return release


def error_of(response: Any, status: int) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/json")
    message: str = response.json()["error"]
    assert "\n" not in message and "Traceback" not in message
    return message


# What is answered


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_a_form_is_painted_in_its_own_format_and_size(opened: Opened, format: str) -> None:
    response = opened().post("/api/paint", files={"photo": ("p", encoded(format))}, data={"style": "shinkai"})
    assert response.status_code == 200, response.text
    image = decoded(response.content)
    assert (image.format, image.size) == (format, (56, 40))
    assert response.headers["content-type"] == f"image/{format.lower()}"


def test_the_answer_is_what_the_library_paints(opened: Opened) -> None:
    from photo2anime import Stylizer

    answer = opened().post("/api/paint?style=paprika", content=PNG, headers={"content-type": "image/png"})
    expected = Stylizer.load("paprika")(decoded(PNG))
    assert np.array_equal(np.asarray(decoded(answer.content)), np.asarray(expected))


def test_fields_are_those_of_the_command(opened: Opened) -> None:
    client = opened()
    fields = {"strength": "0", "side_by_side": "true", "max_side": "28", "format": "png", "strip_metadata": "true"}
    response = client.post("/api/paint", files={"photo": encoded("JPEG")}, data=fields)
    pixels = np.asarray(decoded(response.content))
    assert pixels.shape == (20, 56, 3)
    assert np.array_equal(pixels[:, :28], pixels[:, 28:])  # strength 0 is the photo
    low, high = (
        len(client.post("/api/paint", files={"photo": encoded("JPEG")}, data={"quality": q}).content)
        for q in ("5", "95")
    )
    assert low < high


def test_every_flag_of_painting_is_a_field() -> None:
    from photo2anime.web.api.fields import PaintFields

    of_the_command_alone = {"face_strength", "drawn_px"}
    flags = {field.name for field in fields(PaintOptions)} - of_the_command_alone
    assert flags | {"format", "quality", "strip_metadata"} == set(PaintFields.model_fields)


def test_styles_health_metrics_docs(opened: Opened) -> None:
    client = opened()
    assert [style["name"] for style in client.get("/api/styles").json()] == list(list_styles())
    assert client.get("/healthz").json()["status"] == "ok"
    client.post("/api/paint", content=PNG)
    client.post("/api/paint", content=b"nothing")
    text = client.get("/metrics").text
    assert 'photo2anime_paintings_total{style="hayao"} 1.0' in text
    assert "photo2anime_jobs_waiting 0.0" in text and "photo2anime_painting_seconds_count 1.0" in text
    docs = client.get("/docs").text
    assert "/api/paint" in docs and "http" not in docs.replace("http://127.0.0.1", "").split("<pre>")[0]
    assert set(client.get("/openapi.json").json()["paths"]) == {"/api/paint", "/api/styles", "/healthz", "/metrics"}


# What is wrong with a request


def test_a_request_without_a_photo_is_400(opened: Opened) -> None:
    client = opened()
    assert "empty" in error_of(client.post("/api/paint"), 400)
    assert "empty" in error_of(client.post("/api/paint", files={"photo": b""}), 400)
    assert "multipart" in error_of(client.post("/api/paint", data={"style": "hayao"}), 415)  # urlencoded
    broken = {"content-type": "multipart/form-data; boundary=x"}
    error_of(client.post("/api/paint", content=b"--y\r\nnonsense", headers=broken), 400)
    error_of(client.post("/api/paint", content=b"--x\r\n", headers={"content-type": "multipart/form-data"}), 400)


@pytest.mark.parametrize(
    "fields",
    [
        {"style": "monet"},
        {"style": "../../../etc/passwd"},
        {"style": "/tmp/evil.onnx"},
        {"style": "hayao\r\nSet-Cookie: a=b"},
        {"strength": "2"},
        {"strength": "nan"},
        {"quality": "0"},
        {"max_side": "-1"},
        {"format": "exe"},
        {"faces": "all"},
        {"max_pixels": "3"},
    ],
    ids=lambda fields: next(iter(fields.values())),
)
def test_a_wrong_field_is_422(opened: Opened, fields: dict[str, str]) -> None:
    client = opened()
    response = client.post("/api/paint", files={"photo": PNG}, data=fields)
    error_of(response, 422)
    assert "set-cookie" not in response.headers
    error_of(client.post("/api/paint", params=fields, content=PNG), 422)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"hello", "image/png"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "image/svg+xml"),
        (b"<html><script>alert(1)</script></html>", "image/jpeg"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "image/eps"),
        (PNG, "text/html"),
        (b"{}", "application/json"),
    ],
    ids=["text", "svg", "html", "eps", "declared-html", "json"],
)
def test_what_is_no_picture_is_415(opened: Opened, body: bytes, kind: str) -> None:
    error_of(opened().post("/api/paint", content=body, headers={"content-type": kind}), 415)


def test_a_damaged_picture_is_422(opened: Opened) -> None:
    assert "damaged" in error_of(opened().post("/api/paint", content=encoded("JPEG", 200, 200)[:1500]), 422)


def test_unknown_addresses_and_methods(opened: Opened) -> None:
    client = opened()
    error_of(client.get("/nothing"), 404)
    error_of(client.get("/api/paint"), 405)
    error_of(client.post("/healthz"), 405)


# Attacks


def test_a_decompression_bomb_is_413_and_is_not_decoded(opened: Opened) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1_000_000))) + chunk(b"IEND", b"")
    started = time.monotonic()
    assert "megapixels" in error_of(opened().post("/api/paint", content=bomb), 413)
    assert time.monotonic() - started < 2


def test_megapixels_are_adjustable(opened: Opened) -> None:
    photo = encoded("PNG", 100, 110)
    error_of(opened(megapixels=0.01).post("/api/paint", content=photo), 413)
    assert opened(megapixels=0.02).post("/api/paint", content=photo).status_code == 200


def test_a_polyglot_comes_out_as_nothing_but_pixels(opened: Opened) -> None:
    html = b"<html><script>alert(1)</script></html>"
    exif = Image.Exif()
    exif[0x010E] = html.decode()
    photo = encoded("JPEG", comment=html) + html + b"PK\x03\x04"
    response = opened().post("/api/paint?strip_metadata=true", content=photo)
    assert response.status_code == 200
    assert b"<script>" not in response.content and b"PK\x03\x04" not in response.content
    assert response.headers["x-content-type-options"] == "nosniff"


def test_names_of_uploads_reach_no_header_and_no_disk(opened: Opened, tmp_path: Path) -> None:
    name = "../../../../tmp/evil\r\nX-Evil: yes.png"
    client = opened()
    response = client.post("/api/paint", files={"photo": (name, PNG, "image/png")})
    assert response.status_code == 200
    assert "x-evil" not in response.headers and "evil" not in str(response.headers)
    assert not list(client.services.storage.folder.rglob("*"))  # type: ignore[attr-defined]


def test_too_many_bytes_are_413_whether_declared_or_not(opened: Opened) -> None:
    client = opened(upload_mb=0.01)
    body = bytes(200_000)
    assert "0.01 MB" in error_of(client.post("/api/paint", content=body), 413)
    assert "0.01 MB" in error_of(client.post("/api/paint", content=iter([body[:100_000], body[100_000:]])), 413)
    assert "0.01 MB" in error_of(client.post("/api/paint", files={"photo": body}), 413)
    error_of(client.post("/api/paint", content=b"x", headers={"content-length": "many"}), 400)


def test_too_many_form_parts_are_refused(opened: Opened) -> None:
    error_of(opened().post("/api/paint", files=[("photo", PNG), ("photo", PNG)]), 400)
    error_of(opened().post("/api/paint", files={"photo": PNG}, data={f"f{i}": "1" for i in range(50)}), 400)


def test_gradios_own_doors_are_closed(whole: TestClient) -> None:
    for path in (
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=../../../../etc/passwd",
        "/gradio_api/file=%2e%2e/%2e%2e/etc/passwd",
        "/gradio_api/file=http://169.254.169.254/",
        "/gradio_api/file/etc/passwd",
        "/gradio_api/proxy=http://127.0.0.1/",
        "/gradio_api/custom_component/1/client/type/x",
        "/gradio_api/vibe-code",
        "/gradio_api/runs",
        "/monitoring",
        "/static/../../etc/passwd",
        "/gradio_api/deep_link",
    ):
        error_of(whole.get(path), 404)


@pytest.mark.parametrize("path", ["http://127.0.0.1:{port}/x.png", "/etc/passwd", "../../etc/passwd", 5])
def test_the_page_fetches_nothing_and_reads_only_uploads(whole: TestClient, path: Any) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as bait:
        bait.settimeout(0.3)
        port = bait.getsockname()[1]
        given = path.format(port=port) if isinstance(path, str) else path
        file = {"path": given, "url": f"http://127.0.0.1:{port}/y.png", "meta": {"_type": "gradio.FileData"}}
        for address in ("/gradio_api/queue/join", "/gradio_api/call/paint", "/gradio_api/run/paint"):
            body = {"data": [file, "hayao", 1, False, "auto", "medium"], "fn_index": 0, "session_hash": "abc"}
            error_of(whole.post(address, json=body), 400)
        with pytest.raises(TimeoutError):
            bait.accept()


def test_svg_and_html_uploads_are_never_shown_as_pages(whole: TestClient) -> None:
    for name, text in (("x.svg", b"<svg onload='alert(1)'/>"), ("x.html", b"<script>alert(1)</script>")):
        path = whole.post("/gradio_api/upload", files={"files": (name, text)}).json()[0]
        answer = whole.get(f"/gradio_api/file={path}")
        assert answer.status_code == 200 and "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_uploads_to_the_page_stay_in_our_folder(whole: TestClient) -> None:
    folder = whole.services.storage.folder  # type: ignore[attr-defined]
    answer = whole.post("/gradio_api/upload", files={"files": ("../../../evil.png", PNG)})
    assert Path(answer.json()[0]).resolve().is_relative_to(folder.resolve())


def test_messages_to_the_page_are_limited(whole: TestClient) -> None:
    headers = {"content-type": "application/json"}
    error_of(whole.post("/gradio_api/queue/join", content=bytes(2_000_000), headers=headers), 413)
    error_of(whole.post("/gradio_api/queue/join", content=b"{", headers=headers), 400)
    error_of(whole.post("/gradio_api/queue/join", content=b"[" * 500 + b"]" * 500, headers=headers), 400)


def test_the_page_may_load_nothing_from_elsewhere(whole: TestClient) -> None:
    policy = whole.get("/").headers["content-security-policy"]
    assert "default-src 'self'" in policy and "http" not in policy and "frame-ancestors 'self'" in policy


# Limits under load


def test_one_address_gets_so_many_requests_a_minute(opened: Opened) -> None:
    client = opened(requests=2)
    assert [client.post("/api/paint", content=PNG).status_code for _ in range(3)] == [200, 200, 429]
    response = client.post("/api/paint", content=PNG)
    assert "2 requests a minute" in error_of(response, 429) and int(response.headers["retry-after"]) > 50
    assert client.get("/api/styles").status_code == 200


def test_the_rate_limit_forgets_after_a_minute_and_stays_small() -> None:
    limit = RateLimit(1)
    limit.take("a", now=0)
    with pytest.raises(HttpError):
        limit.take("a", now=59)
    limit.take("a", now=61)
    for number in range(10_500):
        limit.take(f"address {number}", now=100)
    assert len(limit._times) == 10_000


def in_thread(call: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(call()))
    thread.start()
    return thread, answers


def test_a_full_queue_is_503_at_once(opened: Opened, slow: threading.Event) -> None:
    client = opened(workers=1, queue=1)
    jobs: Jobs = client.services.jobs  # type: ignore[attr-defined]
    calls = []
    for expected in ((1, 0), (1, 1)):
        calls.append(in_thread(lambda: client.post("/api/paint", content=PNG)))
        while (jobs.running, jobs.waiting) != expected:
            time.sleep(0.01)
    started = time.monotonic()
    response = client.post("/api/paint", content=PNG)
    assert "waiting" in error_of(response, 503) and response.headers["retry-after"] == "5"
    assert time.monotonic() - started < 1
    slow.set()
    for thread, answers in calls:
        thread.join(10)
        assert answers[0].status_code == 200


def test_no_more_paintings_at_a_time_than_workers() -> None:
    jobs, lock, seen = Jobs(2, 50, 10), threading.Lock(), [0, 0]

    def work(job: Job) -> None:
        with lock:
            seen[0] += 1
            seen[1] = max(seen)
        time.sleep(0.01)
        with lock:
            seen[0] -= 1

    for job in [jobs.submit(work) for _ in range(12)]:
        job.future.result(5)
    assert seen == [0, 2]


def test_a_painting_has_so_much_time(opened: Opened, slow: threading.Event) -> None:
    assert "longer than 0.2 seconds" in error_of(opened(job_seconds=0.2).post("/api/paint", content=PNG), 503)


def test_uploads_stop_when_the_disk_share_is_used_up(opened: Opened) -> None:
    client = opened(storage_mb=0.001)
    client.services.storage.write("x", bytes(2000))  # type: ignore[attr-defined]
    assert "disk space" in error_of(client.post("/api/paint", content=PNG), 503)


def test_files_are_deleted_after_a_while_but_not_the_pages_own(opened: Opened) -> None:
    import os

    storage = opened(keep_seconds=60).services.storage  # type: ignore[attr-defined]
    own = storage.write("example.jpg", b"1")
    storage.keep_present()
    old, new = storage.write("a.jpg", b"1"), storage.write("b.jpg", b"1")
    for file in (own, old):
        os.utime(file, (1, 1))
    assert storage.sweep() == 1
    assert own.exists() and new.exists() and not old.parent.exists()


def test_after_the_signal_new_paintings_are_refused_and_running_ones_end(opened: Opened, slow: threading.Event) -> None:
    client = opened(workers=1, queue=1)
    services: Services = client.services  # type: ignore[attr-defined]
    thread, answers = in_thread(lambda: client.post("/api/paint", content=PNG))
    while not services.jobs.running:
        time.sleep(0.01)
    services.close()
    assert "stopping" in error_of(client.post("/api/paint", content=PNG), 503)
    services.finish(0.1)  # it would paint for ever
    thread.join(10)
    assert "stopped" in error_of(answers[0], 503)


# The token


def test_a_token_closes_page_and_api(opened: Opened) -> None:
    client = opened(token="secret")
    for path in ("/api/styles", "/metrics", "/docs", "/openapi.json", "/config", "/gradio_api/info"):
        assert "token" in error_of(client.get(path), 401), path
    response = client.post("/api/paint", content=PNG)
    error_of(response, 401)
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert client.get("/healthz").status_code == 200
    error_of(client.get("/api/styles", headers={"authorization": "Bearer secreT"}), 401)
    error_of(client.get("/api/styles", headers={"cookie": "photo2anime=secret"}), 401)
    right = {"authorization": "Bearer secret"}
    assert client.post("/api/paint", content=PNG, headers=right).status_code == 200


def test_a_browser_signs_in_once(opened: Opened) -> None:
    client = opened(token="secret", requests=4)
    page = client.get("/")
    assert page.status_code == 401 and "<form" in page.text
    assert "令牌" in client.get("/zh/").text
    error_of(client.post("/signin", data={"token": "wrong"}), 401)
    answer = client.post("/signin", data={"token": "secret"}, follow_redirects=False)
    assert answer.status_code == 303 and answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "secret" not in cookie
    assert client.get("/api/styles").status_code == 200  # the client keeps the cookie
    for _ in range(2):
        client.post("/signin", data={"token": "guess"})
    error_of(client.post("/signin", data={"token": "guess"}), 429)  # guessing is slow


# The command


def test_the_command_line_becomes_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    from photo2anime.cli import parser_and_commands
    from photo2anime.commands.serve import settings_of

    parser = parser_and_commands()[0]
    monkeypatch.setenv("PHOTO2ANIME_TOKEN", "from-environment")
    settings = settings_of(
        parser.parse_args(["serve", "--port", "1", "--queue", "3", "--upload-mb", "2.5", "--root-path", "/a/"])
    )
    assert settings == replace(Settings(), port=1, queue=3, upload_mb=2.5, root_path="/a", token="from-environment")
    with pytest.raises(SystemExit):
        parser.parse_args(["serve", "--queue", "-1"])
    with pytest.raises(Photo2AnimeError, match="slash"):
        settings_of(parser.parse_args(["serve", "--root-path", "a"]))
    with pytest.raises(Photo2AnimeError, match="ASCII"):
        settings_of(parser.parse_args(["serve", "--token", "gehe\u00efm"]))


def test_a_port_in_use_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    from photo2anime.cli import main

    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 2
    assert "choose another" in capsys.readouterr().err


def test_the_language_follows_the_browser(whole: TestClient) -> None:
    chinese = {"accept-language": "zh-CN,zh;q=0.9,en;q=0.8"}
    answer = whole.get("/", headers=chinese, follow_redirects=False)
    assert answer.headers["location"] == "/zh/"
    assert whole.get("/?lang=en", headers=chinese, follow_redirects=False).status_code == 200
    assert whole.get("/", headers={"accept-language": "de"}, follow_redirects=False).status_code == 200
    assert "提交" in json.dumps(whole.get("/zh/config").json(), ensure_ascii=False)
