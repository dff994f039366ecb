"""A running server: slow clients, signals, load, a proxy before it, Gradio's own client, and fuzzing."""

from __future__ import annotations

import io
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from conftest import ROOT, photo_of
from server import serving

pytest.importorskip("gradio")
import httpx

sys.path.insert(0, str(ROOT / "scripts"))
from load import put_under_load

pytestmark = pytest.mark.slow


def encoded(format: str, height: int, width: int, seed: int = 0) -> bytes:
    file = io.BytesIO()
    Image.fromarray(photo_of(height, width, seed)).save(file, format)
    return file.getvalue()


def answer_of(connection: socket.socket) -> str:
    """All that comes until the server closes the connection."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts).decode("latin-1")


def test_one_server_through_its_life(tmp_path: Path) -> None:
    """One start, many promises: a start takes seconds."""
    flags = ["--upload-seconds", "1", "--requests", "0", "--root-path", "/anime", "--workers", "2"]
    with serving(tmp_path, *flags) as server:
        host, port = urlsplit(server.url).hostname or "", urlsplit(server.url).port or 0
        bare = f"http://{host}:{port}"
        check_slow_upload(host, port)
        check_header_injection(host, port)
        check_root_path(bare)
        check_gradio_client(f"{bare}/anime/")
        check_load(bare, server.process.pid)
        check_shutdown(bare, server.process)
        assert not server.folders()


def check_slow_upload(host: str, port: int) -> None:
    with socket.create_connection((host, port), timeout=10) as slow:
        slow.sendall(
            b"POST /api/paint HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\nabc"
        )
        started = time.monotonic()
        assert httpx.get(f"http://{host}:{port}/healthz").status_code == 200  # nobody else waits for it
        answer = answer_of(slow)
    assert " 408 " in answer.splitlines()[0] and "longer than 1 seconds" in answer
    assert time.monotonic() - started < 4


def check_header_injection(host: str, port: int) -> None:
    name = b'x"; y="\xe5\r\nX-Evil: yes'
    photo = encoded("PNG", 16, 16)
    body = (
        b'--b\r\nContent-Disposition: form-data; name="photo"; filename="'
        + name
        + b'"\r\n\r\n'
        + photo
        + b"\r\n--b--\r\n"
    )
    with socket.create_connection((host, port), timeout=10) as evil:
        head = f"POST /api/paint HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        evil.sendall(head.encode() + b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" + body)
        answer = answer_of(evil)
    assert answer.split()[1] in ("200", "400", "422") and "X-Evil" not in answer.split("\r\n\r\n")[0]


def check_root_path(bare: str) -> None:
    """The proxy may cut the path off or leave it; the page names its files below it either way."""
    for address in (f"{bare}/anime/healthz", f"{bare}/healthz"):
        assert httpx.get(address).json()["status"] == "ok"
    for path in ("/anime/", "/anime/zh/", "/", "/zh/"):
        page = httpx.get(f"{bare}{path}")
        assert page.status_code == 200 and '<base href="./"' in page.text, path
    chinese = httpx.get(f"{bare}/anime/", headers={"accept-language": "zh"})
    assert chinese.headers["location"] == "/anime/zh/"
    assert httpx.get(f"{bare}/openapi.json").json()["servers"] == [{"url": "/anime"}]


def check_gradio_client(url: str) -> None:
    from gradio_client import Client, handle_file

    photo = ROOT / "examples" / "coffee.jpg"
    client = Client(url, verbose=False)
    shown, file, line, *_ = client.predict(handle_file(photo), "paprika", 1, False, "auto", "medium", api_name="/paint")
    before, after = shown["value"] if isinstance(shown, dict) else shown
    assert Path(before).exists() and Path(after).exists() and "600 × 400" in line
    downloaded = Image.open(file["value"] if isinstance(file, dict) else file)
    assert downloaded.size == (600, 400) and downloaded.format == "JPEG"


def check_load(bare: str, pid: int) -> None:
    photos = [encoded("JPEG", 48 + 8 * i, 64, i) for i in range(4)]
    put_under_load(bare, pid, photos, paintings=300, clients=8)  # what is bought once: flat after some 240
    load = put_under_load(bare, pid, photos, paintings=120, clients=8)
    assert (load.done, load.lost) == (120, [])
    assert load.growth < 0.03, load.memory


def check_shutdown(bare: str, process: subprocess.Popen[str]) -> None:
    """A painting under way is finished, later ones are refused, and the process is gone within ten seconds."""
    answers: list[httpx.Response] = []
    photo = encoded("JPEG", 600, 800)
    painting = threading.Thread(
        target=lambda: answers.append(httpx.post(f"{bare}/api/paint", content=photo, timeout=60))
    )
    painting.start()
    while "photo2anime_jobs_running 1.0" not in httpx.get(f"{bare}/metrics").text:
        time.sleep(0.01)
    with httpx.stream("GET", f"{bare}/gradio_api/heartbeat/abc", timeout=20):  # an open page
        process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        time.sleep(0.3)
        assert refused(f"{bare}/api/paint", photo)
        assert process.wait(timeout=20) == 0
        assert time.monotonic() - started < 10
    painting.join()
    assert answers[0].status_code == 200
    assert np.asarray(Image.open(io.BytesIO(answers[0].content))).shape == (600, 800, 3)


def refused(address: str, photo: bytes) -> bool:
    """Whether a painting is not taken: 503, or no connection any more."""
    try:
        return httpx.post(address, content=photo).status_code == 503
    except httpx.ConnectError:
        return True


def test_the_api_holds_what_its_description_says(tmp_path: Path) -> None:
    """Schemathesis makes requests from openapi.json, right and wrong ones: no 500, no undescribed status."""
    pytest.importorskip("schemathesis")
    with serving(tmp_path, "--requests", "0", "--megapixels", "0.1") as server:
        command = [
            str(Path(sys.executable).parent / "schemathesis"), "run", f"{server.url}/openapi.json", "--url", server.url,
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
            "--max-examples", "25", "--seed", "6", "--request-timeout", "20",
        ]  # fmt: skip
        result = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path)
        assert httpx.get(f"{server.url}/healthz").status_code == 200
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
