"""What visitors send: told by its content, kept under our own names, and never opened when it is no picture or clip."""

from __future__ import annotations

import errno
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clips import make_clip, moving
from conftest import photo_of

pytest.importorskip("gradio")

from starlette.testclient import TestClient

from photo2anime.options import PaintOptions
from photo2anime.web.page import video_handlers
from photo2anime.web.page.handlers import Page, PageError
from photo2anime.web.server import uploads
from photo2anime.web.server.file_types import EMPTY, HEAD_BYTES, UNKNOWN, extension_of, is_clip, is_picture
from photo2anime.web.text import CHINESE, ENGLISH
from test_api import PNG, Opened, error_of, opened, whole  # noqa: F401

MPD = b'<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>/tmp/private.ts</BaseURL>'
SDP = b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
REFERRING = {
    "m3u8": b"#EXTM3U\n#EXTINF:2,\n/tmp/private.ts\n#EXT-X-ENDLIST\n",
    "m3u8 with a mark before it": b"\xef\xbb\xbf#EXTM3U\n#EXTINF:2,\nfile:///tmp/private.ts\n",
    "m3u8 after ID3": b"ID3\x04\x00\x00\x00\x00\x00\x00#EXTM3U\n#EXTINF:2,\n/tmp/private.ts\n",
    "concat": b"ffconcat version 1.0\nfile /tmp/private.ts\n",
    "sdp": SDP,
    "dash": MPD,
    "dash in a GIF": b"GIF89a\x10\x10" + MPD,
    "sdp in a GIF": b"GIF89a\x10\x10\n" + SDP,
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="/etc/passwd"/></svg>',
    "asx": b'<asx version="3.0"><entry><ref href="/tmp/private.ts"/></entry></asx>',
    "text": b"/tmp/private.ts\n",
}


@pytest.mark.parametrize("name", REFERRING)
def test_what_names_other_files_is_no_clip(name: str) -> None:
    assert extension_of(REFERRING[name]) == UNKNOWN


@pytest.mark.parametrize("name", REFERRING)
def test_such_uploads_are_not_kept_and_nothing_opens_them(
    whole: TestClient,  # noqa: F811
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def opens(*_: Any) -> None:
        raise AssertionError("something looked into it")

    monkeypatch.setattr(video_handlers, "run_worker", opens)
    answer = whole.post("/gradio_api/upload", files={"files": ("party.mp4", REFERRING[name], "video/mp4")})
    file = Path(answer.json()[0])
    assert file.suffix == UNKNOWN and file.read_bytes() == b""
    for text in (ENGLISH, CHINESE):
        page = Page(whole.services, text)  # type: ignore[attr-defined]
        for show in (video_handlers.show_video, video_handlers.show_stills):
            with pytest.raises(PageError) as caught:
                show(page, str(file), PaintOptions())
            assert str(caught.value) == text.not_a_video


def test_a_playlist_on_disk_is_refused_by_its_content_too(whole: TestClient) -> None:  # noqa: F811
    """As if the upload's own look had been passed by: the tab looks once more."""
    page = Page(whole.services, ENGLISH)  # type: ignore[attr-defined]
    file = page.services.storage.write("clip.mp4", REFERRING["m3u8"])
    with pytest.raises(PageError, match=re.escape(ENGLISH.not_a_video)):
        video_handlers.show_video(page, str(file), PaintOptions())


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "ICO", "JPEG2000", "PPM"])
def test_every_picture_format_we_read_is_known_by_its_bytes(format: str, tmp_path: Path) -> None:
    file = tmp_path / "x"
    Image.fromarray(photo_of(32, 32)).save(file, format)
    assert is_picture(extension_of(file.read_bytes()[:HEAD_BYTES]))


def test_heic_is_known_by_its_bytes(tmp_path: Path) -> None:
    import pillow_heif

    pillow_heif.from_pillow(Image.fromarray(photo_of(32, 32))).save(tmp_path / "x.heic")
    assert extension_of((tmp_path / "x.heic").read_bytes()[:HEAD_BYTES]) == ".heic"


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.avi", "a.ts"])
def test_every_clip_format_is_known_by_its_bytes(name: str, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / name, moving(3, 32, 48))
    assert is_clip(extension_of(clip.read_bytes()[:HEAD_BYTES]))


def test_extensions_are_ours_and_of_the_content(whole: TestClient) -> None:  # noqa: F811
    storage = whole.services.storage  # type: ignore[attr-defined]
    for name in ("../../../evil.png", "evil\r\nX-Evil: yes.html", "..", "a" * 300 + ".sh", "照片.heic", "http:x.mp4"):
        path = Path(whole.post("/gradio_api/upload", files={"files": (name, PNG)}).json()[0])
        assert re.fullmatch(r"[0-9a-f]{32}\.png", path.name), name
        assert path.parent == storage.folder / "uploads" and path.read_bytes() == PNG
    assert storage.name_of(path) == "http:x.mp4"
    assert not [file for file in storage.folder.rglob("*") if "evil" in file.name]
    empty = whole.post("/gradio_api/upload", files={"files": ("a.png", b"")}).json()[0]
    assert Path(empty).suffix == EMPTY


def test_several_files_keep_their_order_and_large_ones_their_bytes(whole: TestClient) -> None:  # noqa: F811
    large = PNG + np.random.default_rng(0).bytes(3_000_000)
    files = [("files", (f"{n}.png", data)) for n, data in enumerate((PNG, large, b"no picture", PNG))]
    paths = [Path(path) for path in whole.post("/zh/gradio_api/upload?upload_id=abc", files=files).json()]
    assert [path.suffix for path in paths] == [".png", ".png", UNKNOWN, ".png"]
    assert paths[1].read_bytes() == large
    assert [whole.services.storage.name_of(path) for path in paths] == [f"{n}.png" for n in range(4)]  # type: ignore[attr-defined]
    assert '"done"' in whole.get("/gradio_api/upload_progress?upload_id=abc").text


def test_wrong_bodies_are_refused_and_leave_nothing(opened: Opened) -> None:  # noqa: F811
    client = opened(upload_mb=0.01, video_mb=0.01, several_mb=0.01)
    folder = client.services.storage.folder / "uploads"  # type: ignore[attr-defined]
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n' + PNG
    form = {"content-type": "multipart/form-data; boundary=x"}
    for content, headers, status in (
        (head, form, 400),  # ends too soon
        (head + bytes(20_000), form, 400),
        (iter([head, bytes(150_000)]), form, 413),
        (b"--y\r\n", form, 400),
        (b"x", {"content-type": "multipart/form-data"}, 400),
        (b"x", {"content-type": "text/plain"}, 400),
        (b"--x\r\nContent-Disposition: form-data; name=" + bytes(20_000), form, 400),
    ):
        answer = client.post("/gradio_api/upload", content=content, headers=headers)
        assert answer.status_code == status and "Traceback" not in answer.text
        assert not list(folder.glob("*"))


def test_too_large_an_upload_is_told_in_the_pages_language(opened: Opened) -> None:  # noqa: F811
    client = opened(upload_mb=0.01, video_mb=0.02, several_mb=0.01)
    for path, text in (("/gradio_api/upload", ENGLISH), ("/zh/gradio_api/upload", CHINESE)):
        answer = client.post(path, files={"files": bytes(200_000)})
        assert (answer.status_code, answer.text) == (413, text.too_many_bytes.format(limit=0.02))
        assert answer.headers["content-type"].startswith("text/plain")


class FullDisk:
    """A file on a disk that is full after so many bytes."""

    def __init__(self, file: Any, room: int) -> None:
        self.file, self.room = file, room

    def write(self, data: bytes) -> int:
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device", self.file.name)
        return int(self.file.write(data))

    def close(self) -> None:
        self.file.close()


def test_a_full_disk_is_told_and_leaves_no_half_upload(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    def opens(file: Path, mode: str) -> FullDisk:
        return FullDisk(open(file, mode), 50_000)

    monkeypatch.setattr(uploads, "open", opens, raising=False)
    client = opened()
    files = [("files", ("a.png", PNG)), ("files", ("b.png", PNG + bytes(200_000)))]
    for path, text in (("/gradio_api/upload", ENGLISH), ("/zh/gradio_api/upload", CHINESE)):
        answer = client.post(path, files=files)
        assert (answer.status_code, answer.text) == (507, text.disk_full)
        assert not list((client.services.storage.folder / "uploads").glob("*"))  # type: ignore[attr-defined]


def test_the_api_looks_at_the_bytes_before_any_decoder(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    def opens(*_: Any, **__: Any) -> None:
        raise AssertionError("a decoder was asked")

    monkeypatch.setattr("photo2anime.web.server.paint_service.read_image", opens)
    client = opened()
    for body in REFERRING.values():
        if not body.startswith(b"GIF"):
            error_of(client.post("/api/paint", content=body, headers={"content-type": "image/jpeg"}), 415)
            error_of(client.post("/api/paint", files={"photo": ("a.jpg", body)}), 415)
