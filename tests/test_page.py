"""The web page: the functions under its buttons, and the page itself in Chromium."""

from __future__ import annotations

import base64
import io
import re
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from chromium import chromium
from clips import make_clip, moving, pictures_of
from conftest import EXAMPLES, photo_of
from server import serving

pytest.importorskip("gradio")

from photo2anime import list_styles
from photo2anime.images.image_io import WriteOptions, write_image
from photo2anime.options import PaintOptions
from photo2anime.types import Picture
from photo2anime.web.page import handlers, posting, video_handlers
from photo2anime.web.page.handlers import Page, PageError
from photo2anime.web.page.samples import Samples
from photo2anime.web.page.several_handlers import paint_several
from photo2anime.web.server.services import Services
from photo2anime.web.settings import Settings
from photo2anime.web.text import CHINESE, ENGLISH, TEXTS


@pytest.fixture
def page() -> Iterator[Page]:
    services = Services(Settings(upload_mb=1, several=4))
    yield Page(services, ENGLISH)
    services.finish(2)
    services.storage.remove()


def uploaded(page: Page, name: str = "photo.jpg", height: int = 40, width: int = 56, seed: int = 0) -> str:
    """A photo as if a visitor had uploaded it."""
    target = page.services.storage.new_file(name)
    return str(write_image(target, Picture(photo_of(height, width, seed)), WriteOptions()))


# The functions under the buttons


def test_a_photo_is_shown_before_and_after_and_kept_whole(page: Page) -> None:
    steps: list[tuple[int, int]] = []
    path = uploaded(page, "my photo.webp", 30, 2000)
    shown = handlers.paint_photo(page, path, PaintOptions("shinkai"), lambda done, total: steps.append((done, total)))
    assert Path(shown.file).name == "my photo-shinkai.webp"
    assert Image.open(shown.file).size == (2000, 30)
    assert Image.open(shown.before).size == Image.open(shown.after).size == (1600, 24)
    assert "2000 × 30 pixels" in shown.line
    assert steps and steps[-1][0] == steps[-1][1]


def test_every_card_shows_the_visitors_own_photo(page: Page) -> None:
    ours, another = (handlers.paint_cards(page, uploaded(page, seed=seed), "#cards") for seed in (0, 1))
    pictures = dict(re.findall(r'#cards label:has\(input\[value="([\w-]+)"\]\)::before .*base64,([^)]+)\)', ours))
    assert list(pictures) == list(list_styles())
    assert len(set(pictures.values())) > 6  # the portraits paint a picture without eyes alike
    assert not set(pictures.values()) & set(re.findall(r"base64,([^)]+)\)", another))
    assert all(Image.open(io.BytesIO(base64.b64decode(data))).size == (40, 40) for data in pictures.values())
    assert handlers.paint_cards(page, None, "#cards") == ""


def test_a_large_photo_is_previewed_as_it_will_be_painted(page: Page) -> None:
    assert handlers.preview_photo(page, uploaded(page), PaintOptions()) is None  # painting it is as quick
    path = uploaded(page, "large.jpg", 60, 2400)
    preview, whole = (work(page, path, PaintOptions()) for work in (handlers.preview_photo, handlers.paint_photo))
    assert preview is not None and preview.file == "" and preview.line == ENGLISH.preview_line
    before, after = (np.asarray(Image.open(one.after), np.float32) for one in (preview, whole))
    assert before.shape == after.shape == (40, 1600, 3)
    assert np.abs(before - after).mean() < 10  # of noise, which no two sizes shrink alike


def test_what_is_shown_can_be_posted_as_a_picture_and_as_a_video(page: Page) -> None:
    shown = handlers.paint_photo(page, uploaded(page, "cat.png", 61, 81), PaintOptions())
    picture = handlers.post(page, shown, posting.before_after_picture, "before-after.jpg")
    assert Path(picture).name == "cat-hayao-before-after.jpg" and Image.open(picture).size == (162, 61)
    clip = handlers.post(page, shown, posting.before_after_video, "before-after.mp4")
    frames = [np.asarray(frame, np.float32) for frame in pictures_of(Path(clip))]
    photo, anime = (np.asarray(Image.open(file), np.float32)[:60, :80] for file in (shown.before, shown.after))
    assert len(frames) == 120 and frames[0].shape == (60, 80, 3)
    for number, near, far in ((0, photo, anime), (60, anime, photo)):  # H.264 halves the colours of this noise
        assert np.abs(frames[number] - near).mean() < 0.6 * np.abs(frames[number] - far).mean()
    with pytest.raises(PageError):
        handlers.post(page, None, posting.before_after_picture, "x.jpg")


def test_samples_are_painted_beforehand(page: Page) -> None:
    samples = Samples(page.services, "#cards")
    samples.start()
    for index in range(4):
        sample = samples.wait(index)
        assert Image.open(sample.painted).size == Image.open(sample.photo).size
        assert all(f'value="{style}"' in sample.cards for style in list_styles())
    page.services.storage.keep_seconds = 0
    page.services.storage.sweep()
    assert Path(samples.wait(0).painted).is_file()


def test_several_photos_come_in_one_zip_and_failures_are_named(page: Page) -> None:
    broken = page.services.storage.write("broken.png", b"nothing")
    paths = [uploaded(page, "a.png"), uploaded(page, "a.png", seed=1), str(broken)]
    steps = list(paint_several(page, paths, PaintOptions()))
    assert steps[0].lines[1:] == ["a.png: is being painted", "a.png: waits", "broken.png: waits"]
    assert [step.zip is None for step in steps] == [True, True, True, False]
    several = steps[-1]
    assert several.lines[:3] == ["2 of 3 photos painted.", "a.png: painted", "a.png: painted"]
    assert several.lines[3].startswith("broken.png: This file is not a picture")
    assert several.failed == [str(broken)]
    assert several.zip and len(several.previews) == 2
    with zipfile.ZipFile(several.zip) as archive:
        assert archive.namelist() == ["a-hayao.png", "a-hayao-2.png"]
        assert archive.testzip() is None


def test_several_photos_can_be_cancelled(page: Page) -> None:
    flag = threading.Event()
    paths = [uploaded(page, f"{name}.png") for name in "abc"]
    for several in paint_several(page, paths, PaintOptions(), flag.is_set):
        if several.previews:
            flag.set()
    assert several.lines == ["1 of 3 photos painted.", "a.png: painted", "b.png: Cancelled.", "c.png: Cancelled."]
    assert several.failed == paths[1:] and several.zip


@pytest.mark.parametrize("text", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_wrong_input_gets_a_friendly_sentence(page: Page, text: Any, tmp_path: Path) -> None:
    page = Page(page.services, text)
    storage = page.services.storage
    too_large = storage.write("large.jpg", bytes(1_000_001))
    not_ours = tmp_path / "private.png"
    not_ours.write_bytes(b"x")
    cases = {
        None: text.no_photo,
        str(not_ours): text.no_photo,
        str(too_large): text.too_many_bytes.format(limit=1),
        str(storage.write("page.html", b"<html>")): text.not_a_picture,
        str(storage.write("empty.jpg", b"")): text.empty_file,
    }
    for path, sentence in cases.items():
        with pytest.raises(PageError) as caught:
            handlers.paint_photo(page, path, PaintOptions())
        assert str(caught.value).startswith(sentence)
    for paths, sentence in (([], text.no_photos), (["x"] * 5, text.too_many_photos.format(limit=4))):
        with pytest.raises(PageError, match=sentence[:12]):
            next(paint_several(page, paths, PaintOptions()))


def test_a_full_queue_is_told_kindly(page: Page) -> None:
    page.services.jobs.most_waiting = -page.services.jobs.workers
    with pytest.raises(PageError, match="Many people"):
        handlers.paint_photo(page, uploaded(page), PaintOptions())


def test_a_video_is_previewed_painted_and_cancelled(page: Page, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", moving(4, 32, 48), sound=0)
    source, flag, seen = str(page.services.storage.write("clip.mov", clip.read_bytes())), threading.Event(), []
    stills = video_handlers.show_stills(page, source, PaintOptions())
    assert [Image.open(still).size for still in stills] == [(48, 32)] * 3
    painted = video_handlers.show_video(page, source, PaintOptions(), lambda done, total: seen.append((done, total)))
    assert Path(painted).name == "clip-hayao.mp4" and len(pictures_of(Path(painted))) == 4
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    with pytest.raises(PageError, match="Cancelled"):
        video_handlers.show_video(page, source, PaintOptions(), lambda done, total: flag.set(), flag.is_set)
    assert not list(page.services.storage.folder.rglob(".*.photo2anime"))
    with pytest.raises(PageError, match="First choose a video"):
        video_handlers.show_video(page, "/etc/passwd", PaintOptions())


def test_names_of_results_are_harmless(page: Page) -> None:
    for name, expected in (
        ("a<b>.png", "a_b_"),
        ("照片.png", "照片"),
        ("...png", "photo"),
        ("x" * 120 + ".png", "x" * 80),
    ):
        assert handlers.safe_stem(Path(name)) == expected


@pytest.mark.parametrize("other", [text for text in TEXTS.values() if text is not ENGLISH], ids=lambda text: text.tag)
def test_every_language_says_everything(other: Any) -> None:
    for field in fields(ENGLISH):
        english, translated = getattr(ENGLISH, field.name), getattr(other, field.name)
        assert english.strip() and translated.strip()
        assert english != translated, field.name
        braces = [sorted(part.split("}")[0] for part in text.split("{")[1:]) for text in (english, translated)]
        assert braces[0] == braces[1], field.name


# The page in a browser


class Visit:
    """A browser at a server, and what it saw go wrong."""

    def __init__(self, browser: Any, url: str) -> None:
        self.url, self.elsewhere, self.errors = url, [], []  # type: ignore[var-annotated]
        self.context = browser.new_context(viewport={"width": 1280, "height": 1000}, locale="en-US")
        self.page = self.context.new_page()
        self.page.set_default_timeout(40_000)
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._watch)

    def _watch(self, request: Any) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and address.netloc != urlsplit(self.url).netloc:
            self.elsewhere.append(request.url)

    def check(self) -> None:
        """No request to another host, no error on the console."""
        assert self.elsewhere == []
        assert self.errors == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("server"), "--root-path", "/anime", "--requests", "0") as server:
        yield server.url


@pytest.fixture
def visit(browser: Any, url: str) -> Iterator[Visit]:
    visit = Visit(browser, url)
    visit.page.goto(f"{url}/")
    visit.page.wait_for_selector("#submit")
    yield visit
    visit.check()
    visit.context.close()


SHOWN = "[...document.querySelectorAll('#result img')].map(i => i.src).join()"


def paint(page: Any) -> None:
    """Presses Submit and waits for the new result's two pictures to be shown."""
    old = page.evaluate(SHOWN)
    page.click("#submit")
    page.wait_for_function(
        "old => { const shown = [...document.querySelectorAll('#result img')];"
        " return shown.length == 2 && shown.every(i => i.complete && i.naturalWidth)"
        " && shown.map(i => i.src).join() != old }",
        arg=old,
    )


def downloaded(page: Any, button: str, folder: Path) -> Path:
    with page.expect_download() as download:
        page.click(button)
    target = folder / download.value.suggested_filename
    download.value.save_as(target)
    return target


@pytest.mark.slow
def test_upload_paint_compare_download(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    page.set_input_files("#photo input[type=file]", EXAMPLES / "china.jpg")
    page.wait_for_selector("#photo img")
    paint(page)
    handle = (
        page.locator("#result").get_by_role("slider").or_(page.locator("#result .outer .inner, #result .inner")).first
    )
    before = handle.bounding_box()
    box = page.locator("#result img").first.bounding_box()
    page.mouse.move(before["x"] + before["width"] / 2, before["y"] + before["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, before["y"] + 5, steps=5)
    page.mouse.up()
    assert handle.bounding_box()["x"] > before["x"] + 50
    file = downloaded(page, "#download", tmp_path)
    assert file.name == "china-hayao.jpg"
    first = Image.open(file)
    first.load()
    assert first.size == Image.open(EXAMPLES / "china.jpg").size

    page.check("#photo-cards input[value=paprika]", force=True)
    page.wait_for_function("document.querySelectorAll('#visit img').length == 2")
    assert downloaded(page, "#download", tmp_path).name == "china-paprika.jpg"

    page.wait_for_selector("#visit img")
    old = page.evaluate(SHOWN)
    page.locator("#visit button:has(img)").nth(1).click()  # the first result again
    page.wait_for_function(f"old => {SHOWN} != old", arg=old)
    assert downloaded(page, "#download", tmp_path).name == "china-hayao.jpg"
    assert downloaded(page, "#post-picture", tmp_path).name == "china-hayao-before-after.jpg"
    assert downloaded(page, "#post-video", tmp_path).name == "china-hayao-before-after.mp4"


@pytest.mark.slow
def test_cards_show_the_visitors_photo_and_one_tap_paints(visit: Visit, tmp_path: Path) -> None:
    page, card = (
        visit.page,
        "getComputedStyle(document.querySelector('#photo-cards label'), '::before').backgroundImage",
    )
    stock = page.evaluate(card)
    page.set_input_files("#photo input[type=file]", EXAMPLES / "chelsea.jpg")
    page.wait_for_function(f"old => {card} != old", arg=stock)
    assert len({page.evaluate(card.replace("label", f"label:nth-child({n})")) for n in range(1, 5)}) == 4
    heights = page.evaluate("[...document.querySelectorAll('#photo-cards label')].map(l => l.offsetHeight)")
    assert len(set(heights)) == 1
    page.check("#photo-cards input[value=cel]", force=True)
    page.wait_for_selector("#result img")
    page.wait_for_function("!document.querySelector('#download').disabled")
    assert downloaded(page, "#download", tmp_path).name == "chelsea-cel.jpg"


@pytest.mark.slow
def test_a_setting_answers_by_itself(visit: Visit) -> None:
    page = visit.page
    page.set_input_files("#photo input[type=file]", EXAMPLES / "chelsea.jpg")
    page.wait_for_selector("#photo img")
    paint(page)
    old = page.evaluate(SHOWN)
    page.get_by_role("button", name=ENGLISH.more).first.click()
    page.get_by_label(ENGLISH.keep_color).first.check()
    page.wait_for_function(f"old => {SHOWN} != old", arg=old)


@pytest.mark.slow
def test_a_sample_answers_at_once_and_the_keyboard_chooses_a_style(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    page.locator("#examples button:has(img)").nth(1).click()
    page.wait_for_selector("#result img")
    assert downloaded(page, "#download", tmp_path).name == "china-hayao.jpg"
    old = page.evaluate(SHOWN)
    page.focus("#photo-cards input[value=hayao]")
    page.keyboard.press("ArrowRight")
    assert page.is_checked("#photo-cards input[value=shinkai]")
    page.wait_for_function(f"old => {SHOWN} != old", arg=old)
    assert unnamed_of(page) == []


@pytest.mark.slow
def test_everything_that_is_needed_stands_above_the_fold(browser: Any, url: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
    page = context.new_page()
    page.goto(f"{url}/")
    page.set_input_files("#photo input[type=file]", EXAMPLES / "china.jpg")
    page.wait_for_selector("#photo img")
    paint(page)
    for part in ("#photo", "#photo-cards", "#submit", "#result", "#download"):
        box = page.locator(part).bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 900, part
    context.close()


@pytest.mark.slow
def test_on_a_phone_the_result_comes_into_view(browser: Any, url: str) -> None:
    context = browser.new_context(viewport={"width": 320, "height": 640}, locale="ko-KR", has_touch=True)
    page = context.new_page()
    page.goto(f"{url}/")
    page.get_by_role("button", name=TEXTS["ko"].submit, exact=True).wait_for()
    page.set_input_files("#photo input[type=file]", EXAMPLES / "china.jpg")
    page.wait_for_selector("#photo img")
    paint(page)
    page.wait_for_function("(() => { const box = document.querySelector('#result').getBoundingClientRect();"
                           " return box.top > -5 && box.top < 320 })()")  # fmt: skip
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    context.close()


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious(visit: Visit, dark: bool) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = visit.page
    if dark:
        page.click(".links button")
    page.set_input_files("#photo input[type=file]", EXAMPLES / "china.jpg")
    page.wait_for_selector("#photo img")
    paint(page)
    for tab in (ENGLISH.photo_tab, ENGLISH.several_tab, ENGLISH.video_tab):
        page.get_by_role("tab", name=tab, exact=True).click()
        page.wait_for_timeout(400)  # colours fade in
        found = axe.run(page).response["violations"]
        told = [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found
                if one["impact"] in ("serious", "critical")]  # fmt: skip
        assert told == [], tab


def unnamed_of(page: Any) -> list[str]:
    """Controls that are seen but have no name for those who cannot see them."""
    unnamed: list[str] = page.evaluate(
        "[...document.querySelectorAll('button, input, textarea, select, a')].filter(e => e.offsetParent"
        " && !(e.getAttribute('aria-label') || e.title || e.labels?.length || e.innerText?.trim()"
        " || e.placeholder || e.querySelector('img[alt]'))).map(e => e.outerHTML.slice(0, 200))"
    )
    return unnamed


@pytest.mark.slow
def test_wrong_files_get_a_sentence_not_a_traceback(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    page.click("#submit")
    page.get_by_text(ENGLISH.no_photo).wait_for()
    wrong = tmp_path / "page.png"
    wrong.write_bytes(b"<html><script>alert(1)</script></html>")
    page.set_input_files("#photo input[type=file]", wrong)
    page.get_by_text(ENGLISH.not_a_picture).wait_for()
    page.wait_for_selector("#photo img", state="detached")  # else a broken picture stands there
    assert "Traceback" not in page.content()


@pytest.mark.slow
def test_tabs_are_equally_wide_and_nothing_sticks_out_of_a_phone(browser: Any, url: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
    page = context.new_page()
    page.goto(f"{url}/")
    widths = set()
    for tab in (ENGLISH.photo_tab, ENGLISH.several_tab, ENGLISH.video_tab):
        page.get_by_role("tab", name=tab, exact=True).click()
        page.wait_for_timeout(300)
        widths.add(page.locator("#top").bounding_box()["width"])
    assert len(widths) == 1
    page.set_viewport_size({"width": 390, "height": 844})
    head, buttons = (page.locator(part).bounding_box() for part in ("#top", "#top .links"))
    assert buttons["x"] + buttons["width"] <= head["x"] + head["width"]
    context.close()


@pytest.mark.slow
def test_several_photos(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    page.get_by_role("tab", name=ENGLISH.several_tab).click()
    page.set_input_files("#photos input[type=file]", [EXAMPLES / "coffee.jpg", EXAMPLES / "astronaut.jpg"])
    page.get_by_text("astronaut").first.wait_for()
    page.click("#paint-all")
    page.wait_for_function("document.querySelector('#lines textarea')?.value.startsWith('2 of 2')")
    with zipfile.ZipFile(downloaded(page, "#zip", tmp_path)) as archive:
        assert sorted(archive.namelist()) == ["astronaut-hayao.jpg", "coffee-hayao.jpg"]


@pytest.mark.slow
def test_what_gradio_says_of_its_own_is_said_in_the_pages_words(browser: Any, url: str, tmp_path: Path) -> None:
    page = browser.new_context(locale="zh-CN").new_page()
    page.goto(f"{url}/zh/")
    page.wait_for_selector("#submit")
    (tmp_path / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0" * 100)
    (tmp_path / "list.mp4").write_bytes(b"#EXTM3U\n/etc/passwd\n")
    page.set_input_files("#photo input[type=file]", tmp_path / "Thumbs.db")
    page.get_by_text(CHINESE.wrong_kind).wait_for()
    page.get_by_role("tab", name=CHINESE.video_tab).click()
    page.set_input_files("#video input[type=file]", tmp_path / "list.mp4")
    page.get_by_text(CHINESE.not_playable).wait_for()
    page.click("#paint-video")
    page.get_by_text(CHINESE.not_a_video).wait_for()
    page.get_by_role("tab", name=CHINESE.several_tab).click()
    page.set_input_files("#photos input[type=file]", [EXAMPLES / "coffee.jpg", tmp_path / "Thumbs.db"])
    page.get_by_text("Thumbs").first.wait_for()
    page.click("#paint-all")
    page.wait_for_function("!document.querySelector('#zip').disabled")
    lines = page.locator("#lines textarea").input_value().split("\n")
    assert lines == [
        CHINESE.count.format(done=1, total=2), f"coffee.jpg: {CHINESE.ready}", f"Thumbs.db: {CHINESE.not_a_picture}"
    ]  # fmt: skip
    assert "Error" not in page.locator("body").inner_text() and "Invalid" not in page.locator("body").inner_text()
    page.context.close()


@pytest.mark.slow
def test_language_and_dark_are_switched(visit: Visit) -> None:
    page = visit.page
    page.select_option(".links select", label="中文")
    page.wait_for_url("**/anime/zh/")
    page.get_by_role("button", name=CHINESE.submit, exact=True).wait_for()
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    page.click("#submit")
    page.get_by_text(CHINESE.no_photo).wait_for()
    page.select_option(".links select", label="English")
    page.get_by_role("button", name=ENGLISH.submit, exact=True).wait_for()
    dark = page.evaluate("document.body.classList.contains('dark')")
    page.click(".links button")
    assert page.evaluate("document.body.classList.contains('dark')") != dark


@pytest.mark.slow
def test_a_chinese_phone_gets_a_chinese_page_that_fits(browser: Any, url: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale="zh-CN", has_touch=True)
    page = context.new_page()
    page.goto(f"{url}/")
    page.get_by_role("button", name=CHINESE.submit, exact=True).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


def test_gradio_keeps_little_of_each_visitor(page: Page) -> None:
    """It copies the whole page for each session, 170 kB, and keeps ten thousand of them unless told otherwise."""
    from gradio.state_holder import StateHolder

    from photo2anime.web.page.layout import build_page

    holder = StateHolder()
    holder.set_blocks(build_page(page.services, ENGLISH, Samples(page.services, "#cards"), ""))
    for number in range(200):
        holder[f"session {number}"]
    assert len(holder.session_data) <= 64
