"""Paints photos in Chromium and by this package, and prints how far apart they are, in levels.

Styles are taken in turn. Needs `make browser` and Chromium.
"""

from __future__ import annotations

import argparse
import io
import itertools
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from on_device import FLAGS, served
from photo2anime import Stylizer
from photo2anime.styles import shipped_styles

SOFTWARE_GPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-unsafe-swiftshader"]


def painted(page: Any, photo: Path, style: str) -> Image.Image:
    old = page.get_attribute("#download", "href")
    page.set_input_files("#photo", photo)
    page.check(f"input[value={style}]", force=True)
    page.select_option("#save", "png")
    page.click("#paint")
    while page.is_disabled("#paint"):
        time.sleep(0.1)
    if page.get_attribute("#download", "href") == old:
        raise SystemExit(f"{photo}: {page.inner_text('#status')}")
    with page.expect_download() as download:
        page.click("#download")
    return Image.open(io.BytesIO(Path(download.value.path()).read_bytes()))


def compare(url: str, photos: list[Path], device: str) -> None:
    with sync_playwright() as playwright:
        flags = FLAGS + (SOFTWARE_GPU if device == "webgpu" else ["--disable-gpu"])
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=flags
        )
        page = browser.new_page(locale="en-US")
        page.goto(f"{url}/?device={device}")
        page.evaluate("document.querySelector('details').open = true")
        print("photo\tstyle\tsize\tmean\tmost")
        for photo, style in zip(photos, itertools.cycle(shipped_styles()), strict=False):
            mine = np.asarray(painted(page, photo, style))
            theirs = np.asarray(Stylizer.load(style, device="cpu")(photo))
            apart = np.abs(mine.astype(int) - theirs)
            size = f"{mine.shape[1]}x{mine.shape[0]}"
            print(f"{photo.name}\t{style}\t{size}\t{apart.mean():.4f}\t{apart.max()}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--device", choices=("wasm", "webgpu"), default="wasm")
    args = parser.parse_args()
    with served() as url:
        compare(url, args.photos, args.device)


if __name__ == "__main__":
    main()
