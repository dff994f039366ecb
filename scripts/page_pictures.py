"""Makes docs/images/page.png and page-phone.png, and times the page: page_pictures.py URL PHOTO [--times 20]."""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parent.parent / "docs" / "images"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
SHOWN = (
    "old => { const shown = [...document.querySelectorAll('#result img')];"
    " return shown.length == 2 && shown.every(i => i.complete && i.naturalWidth)"
    " && shown.map(i => i.src).join() != old }"
)


def click_to_picture(page: Any) -> float:
    """Seconds from the click on Submit until both pictures of the slider are decoded."""
    old = page.evaluate("[...document.querySelectorAll('#result img')].map(i => i.src).join()")
    started = time.perf_counter()
    page.click("#submit")
    page.wait_for_function(SHOWN, arg=old, timeout=60_000)
    return time.perf_counter() - started


def photograph(page: Any, url: str, photo: Path, target: Path) -> None:
    page.goto(url)
    page.wait_for_selector("#submit")
    page.set_input_files("#photo input[type=file]", photo)
    page.wait_for_selector("#photo img")
    click_to_picture(page)
    page.mouse.move(0, 0)
    page.wait_for_timeout(800)
    page.screenshot(path=target, full_page=True)
    print(target)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Pictures of the page, and its speed.")
    parser.add_argument("url")
    parser.add_argument("photo", type=Path)
    parser.add_argument("--times", type=int, default=20)
    args = parser.parse_args()
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        wide = browser.new_page(viewport={"width": 1180, "height": 900})
        photograph(wide, args.url, args.photo, IMAGES / "page.png")
        seconds = [click_to_picture(wide) for _ in range(args.times)]
        if seconds:
            print(
                f"click to picture: median {statistics.median(seconds):.2f} s, {min(seconds):.2f} to {max(seconds):.2f}"
            )
        phone = browser.new_page(viewport={"width": 390, "height": 844}, has_touch=True, color_scheme="dark")
        photograph(phone, args.url, args.photo, IMAGES / "page-phone.png")
        browser.close()
