"""The page that paints in the visitor's own browser: shared constants, headers, the same pictures as the package's."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import re
import shutil
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import onnxruntime as ort
import pytest
from PIL import ExifTags, Image

from chromium import chromium
from conftest import EXAMPLES, ROOT
from photo2anime.images.image_io import read_image, write_image
from photo2anime.styles import shipped_styles
from photo2anime.types import Photo2AnimeError
from photo2anime.web.settings import Settings
from server import serving

pytest.importorskip("starlette")

from photo2anime.web import on_device

BROWSER = ROOT / "browser"
MEDIA = ("use-fake-device-for-media-stream", "use-fake-ui-for-media-stream")  # a camera


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec and spec.loader
    module = sys.modules[name] = importlib.util.module_from_spec(spec)  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


def test_the_browser_paints_by_the_packages_numbers() -> None:
    script_ = script("browser_constants")
    assert script_.TARGET.read_text(encoding="utf-8") == script_.rendered(), "run python scripts/browser_constants.py"
    for name, table in script_.tables().items():
        written, fresh = (np.frombuffer(of, "<i2") for of in ((script_.TABLES / f"{name}.bin").read_bytes(), table))
        assert np.abs(written - fresh).max() <= 1, "run python scripts/browser_constants.py"  # powers differ by machine


def test_the_browsers_tests_know_what_the_package_paints() -> None:
    """All but Pillow's own rounding is the same on every machine; a level is let pass."""
    fixtures = script("browser_fixtures")
    written, fresh = json.loads(fixtures.TARGET.read_text(encoding="utf-8")), fixtures.fixtures()
    assert written["tiles"] == fresh["tiles"] and written["square_of"] == pytest.approx(fresh["square_of"])
    assert written["lanczos"] == fresh["lanczos"] and written["eyes"] == fresh["eyes"]
    assert written.keys() == fresh.keys()


def test_the_graphs_for_the_browser_are_those_of_the_shipped_networks() -> None:
    pytest.importorskip("onnx")
    networks = script("browser_networks")
    written = {file.name: file.read_bytes() for file in networks.TARGET.iterdir()}
    assert written == networks.graphs(), "run python scripts/browser_networks.py"


@pytest.mark.parametrize(("network", "size"), [("cel", (104, 168)), ("hayao-v2", (24, 32)), ("portrait", (64, 48))])
def test_a_graph_for_the_browser_paints_as_the_network_does(
    tmp_path: Path, network: str, size: tuple[int, int]
) -> None:
    """Sizes that no block of the graph divides."""
    bundles = ROOT / "src" / "photo2anime" / "bundles"
    shutil.copy(bundles / f"{network}.onnx", tmp_path)
    shutil.copy(BROWSER / "public" / "graphs" / f"{network}.onnx", tmp_path / "graph.onnx")
    photo = np.random.default_rng(0).uniform(-1, 1, (1, 3, *size)).astype(np.float32)
    answers = []
    for name in (network, "graph"):
        session = ort.InferenceSession(tmp_path / f"{name}.onnx", providers=["CPUExecutionProvider"])
        fed = {"photo": photo, "mean_color": np.zeros((1, 3), np.float32)}
        names = [given.name for given in session.get_inputs()]
        answers.append(session.run(None, dict(zip(names, fed.values(), strict=False)))[0])
    assert np.abs(answers[0] - answers[1]).max() * 127.5 < 0.05


def test_every_style_has_a_card() -> None:
    for name in shipped_styles():
        with Image.open(BROWSER / "public" / "cards" / f"{name}.webp") as card:
            assert card.size == (192, 192)


def test_the_lock_file_names_no_registry() -> None:
    assert "resolved" not in (BROWSER / "package-lock.json").read_text(encoding="utf-8")


def test_the_page_and_the_server_have_the_same_policy() -> None:
    page = (BROWSER / "index.html").read_text(encoding="utf-8")
    policy = re.search(r'content="(default-src [^"]+)"', page)
    assert policy and on_device.HEADERS["Content-Security-Policy"] == policy[1] + "; frame-ancestors {frames}"
    assert not re.search(r"<script(?![^>]*src=)|style=|\son\w+=", page)


def test_files_are_handed_out_isolated_and_packed(tmp_path: Path) -> None:
    from starlette.testclient import TestClient

    (tmp_path / "index.html").write_text("<!doctype html>" + "x" * 2000, encoding="utf-8")
    (tmp_path / "ort.mjs").write_text("export {}", encoding="utf-8")
    client = TestClient(on_device.create_app(tmp_path, Settings(frame_ancestors="https://example.org")))
    page = client.get("/")
    assert page.headers["cross-origin-opener-policy"] == "same-origin"
    assert page.headers["cross-origin-embedder-policy"] == "require-corp"
    assert page.headers["content-security-policy"].endswith("frame-ancestors https://example.org")
    assert page.headers["content-encoding"] == "gzip"
    assert client.get("/ort.mjs").headers["content-type"].startswith("text/javascript")
    assert client.get("/../pyproject.toml").status_code == 404
    assert client.get("/", headers={"If-None-Match": page.headers["etag"]}).status_code == 304


def test_a_page_without_networks_gets_the_packages(tmp_path: Path) -> None:
    """As the wheel carries it."""
    from starlette.testclient import TestClient

    (tmp_path / "index.html").write_text("<!doctype html>", encoding="utf-8")
    client = TestClient(on_device.create_app(tmp_path, Settings(root_path="/anime")))
    network = ROOT / "src" / "photo2anime" / "bundles" / "enlarge.onnx"
    assert client.get("/anime/networks/enlarge.onnx").content == network.read_bytes()
    assert client.get("/anime/").text == "<!doctype html>"


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHOTO2ANIME_BROWSER", str(tmp_path))
    with pytest.raises(Photo2AnimeError, match="make browser"):
        on_device.serve_on_device(Settings())
    with pytest.raises(Photo2AnimeError, match="no token"):
        on_device.serve_on_device(Settings(token="x"))


# In Chromium


class Visit:
    """The page in a browser of its own, every request to the server and every error noted."""

    def __init__(self, browser: Any, url: str, **options: Any) -> None:
        self.url, self.requests, self.errors = url, [], []  # type: ignore[var-annotated]
        self.context = browser.new_context(
            **({"viewport": {"width": 1280, "height": 1000}, "locale": "en-US"} | options)
        )
        self.context.on("request", lambda request: self.requests.append(request.url))
        self.page = self.context.new_page()
        self.page.set_default_timeout(180_000)
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, query: str = "") -> None:
        self.page.goto(f"{self.url}/{query}")
        self.until("document.documentElement.dataset.offline == 'ready' && !!navigator.serviceWorker.controller")

    def until(self, expression: str, seconds: float = 180) -> None:
        """Waits until JavaScript is true; Playwright's own way to wait is eval, which the page's policy forbids."""
        deadline = time.monotonic() + seconds
        while not self.page.evaluate(expression):
            assert time.monotonic() < deadline, expression
            time.sleep(0.1)

    def elsewhere(self) -> list[str]:
        own = urlsplit(self.url).netloc
        return [
            url for url in self.requests if urlsplit(url).scheme in ("http", "https") and urlsplit(url).netloc != own
        ]

    def paint(self, photo: Path, style: str = "hayao", save: str = "png") -> Image.Image:
        """The photo painted and downloaded."""
        page = self.page
        old = page.get_attribute("#download", "href")
        page.set_input_files("#photo", photo)
        page.check(f"input[value={style}]", force=True)
        page.evaluate("document.querySelector('details').open = true")
        page.select_option("#save", save)
        page.click("#paint")
        self.until(
            "!document.querySelector('#paint').disabled"
            f" && document.querySelector('#download').getAttribute('href') != {json.dumps(old)}"
        )
        with page.expect_download() as download:
            page.click("#download")
        return Image.open(io.BytesIO(Path(download.value.path()).read_bytes()))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium(*MEDIA) as launched:
        yield launched


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not (BROWSER / "dist" / "index.html").is_file():
        pytest.skip("the page is not built here (make browser)")
    with serving(tmp_path_factory.mktemp("server"), "--on-device") as server:
        yield server.url


@pytest.fixture
def visit(browser: Any, url: str) -> Iterator[Visit]:
    visit = Visit(browser, url)
    visit.open()
    yield visit
    assert visit.elsewhere() == [] and visit.errors == []
    visit.context.close()


def reference(photo: Path, style: str, **options: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
    from photo2anime import Stylizer

    return np.asarray(Stylizer.load(style, device="cpu")(photo, **options))


def differences(painted: Image.Image, expected: np.ndarray[Any, Any]) -> tuple[float, int]:
    """Mean and largest difference, in levels."""
    mine = np.asarray(painted)
    assert mine.shape == expected.shape
    apart = np.abs(mine.astype(int) - expected)
    return float(apart.mean()), int(apart.max())


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Examples as PNG, so that both sides paint the same pixels; one of 5 megapixels, one transparent and turned."""
    folder = tmp_path_factory.mktemp("photos")
    found = {}
    for file in sorted(EXAMPLES.glob("*.jpg")):
        found[file.stem] = folder / f"{file.stem}.png"
        with Image.open(file) as photo:
            photo.convert("RGB").save(found[file.stem])
    with Image.open(EXAMPLES / "coast.jpg") as photo:
        found["large"] = folder / "large.png"
        photo.convert("RGB").resize((2600, 1900)).save(found["large"])
        clear = photo.convert("RGB").resize((301, 203))
        clear.putalpha(Image.linear_gradient("L").resize(clear.size))
        found["clear"] = folder / "clear.png"
        clear.save(found["clear"])
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "style"),
    [
        ("china", "cel"),
        ("coffee", "shinkai"),
        ("astronaut", "hayao"),
        ("astronaut", "portrait-v2"),
        ("chelsea", "paprika"),
        ("rocket", "hayao-v2"),
        ("large", "hayao"),
        ("clear", "shinkai"),
    ],
)
def test_paints_as_the_package_does(visit: Visit, photos: dict[str, Path], name: str, style: str) -> None:
    mean, most = differences(visit.paint(photos[name], style), reference(photos[name], style))
    assert mean <= 2 and most <= 12, (mean, most)


@pytest.mark.slow
def test_options_do_what_they_do_in_the_package(visit: Visit, photos: dict[str, Path]) -> None:
    page = visit.page
    page.evaluate("document.querySelector('details').open = true")
    page.fill("#strength", "0.6")
    page.check("#keep-color")
    page.select_option("#lines", "broad")
    page.select_option("#faces", "v2")
    painted = visit.paint(photos["astronaut"], "paprika")
    options = {"strength": 0.6, "keep_color": True, "lines": "broad", "faces": "v2"}
    mean, most = differences(painted, reference(photos["astronaut"], "paprika", **options))
    assert mean <= 2 and most <= 12, (mean, most)


@pytest.mark.slow
def test_a_turned_jpeg_is_painted_upright(visit: Visit, tmp_path: Path) -> None:
    """Chromium and Pillow both decode JPEG by libjpeg-turbo, so that it is allowed no more than a PNG is."""
    turned = tmp_path / "turned.jpg"
    with Image.open(EXAMPLES / "coast.jpg") as photo:
        exif = Image.Exif()
        exif[0x0112] = 6
        photo.convert("RGB").resize((320, 200)).save(turned, exif=exif, quality=92)
    painted = visit.paint(turned, "cel")
    assert painted.size == (200, 320)
    mean, most = differences(painted, reference(turned, "cel"))
    assert mean <= 2 and most <= 12, (mean, most)


@pytest.mark.slow
def test_a_jpegs_exif_goes_with_its_painting(visit: Visit, tmp_path: Path) -> None:
    """As the package keeps it: not how the photo was turned and stored, nor its small picture."""
    photo, exif = tmp_path / "photo.jpg", Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Model] = 6, "camera"
    exif[ExifTags.Base.XResolution] = 300.0
    details = {ExifTags.Base.ISOSpeedRatings: 200, ExifTags.Base.ColorSpace: 65535, ExifTags.Base.ExifImageWidth: 320}
    exif.get_ifd(ExifTags.IFD.Exif).update(details)
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSAltitude: 12.0})
    with Image.open(EXAMPLES / "coast.jpg") as opened:
        opened.convert("RGB").resize((320, 200)).save(photo, exif=exif)
    expected = tmp_path / "expected.jpg"
    write_image(expected, read_image(photo))
    found = []
    for kind in ("photo", "png"):
        painted = visit.paint(photo, "cel", save=kind)
        read = painted.getexif()
        found.append({tag: read.get_ifd(tag) or dict(read) for tag in (0, ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)})
    with Image.open(expected) as package:
        read = package.getexif()
        theirs = {tag: read.get_ifd(tag) or dict(read) for tag in (0, ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)}
    for mine in found:
        assert ExifTags.Base.Orientation not in mine[0] and mine[0][ExifTags.Base.Model] == "camera"
        assert mine[ExifTags.IFD.Exif] == theirs[ExifTags.IFD.Exif]
        assert mine[ExifTags.IFD.GPSInfo] == theirs[ExifTags.IFD.GPSInfo]


@pytest.mark.slow
def test_several_photos_are_painted_in_turn(visit: Visit, tmp_path: Path) -> None:
    """A wrong one among them stops nothing; of the same name are two."""
    page, names = visit.page, ["a.jpg", "b/a.jpg", "broken.jpg"]
    (tmp_path / "b").mkdir()
    with Image.open(EXAMPLES / "coast.jpg") as opened:
        for name in names[:2]:
            opened.convert("RGB").resize((96, 64)).save(tmp_path / name)
    (tmp_path / names[2]).write_bytes(b"no picture")
    page.set_input_files("#photo", [tmp_path / name for name in names])
    assert page.locator("#list output").all_inner_texts() == ["waits"] * 3
    page.check("input[value=cel]", force=True)
    page.click("#paint")
    page.get_by_text("2 of 3 photos painted.").wait_for()
    assert page.locator("#list a").count() == 2 and "not a picture" in page.locator("#list li").nth(2).inner_text()
    with page.expect_download() as download:
        page.click("#zip")
    with zipfile.ZipFile(download.value.path()) as packed:
        assert packed.testzip() is None and packed.namelist() == ["a-cel.jpg", "a-cel (2).jpg"]
        assert Image.open(io.BytesIO(packed.read("a-cel.jpg"))).size == (96, 64)
    with page.expect_download() as download:
        page.locator("#list a").nth(1).click()
    assert download.value.suggested_filename == "a-cel (2).jpg"


@contextlib.contextmanager
def counting() -> Iterator[tuple[str, list[str]]]:
    """A server of the built files in this process, and every path that is asked of it."""
    import uvicorn

    app, asked = on_device.create_app(on_device.built_files(), Settings()), []  # type: ignore[var-annotated]

    async def counted(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            asked.append(scope["path"])
        await app(scope, receive, send)

    server = uvicorn.Server(uvicorn.Config(counted, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://localhost:{server.servers[0].sockets[0].getsockname()[1]}", asked
    server.should_exit = True
    thread.join()


@pytest.mark.slow
def test_nothing_is_asked_of_the_server_after_the_first_visit(browser: Any, url: str, photos: dict[str, Path]) -> None:
    with counting() as (address, asked):
        visit = Visit(browser, address)
        visit.open()
        visit.page.wait_for_load_state("networkidle")
        assert len(asked) > 10
        asked.clear()
        visit.paint(photos["astronaut"], "portrait-v1")
        visit.page.select_option("#faces", "off")
        visit.paint(photos["chelsea"], "hayao-v2")
        assert asked == [] and visit.elsewhere() == [] and visit.errors == []
        visit.context.close()


@pytest.mark.slow
def test_it_works_offline(visit: Visit, photos: dict[str, Path]) -> None:
    page = visit.page
    assert page.evaluate("crossOriginIsolated")
    visit.context.set_offline(True)
    page.reload()
    assert page.evaluate("crossOriginIsolated")
    assert visit.paint(photos["clear"], "paprika-v2").mode == "RGBA"
    visit.errors.clear()  # the service worker's own look for a newer version fails, as it should


@pytest.mark.slow
def test_wrong_files_and_cancelling_get_a_sentence(visit: Visit, photos: dict[str, Path], tmp_path: Path) -> None:
    page = visit.page
    page.click("#paint")
    page.get_by_text("First choose a photo").wait_for()
    (tmp_path / "page.png").write_bytes(b"<html><script>alert(1)</script></html>")
    page.set_input_files("#photo", tmp_path / "page.png")
    page.click("#paint")
    page.get_by_text("not a picture").wait_for()
    page.set_input_files("#photo", photos["large"])
    page.click("#paint")
    page.wait_for_selector("#progress", state="visible")
    page.click("#cancel")
    page.get_by_text("Cancelled.").wait_for()
    assert page.is_enabled("#paint") and page.is_hidden("#progress")


@pytest.mark.slow
def test_the_camera_is_painted_live(visit: Visit) -> None:
    page = visit.page
    page.click("#camera")
    visit.until("document.querySelector('#rate').textContent.endsWith('/ s')")
    page.click("#shot")
    page.wait_for_selector("#preview", state="visible")
    assert page.is_hidden("#live")


@pytest.mark.slow
def test_the_page_fits_a_phone_and_speaks_the_visitors_language(browser: Any, url: str) -> None:
    visit = Visit(browser, url, viewport={"width": 320, "height": 640}, locale="zh-CN", color_scheme="dark")
    visit.open()
    page = visit.page
    page.get_by_role("button", name="开始绘制").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.check("input[value=hayao-v2]", force=True)
    page.get_by_text("仅限非商业用途").wait_for()
    page.select_option("#language", "ko")
    page.get_by_role("button", name="그리기", exact=True).wait_for()
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button, input, select, a')].filter(e => e.checkVisibility()"
        " && !(e.ariaLabel || e.labels?.length || e.innerText?.trim())).map(e => e.outerHTML)"
    )
    assert unnamed == [] and visit.elsewhere() == [] and visit.errors == []
    visit.context.close()


@pytest.mark.slow
def test_the_network_for_video_paints_nearly_the_same(visit: Visit, photos: dict[str, Path]) -> None:
    visit.page.evaluate("document.querySelector('details').open = true")
    visit.page.select_option("#precision", "fast")
    mean, _ = differences(visit.paint(photos["coffee"], "cel"), reference(photos["coffee"], "cel"))
    assert 0 < mean <= 6, mean
