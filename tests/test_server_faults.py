"""What goes wrong behind `serve`: memory, disk, time, shutdown, broken styles: told in right words, nothing left."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from clips import make_clip, moving
from conftest import ROOT

pytest.importorskip("gradio")

from starlette.testclient import TestClient

from photo2anime.options import PaintOptions
from photo2anime.styles import list_styles
from photo2anime.types import NotAPictureError, Photo2AnimeError, TooLargeError
from photo2anime.web.error_messages import page_message_of
from photo2anime.web.errors import DamagedError, EmptyError, HttpError, NotAClipError, without_flags
from photo2anime.web.page import handlers, video_handlers
from photo2anime.web.page.handlers import Page, PageError
from photo2anime.web.page.several_handlers import paint_several
from photo2anime.web.server.paint_service import PaintService
from photo2anime.web.server.services import Services
from photo2anime.web.server.video_worker import Order
from photo2anime.web.settings import Settings
from photo2anime.web.text import CHINESE, ENGLISH, Text
from test_api import PNG, Opened, encoded, error_of, opened, slow, whole  # noqa: F401

LANGUAGES = pytest.mark.parametrize("text", [ENGLISH, CHINESE], ids=["en", "zh"])
WINDOWS = pytest.mark.skipif(sys.platform == "win32", reason="no resource limits there")


@pytest.fixture
def services() -> Iterator[Services]:
    services = Services(Settings())
    yield services
    services.finish(2)
    services.storage.remove()


def no_memory(*_: Any, **__: Any) -> None:
    raise MemoryError


def no_memory_in_the_network(*_: Any, **__: Any) -> None:
    """As runtime.OnnxNetwork tells it."""
    try:
        raise RuntimeError("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : std::bad_alloc")
    except RuntimeError as error:
        raise Photo2AnimeError("hayao failed at 9000x9000 pixels (std::bad_alloc); try --tile or --max-side") from error


def full_disk(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "/tmp/photo2anime-serve-1/x")


def left_in(services: Services) -> list[Path]:
    """Files of results, and hidden ones."""
    return [file for file in (services.storage.folder / "results").rglob("*") if file.is_file()]


# Memory


@pytest.mark.parametrize("failing", [no_memory, no_memory_in_the_network])
def test_running_out_of_memory_is_503_in_the_api(
    opened: Opened,  # noqa: F811
    failing: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = opened()
    with monkeypatch.context() as patched:
        patched.setattr(PaintService, "paint", failing)
        answer = client.post("/api/paint", content=PNG)
    message = error_of(answer, 503)
    assert "memory" in message and "--" not in message and answer.headers["retry-after"]
    assert client.post("/api/paint", content=PNG).status_code == 200  # the next one is painted


@LANGUAGES
@pytest.mark.parametrize("failing", [no_memory, no_memory_in_the_network])
def test_running_out_of_memory_is_told_on_the_page(
    services: Services, text: Text, failing: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Page(services, text)
    paths = [str(services.storage.write(f"{name}.png", PNG)) for name in "ab"]
    paint = PaintService.paint

    def once(self: PaintService, *args: Any) -> Any:
        monkeypatch.setattr(PaintService, "paint", paint)
        failing()

    monkeypatch.setattr(PaintService, "paint", failing)
    with pytest.raises(PageError) as caught:
        handlers.paint_photo(page, paths[0], PaintOptions())
    assert str(caught.value) == text.out_of_memory
    monkeypatch.setattr(PaintService, "paint", once)
    *_, several = paint_several(page, paths, PaintOptions())
    assert several.lines == [text.count.format(done=1, total=2), f"a.png: {text.out_of_memory}", f"b.png: {text.ready}"]


@WINDOWS
@LANGUAGES
def test_a_video_that_needs_more_than_its_memory_is_refused_and_leaves_nothing(text: Text, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", moving(3, 720, 1280))
    services = Services(Settings(video_memory_mb=450))
    source = services.storage.write("clip.mp4", clip.read_bytes())
    with pytest.raises(PageError) as caught:
        video_handlers.show_video(Page(services, text), str(source), PaintOptions())
    assert str(caught.value) == text.out_of_memory
    assert left_in(services) == [source]
    services.storage.remove()


# The disk


def test_a_full_disk_is_507_in_the_api_and_leaves_nothing(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    client = opened()
    monkeypatch.setattr("tempfile.SpooledTemporaryFile.write", full_disk)
    answer = client.post("/api/paint", content=PNG)
    assert "disk is full" in error_of(answer, 507) and answer.headers["retry-after"]
    error_of(client.post("/api/paint", files={"photo": PNG}), 507)
    assert not list(client.services.storage.folder.rglob("*"))  # type: ignore[attr-defined]


@LANGUAGES
def test_a_full_disk_is_told_on_the_page_and_leaves_no_half_file(
    services: Services, text: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Page(services, text)
    source = services.storage.write("a.png", PNG)

    def half(self: Path, data: bytes) -> None:
        with open(self, "wb") as file:
            file.write(data[: len(data) // 2])
        full_disk()

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(PageError) as caught:
        handlers.paint_photo(page, str(source), PaintOptions())
    assert str(caught.value) == text.disk_full
    assert left_in(services) == [source]


@LANGUAGES
def test_a_zip_that_does_not_fit_is_not_left_half(
    services: Services, text: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = services.storage.write("a.png", PNG)
    monkeypatch.setattr("zipfile.ZipFile.write", full_disk)
    with pytest.raises(PageError) as caught:
        list(paint_several(Page(services, text), [str(source)], PaintOptions()))
    assert str(caught.value) == text.disk_full
    assert not list(services.storage.folder.rglob("*.zip"))


@WINDOWS
def test_a_video_that_grows_beyond_the_disk_share_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", moving(30, 96, 128, seed=1))
    services = Services(Settings(storage_mb=0.01))
    source = services.storage.write("clip.mp4", clip.read_bytes())
    with pytest.raises(PageError) as caught:
        video_handlers.show_video(Page(services, ENGLISH), str(source), PaintOptions())
    assert str(caught.value) == ENGLISH.disk_full
    assert left_in(services) == [source]
    services.storage.remove()


# Temporary files


def test_no_file_grows_older_than_its_limit(services: Services) -> None:
    storage = services.storage
    storage.keep_seconds = 100
    storage.write("new.jpg", b"1")
    due, busy = storage.write("due.jpg", b"1"), storage.write("busy.jpg", b"1")
    upload = storage.new_upload(".png", "holiday.png")
    upload.write_bytes(b"1")
    now = time.time()
    for file, age in ((due, 85), (busy, 500), (upload, 101)):  # the next sweep comes in ten seconds
        os.utime(file, (now - age, now - age))
    with storage.in_use(busy):
        assert storage.sweep() == 2
    assert not due.parent.exists() and busy.exists() and not upload.exists()
    assert storage.name_of(upload) == upload.name  # its name is forgotten with it
    assert storage.sweep() == 1


def test_a_sweep_outlives_files_that_vanish(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = services.storage
    storage.keep_seconds = 0
    gone, there = storage.write("a.jpg", b"1"), storage.write("b.jpg", b"1")
    for file in (gone, there):
        os.utime(file, (1, 1))
    found = storage._paths()
    storage.discard(gone)
    with monkeypatch.context() as patched:
        patched.setattr(storage, "_paths", lambda: found)
        assert storage.sweep() == 1 and not there.exists()
    assert 1 <= storage.sweep_seconds <= 60


def test_folders_that_vanish_while_they_are_listed_are_no_matter(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that ends deletes its folder while another request counts what is on the disk."""
    storage = services.storage
    gone = storage.write("a.jpg", b"1")
    storage.write("b.jpg", b"1")
    list_folder = os.scandir

    def scandir(path: Any) -> Any:
        if str(path) == str(gone.parent):
            monkeypatch.undo()
            storage.discard(gone)
        return list_folder(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert not storage.is_full()
    assert not gone.exists()


# Shutdown and time


@LANGUAGES
def test_a_video_under_way_at_shutdown_hears_that_the_server_stops(
    services: Services, text: Text, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", moving(200, 240, 320))
    source = services.storage.write("clip.mp4", clip.read_bytes())
    told: list[str] = []

    def paint() -> None:
        try:
            video_handlers.show_video(Page(services, text), str(source), PaintOptions())
        except PageError as notice:
            told.append(str(notice))

    threads = [threading.Thread(target=paint) for _ in range(2)]  # one runs, one waits
    for thread in threads:
        thread.start()
    while not (services.videos.running and services.videos.waiting and workers()):
        time.sleep(0.02)
    started = time.monotonic()
    services.finish(2)
    for thread in threads:
        thread.join(10)
    assert told == [text.stopping] * 2
    assert time.monotonic() - started < 5
    assert not workers() and left_in(services) == [source]
    with pytest.raises(PageError, match=text.stopping):
        handlers.paint_photo(Page(services, text), str(services.storage.write("a.png", PNG)), PaintOptions())


def workers() -> list[psutil.Process]:
    """Processes of ours that paint videos."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):  # gone, or waiting to be taken note of
            if "photo2anime.web.server.video_worker" in child.cmdline():
                found.append(child)
    return found


def test_a_video_has_so_much_time_and_its_process_is_killed(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", moving(200, 240, 320))
    services = Services(Settings(video_seconds=0.5))
    source = services.storage.write("clip.mp4", clip.read_bytes())
    started = time.monotonic()
    with pytest.raises(PageError) as caught:
        video_handlers.show_video(Page(services, ENGLISH), str(source), PaintOptions())
    assert str(caught.value) == ENGLISH.too_slow
    assert time.monotonic() - started < 5 and not workers()
    assert left_in(services) == [source]
    services.storage.remove()


def test_an_order_reaches_the_worker_whole() -> None:
    options = PaintOptions("shinkai", strength=0.5, faces="off", lines="broad", max_side=300)
    order = Order("paint", "a.mp4", "b.mp4", options, memory_bytes=7)
    assert Order.of(order.line()) == order


def test_a_worker_ends_when_its_server_is_gone(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", moving(200, 240, 320))
    order = Order("paint", str(clip), str(tmp_path / "out.mp4"), PaintOptions())
    worker = subprocess.Popen(
        [sys.executable, "-m", "photo2anime.web.server.video_worker"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert worker.stdin is not None and worker.stdout is not None
    worker.stdin.write(order.line())
    worker.stdin.flush()
    assert b'"step"' in worker.stdout.readline()
    worker.stdin.close()  # as when the server was killed
    assert worker.wait(timeout=10) == 1


def test_a_clip_that_does_not_decode_is_told_and_not_logged(
    services: Services, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", moving(10, 48, 64)).read_bytes()
    for data in (clip[: len(clip) // 3], clip[:40], b"GIF89a" + bytes(50), b"\x1aE\xdf\xa3" + bytes(5000)):
        source = services.storage.write("clip.mp4", data)
        for text in (ENGLISH, CHINESE):
            with pytest.raises(PageError) as caught:
                video_handlers.show_video(Page(services, text), str(source), PaintOptions())
            assert str(caught.value) == text.not_a_video
    assert not caplog.records


def test_a_mistake_of_ours_is_told_as_a_failure_and_logged(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("/srv/secret")

    monkeypatch.setattr(PaintService, "paint", broken)
    with pytest.raises(PageError) as caught:
        handlers.paint_photo(Page(services, CHINESE), str(services.storage.write("a.png", PNG)), PaintOptions())
    assert str(caught.value) == CHINESE.failed
    assert "KeyError" in caplog.text


# Words


class TestWords:
    ERRORS: tuple[Exception, ...] = (
        NotAPictureError("/tmp/photo2anime-serve-1/x.jpg is not a picture"),
        TooLargeError("has 99 megapixels; raise it with --max-megapixels"),
        DamagedError("is damaged (/tmp/x)"),
        EmptyError("is empty"),
        NotAClipError("/tmp/photo2anime-serve-1/x.mp4 is not a video"),
        Photo2AnimeError("cannot write /tmp/x: no permission; choose another folder with -o"),
        Photo2AnimeError("hayao failed at 1x1 pixels (x); try --tile or --max-side"),
        MemoryError(),
        OSError(errno.ENOSPC, "No space left on device", "/tmp/x"),
        HttpError(503, "x", 1, "busy"),
        HttpError(503, "x", 1, "slow"),
        HttpError(503, "x", 1, "stopping"),
        HttpError(429, "more than 5 requests a minute", 7, "rate"),
        HttpError(503, "x", 1, "share"),
        HttpError(413, "x", reason="size"),
        HttpError(422, "style: none is called 'x'; there are hayao"),
    )

    @pytest.mark.parametrize("error", ERRORS, ids=repr)
    def test_the_page_speaks_to_a_visitor(self, error: Exception) -> None:
        english, chinese = (page_message_of(text, Settings(), error) or "" for text in (ENGLISH, CHINESE))
        for sentence in (english, chinese):
            assert sentence and "/" not in sentence and "--" not in sentence and "{" not in sentence
        assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese)
        assert not any("\u4e00" <= letter <= "\u9fff" for letter in english)

    def test_an_unknown_error_is_not_hidden(self) -> None:
        assert page_message_of(ENGLISH, Settings(), ValueError("x")) is None
        assert page_message_of(ENGLISH, Settings(), FileNotFoundError("x")) is None

    def test_the_api_speaks_to_a_program(self, opened: Opened) -> None:  # noqa: F811
        client = opened(megapixels=0.02)
        file = Image.fromarray(np.zeros((1, 17_000, 3), np.uint8))
        wide = encoded("PNG", 1, 17_000)
        assert file.size == (17_000, 1)
        assert "format=png or max_side" in error_of(client.post("/api/paint?format=webp", content=wide), 422)
        large = error_of(client.post("/api/paint", content=encoded("PNG", 200, 200)), 413)
        assert "megapixels" in large and "--" not in large and "smaller" in large
        style = error_of(client.post("/api/paint?style=nope", content=PNG), 422)
        assert "nope" in style and "hayao" in style and "photo2anime styles" not in style and ".onnx" not in style

    def test_no_path_and_no_flag_comes_through(self) -> None:
        for error in self.ERRORS:
            message = without_flags(str(error))
            assert "/tmp" not in message and "--" not in message
        assert without_flags("give 1/2 or image/png; see /docs") == "give 1/2 or image/png; see /docs"


def test_a_mistake_of_ours_is_500_as_json(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    client = TestClient(opened().app, raise_server_exceptions=False)

    def broken(*_: Any) -> None:
        raise KeyError("/srv/secret")

    monkeypatch.setattr(PaintService, "paint", broken)
    assert "secret" not in error_of(client.post("/api/paint", content=PNG), 500)


# Methods


@pytest.mark.parametrize(
    "path", ["/healthz", "/api/styles", "/metrics", "/docs", "/openapi.json", "/", "/zh/", "/config"]
)
def test_head_is_answered_where_get_is(whole: TestClient, path: str) -> None:  # noqa: F811
    get, head = whole.get(path), whole.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
    assert head.headers["x-content-type-options"] == "nosniff"


def test_head_of_a_file_of_nothing_and_of_a_stream(whole: TestClient) -> None:  # noqa: F811
    file = whole.post("/gradio_api/upload", files={"files": ("a.png", PNG)}).json()[0]
    head = whole.head(f"/gradio_api/file={file}")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(PNG)))
    nothing = whole.head("/nothing")
    assert (nothing.status_code, nothing.content) == (404, b"")
    started = time.monotonic()
    assert whole.head("/gradio_api/heartbeat/abc").status_code == 200  # GET would never end
    assert time.monotonic() - started < 5


def test_another_method_is_405_and_names_those_that_are_taken(whole: TestClient) -> None:  # noqa: F811
    for method, path, allow in (
        ("GET", "/api/paint", "POST"),
        ("HEAD", "/api/paint", "POST"),
        ("DELETE", "/api/paint", "POST"),
        ("OPTIONS", "/api/paint", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("PUT", "/api/styles", "GET, HEAD"),
    ):
        answer = whole.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allow), (method, path)
        if method != "HEAD":
            assert allow.split(",")[0] in error_of(answer, 405)


# Styles


def test_one_broken_style_of_the_users_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from photo2anime.web.app import create_app

    folder = tmp_path / "styles"
    folder.mkdir()
    (folder / "torn.toml").write_text('[torn]\nfile = "torn.onnx"\n')
    (folder / "torn.onnx").write_bytes(b"not a network")
    (folder / "lost.toml").write_text('[lost]\nfile = "lost.onnx"\n')
    (folder / "odd.toml").write_text("this is no TOML")
    monkeypatch.setenv("PHOTO2ANIME_HOME", str(tmp_path))
    list_styles.cache_clear()
    services = Services(Settings())
    try:
        with TestClient(create_app(services)) as client:  # type: ignore[arg-type]
            names = [style["name"] for style in client.get("/api/styles").json()]
            assert "hayao" in names and not {"torn", "lost", "odd"} & set(names)
            assert "torn" in error_of(client.post("/api/paint?style=torn", content=PNG), 422)
            assert '"torn"' not in client.get("/config").text
            photo = str(services.storage.write("a.png", encoded("PNG")))
            css = handlers.paint_cards(Page(services, ENGLISH), photo, "#cards")
            assert re.findall(r'value="([\w-]+)"', css) == names
        told = capsys.readouterr().err
        assert "torn is left out" in told and "lost is left out" in told
        services.storage.remove()  # so that temporary files lie where they did
        second = Services(Settings(style="torn"))
        with pytest.raises(Photo2AnimeError, match="another --style"):
            create_app(second)
        second.storage.remove()
    finally:
        services.finish(2)
        services.storage.remove()
        list_styles.cache_clear()
