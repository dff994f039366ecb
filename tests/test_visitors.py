"""Visitors who come, wait and leave: a page that is closed frees its slot, and files that are no photos harm nobody."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clips import make_clip, moving
from conftest import ROOT
from server import serving

pytest.importorskip("gradio")
import httpx

from photo2anime.options import PaintOptions
from photo2anime.web.errors import HttpError
from photo2anime.web.page import handlers, video_handlers
from photo2anime.web.page.handlers import Page, PageError
from photo2anime.web.page.several_handlers import paint_several
from photo2anime.web.server import visitors
from photo2anime.web.server.jobs import Job, Jobs
from photo2anime.web.server.services import Services
from photo2anime.web.server.visitors import RunningWork, Visitors, session_of
from photo2anime.web.settings import Settings
from photo2anime.web.text import CHINESE, ENGLISH, Text
from test_api import PNG, encoded

sys.path.insert(0, str(ROOT / "scripts"))
from visitor import Visitor


@pytest.fixture
def services() -> Iterator[Services]:
    services = Services(Settings(workers=1))
    yield services
    services.finish(2)
    services.storage.remove()


def test_the_streams_of_a_session_are_known() -> None:
    assert session_of("/gradio_api/queue/data", b"session_hash=abc") == "abc"
    assert session_of("/zh/gradio_api/heartbeat/abc", b"") == "abc"
    assert session_of("/gradio_api/call/paint/abc", b"") == "abc"
    for path in ("/gradio_api/queue/join", "/gradio_api/call/paint", "/healthz", "/gradio_api/file=/x/heartbeat/"):
        assert session_of(path, b"session_hash=abc") is None


def test_a_visitor_has_left_when_no_stream_is_open_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(visitors.time, "monotonic", lambda: now[0])
    there = Visitors()
    assert not there.has_left("a")  # not here yet
    assert not there.is_absent("a", since=now[0]) and there.is_absent("a", since=now[0] - 11)
    there.enter("a")
    there.enter("a")
    there.leave("a")
    now[0] += 60
    assert not there.has_left("a") and not there.is_absent("a", since=0)
    there.leave("a")
    assert not there.has_left("a")  # the next stream may come
    now[0] += 4
    assert there.has_left("a") and there.is_absent("a", since=now[0])
    there.enter("a")
    assert not there.has_left("a")
    for number in range(10_500):
        there.enter(str(number))
        there.leave(str(number))
    assert len(there._closed) == 10_000 and len(there._open) == 1


def test_work_is_over_when_cancelled_or_left(monkeypatch: pytest.MonkeyPatch) -> None:
    there = Visitors()
    running = RunningWork(there)
    there.enter("a")
    over, other = running.start("a"), running.start("b")
    assert not over() and not other()
    running.cancel("b")
    running.cancel("nobody")
    assert not over() and other()
    there.leave("a")
    monkeypatch.setattr(visitors, "_AWAY_SECONDS", -1)
    assert over()


def test_a_job_that_waits_gives_its_place_up_at_once() -> None:
    jobs, release = Jobs(1, 1, 10), threading.Event()
    running = jobs.submit(lambda job: release.wait(5))
    waiting = jobs.submit(lambda job: "never")
    with pytest.raises(HttpError, match="waiting"):
        jobs.submit(lambda job: None)
    jobs.stop(waiting, HttpError(400, "left"))
    with pytest.raises(HttpError, match="left"):
        waiting.future.result(0)
    third = jobs.submit(lambda job: "third")
    release.set()
    assert running.future.result(5) and third.future.result(5) == "third"
    deadline = time.monotonic() + 5
    while jobs.running:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert jobs.waiting == 0


def test_a_visitor_who_leaves_ends_their_photo_and_their_place_in_the_queue(services: Services) -> None:
    left = threading.Event()

    def endless(job: Job) -> None:
        while True:
            job.check(1, 2)
            time.sleep(0.01)

    page, told = Page(services, ENGLISH), []

    def wait() -> None:
        with pytest.raises(PageError) as caught:
            handlers.finished(page, services.jobs, endless, lambda done, total: None, left.is_set)
        told.append(str(caught.value))

    threads = [threading.Thread(target=wait) for _ in range(2)]  # one paints, one waits
    for thread in threads:
        thread.start()
    while services.jobs.running + services.jobs.waiting < 2:
        time.sleep(0.01)
    left.set()
    for thread in threads:
        thread.join(5)
    assert told == [ENGLISH.cancelled] * 2
    assert services.jobs.running + services.jobs.waiting == 0


def test_a_visitor_who_leaves_ends_their_video_and_its_process(services: Services, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", moving(300, 240, 320))
    source = services.storage.write("clip.mp4", clip.read_bytes())
    begun = threading.Event()
    started: list[float] = []

    def left() -> bool:
        if begun.is_set() and not started:
            started.append(time.monotonic())
        return begun.is_set()

    with pytest.raises(PageError, match=ENGLISH.cancelled):
        video_handlers.show_video(Page(services, ENGLISH), str(source), PaintOptions(), lambda *_: begun.set(), left)
    assert time.monotonic() - started[0] < 3
    assert not services.videos.running
    assert [file for file in services.storage.folder.rglob("*") if file.is_file()] == [source]


@pytest.mark.parametrize("text", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_files_that_are_no_photos_get_a_line_each_and_the_photos_are_painted(services: Services, text: Text) -> None:
    storage = services.storage

    def given(name: str, extension: str, data: bytes) -> str:
        file = storage.new_upload(extension, name)
        file.write_bytes(data)
        return str(file)

    photo = encoded("JPEG", 60, 80)
    paths = [
        given("trip/one.jpg", ".jpg", photo),
        given("trip/Thumbs.db", ".unknown", b""),
        given("trip/.DS_Store", ".unknown", b""),
        given("two.png", ".png", PNG),
        given("none.jpg", ".empty", b""),
        given("torn.jpg", ".jpg", photo[: len(photo) // 2]),
        given("film.mp4", ".mp4", b"\x00\x00\x00\x20ftypisom"),
    ]
    *_, several = paint_several(Page(services, text), paths, PaintOptions())
    assert several.lines == [
        text.count.format(done=2, total=7),
        f"one.jpg: {text.ready}",
        f"Thumbs.db: {text.not_a_picture}",
        f".DS_Store: {text.not_a_picture}",
        f"two.png: {text.ready}",
        f"none.jpg: {text.empty_file}",
        f"torn.jpg: {text.damaged}",
        f"film.mp4: {text.not_a_picture}",
    ]
    assert several.zip is not None and len(several.previews) == 2


# A real server


@pytest.mark.slow
def test_a_closed_page_frees_the_video_slot_of_a_real_server(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "long.mp4", moving(2000, 480, 640)).read_bytes()
    short = make_clip(tmp_path / "short.mp4", moving(3, 48, 64)).read_bytes()
    with serving(tmp_path, "--requests", "0") as server:
        leaver, waiter, stayer = (Visitor(server.url) for _ in range(3))

        def metric(name: str) -> float:
            return float(httpx.get(f"{server.url}/metrics").text.split(f"\n{name} ")[1].split("\n")[0])

        for visitor in (leaver, waiter):  # the second one waits for the first
            source = visitor.upload(("long.mp4", clip))[0]
            visitor.press("paint-video", source)
        events = leaver.events(), waiter.events()
        for stream in events:
            next(stream)
        latest = time.monotonic() + 60
        while not (metric("photo2anime_videos_running") and metric("photo2anime_videos_waiting")):
            assert time.monotonic() < latest
            time.sleep(0.1)
        for stream in events:
            stream.close()  # both pages are closed
        closed = time.monotonic()
        while metric("photo2anime_videos_running") or metric("photo2anime_videos_waiting"):
            assert time.monotonic() - closed < 10
            time.sleep(0.1)
        stayer.press("paint-video", stayer.upload(("short.mp4", short))[0])
        assert stayer.result()["success"]
        files = [file.name for file in server.folders()[0].rglob("*") if file.is_file()]
        assert not [name for name in files if name.startswith(".")]


@pytest.mark.slow
def test_thumbs_db_among_photos_through_a_real_server(tmp_path: Path) -> None:
    with serving(tmp_path, "--requests", "0") as server:
        visitor = Visitor(f"{server.url}/zh")
        files = visitor.upload(("a.png", PNG), ("Thumbs.db", b"\xd0\xcf\x11\xe0" * 100))
        visitor.press("paint-all", files)
        done = visitor.result()
        assert done["success"], done
        _, lines, download, *_ = done["output"]["data"]
    count = CHINESE.count.format(done=1, total=2)
    assert lines.split("\n") == [count, f"a.png: {CHINESE.ready}", f"Thumbs.db: {CHINESE.not_a_picture}"]
    assert "anime.zip" in json.dumps(download)


@pytest.mark.slow
def test_sigterm_during_a_video_is_told_to_its_visitor(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "long.mp4", moving(1000, 240, 320)).read_bytes()
    with serving(tmp_path, "--requests", "0") as server:
        visitor = Visitor(f"{server.url}/zh")
        visitor.press("paint-video", visitor.upload(("long.mp4", clip))[0])
        for event in (events := visitor.events()):
            if event["msg"] == "progress":
                break
        server.process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        ended = next(event for event in events if event["msg"] == "process_completed")
        assert not ended["success"] and ended["output"]["error"] == CHINESE.stopping
        assert server.process.wait(timeout=20) == 0 and time.monotonic() - started < 10
        assert not server.folders()
