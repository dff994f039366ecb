"""A running server and all that visitors could do to it: one server, many requests, and nothing comes of them."""

from __future__ import annotations

import gzip
import io
import socket
import struct
import sys
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from PIL import Image

from clips import make_clip, moving
from conftest import ROOT, photo_of

pytest.importorskip("gradio")

from photo2anime.web.text import ENGLISH
from server import Server, serving
from test_uploads import REFERRING

sys.path.append(str(ROOT / "scripts"))
from visitor import Visitor

pytestmark = pytest.mark.slow

SECRET = b"the-secret-of-the-house"
NAMES = (
    "../../../../tmp/evil.png",
    "..\\..\\evil.png",
    "/etc/cron.d/evil.png",
    "C:\\evil.png",
    "%2e%2e%2f%2e%2e%2fevil.png",
    "evil\0.png",
    "evil\r\nX-Evil: yes\r\n.png",
    "-o evil.png",
    "$(touch evil).png;`touch evil`",
    "http://127.0.0.1/evil.png",
    "evil" * 1000 + ".png",
    "\u202egnp.live.exe",
    ".",
    "..",
    "",
)
MOST_GROWN_BYTES = 700 << 20  # a painting of the largest picture that is let in is below; a bomb is not


def picture(format: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(photo_of(24, 32)).save(file, format)
    return file.getvalue()


def png(width: int, height: int, bits: int, color: int, rows: bytes, *more: tuple[bytes, bytes]) -> bytes:
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)), *more]
    chunks += [(b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    packed = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def bombs() -> dict[str, bytes]:
    """Small files that would be large."""
    nothing = zlib.compress(bytes(64 << 20), 9)
    gif = picture("GIF")
    tags = [(256, 60_000), (257, 60_000), (258, 16), (259, 8), (262, 1), (273, 8), (277, 1), (278, 60_000)]
    tags += [(279, len(nothing))]
    rows = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    tiff = b"II*\0" + struct.pack("<I", 8 + len(nothing)) + nothing + struct.pack("<H", len(tags)) + rows + bytes(4)
    return {
        "a wall of PNG": png(60_000, 60_000, 1, 0, bytes(7_501 * 6_000)),
        "text of PNG": png(8, 8, 8, 2, bytes(25 * 8), (b"zTXt", b"Comment\0\0" + nothing)),
        "a profile of PNG": png(8, 8, 8, 2, bytes(25 * 8), (b"iCCP", b"x\0\0" + nothing)),
        "a wall of GIF": gif[:6] + struct.pack("<HH", 65_535, 65_535) + gif[10:],
        "a deep wall of TIFF": tiff,
        "gzip": gzip.compress(bytes(64 << 20)),
    }


def slip() -> bytes:
    """An archive whose members would lie above it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as pack:
        for name in ("../../evil.png", "/tmp/evil.png", "..\\evil.png"):
            pack.writestr(name, picture())
    return file.getvalue()


class Bait:
    """A server inside the house, which nobody is to be sent to."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port, self.caught = self.socket.getsockname()[1], 0
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            try:
                self.socket.accept()[0].close()
            except OSError:
                return
            self.caught += 1


@contextmanager
def attacked(tmp_path: Path) -> Iterator[tuple[Server, Bait, httpx.Client]]:
    """A server that afterwards is alive and well, has told no secret, called nobody and written nowhere else."""
    bait, house = Bait(), tmp_path / "house"
    own = tmp_path / "server"
    house.mkdir()
    own.mkdir()
    (house / "private.txt").write_bytes(SECRET)
    make_clip(house / "private.ts", moving(5))
    there = outside(tmp_path, own)
    with serving(own, "--requests", "0") as server:

        def check(answer: httpx.Response) -> None:
            content = answer.read()
            assert answer.status_code < 500, (answer.request.url, content[:300])
            told = content + repr(answer.headers.raw).encode()
            for word in (SECRET, b"Traceback", b"root:x:", str(house).encode(), b"X-Evil", b"x-evil"):
                assert word not in told or word in bytes(answer.request.read()), (answer.request.url, word)

        with httpx.Client(
            base_url=server.url, timeout=120, trust_env=False, event_hooks={"response": [check]}
        ) as client:
            client.post("/api/paint", content=picture()).raise_for_status()
            before = peak_bytes(server.process.pid)
            yield server, bait, client
            assert peak_bytes(server.process.pid) - before < MOST_GROWN_BYTES
            assert client.post("/api/paint", content=picture()).status_code == 200
            assert client.get("/healthz").status_code == 200 and server.process.poll() is None
            (folder,) = server.folders()
            assert not [file for file in own.iterdir() if file != folder and "evil" in file.name]
            assert not [file.name for file in folder.rglob("*") if "evil" in file.name and file.suffix not in OURS]
    assert bait.caught == 0 and outside(tmp_path, own) == there
    assert not [file for place in (Path("/tmp"), ROOT, Path.cwd()) for file in place.glob("*evil*")]


OURS = {".png", ".unknown", ""}


def peak_bytes(pid: int) -> int:
    """The most memory that a process ever had; what it has now where the system does not tell."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return int(psutil.Process(pid).memory_info().rss)
    return int(status.read_text().split("VmHWM:")[1].split()[0]) << 10


def outside(folder: Path, own: Path) -> set[Path]:
    return {file for file in folder.rglob("*") if not file.is_relative_to(own)}


def test_a_server_that_is_attacked_tells_nothing_and_goes_on(tmp_path: Path) -> None:
    with attacked(tmp_path) as (server, bait, client):
        private = str(tmp_path / "house" / "private.ts").encode()
        for name, content in REFERRING.items():
            for place in (private, f"http://127.0.0.1:{bait.port}/x.ts".encode()):
                sent = content.replace(b"file:///tmp/private.ts", place).replace(b"/tmp/private.ts", place)
                sent = sent.replace(b"/etc/passwd", place)
                assert client.post("/api/paint", content=sent).status_code == 415, name
                answer = client.post("/gradio_api/upload", files={"files": ("party.mp4", sent, "video/mp4")})
                assert Path(answer.json()[0]).read_bytes() == b"", name
        for name, content in bombs().items():
            status = client.post("/api/paint", content=content).status_code
            assert status in (413, 415, 422) or (status == 200 and name.endswith("of PNG")), (name, status)
            client.post("/gradio_api/upload", files={"files": ("bomb.png", content, "image/png")})
        assert client.post("/api/paint", content=slip()).status_code == 415
        for name in NAMES:
            for address, field in (("/api/paint", "photo"), ("/gradio_api/upload", "files")):
                answer = client.post(address, files={field: (name, picture(), "image/png")})
                assert answer.status_code in (200, 400, 413, 422) and "evil" not in repr(answer.headers), (
                    name,
                    address,
                )
        for path in ("/etc/passwd", "../../../../etc/passwd", str(private, "utf-8"), f"http://127.0.0.1:{bait.port}/x"):
            file = {"path": path, "url": f"http://127.0.0.1:{bait.port}/y", "meta": {"_type": "gradio.FileData"}}
            body = {"data": [file, "hayao", 1, False, "auto", "medium"], "fn_index": 0, "session_hash": "abc"}
            for address in ("/gradio_api/queue/join", "/gradio_api/call/paint", "/gradio_api/run/paint"):
                assert client.post(address, json=body).status_code in (400, 404)
            for address in ("/gradio_api/file=", "/gradio_api/proxy=", "/file=", "/static/", "/assets/"):
                assert client.get(address + path).status_code in (400, 403, 404), (address, path)
        visitor = Visitor(server.url)
        visitor.press("paint-video", visitor.upload(("party.mp4", REFERRING["m3u8"]))[0])
        refused = visitor.result()
        assert not refused["success"] and refused["output"]["error"] == ENGLISH.not_a_video
        visitor.press("paint-all", visitor.upload(("a.png", picture()), *((f"{n}.png", b) for n, b in bombs().items())))
        lines = visitor.result()["output"]["data"][1].split("\n")
        assert len(lines) == 2 + len(bombs()) and f"a.png: {ENGLISH.ready}" in lines
