"""Times the page that paints in the browser, in Chromium, beside this package: writes docs/benchmarks-browser.md.

Needs `make browser` and Chromium. Each round paints once by each way in turn, so that a busy machine slows all alike.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from on_device import FLAGS, served

ROOT = Path(__file__).parent.parent
DIST = ROOT / "browser" / "dist"
SIZES = {"512x512": (512, 512), "1 megapixel": (1024, 1024)}
NATIVE = """
import sys, time
from photo2anime import Stylizer
from photo2anime.images.image_io import read_image
stylizer = Stylizer.load("cel", device="cpu")
stylizer(read_image(sys.argv[1]), faces="off")
started = time.perf_counter()
stylizer(read_image(sys.argv[1]), faces="off")
print(time.perf_counter() - started)
"""


def packed_mb(*patterns: str) -> float:
    """Megabytes of the built files that match, each as gzip -6 packs it."""
    files = {file for pattern in patterns for file in DIST.glob(pattern) if file.is_file()}
    return sum(len(gzip.compress(file.read_bytes(), 6)) for file in files) / 1e6


def opened(browser: Browser, url: str, threads: int) -> Page:
    page = browser.new_page(locale="en-US")
    page.set_default_timeout(600_000)
    page.goto(f"{url}/?threads={threads}")
    while not page.evaluate("document.documentElement.dataset.offline == 'ready'"):
        time.sleep(0.2)
    page.evaluate("document.querySelector('details').open = true")
    page.select_option("#faces", "off")
    page.check("input[value=cel]", force=True)
    return page


def browser_seconds(page: Page, photo: Path, precision: str = "exact") -> float:
    """Seconds of one painting, from the file's bytes to the result's pixels, as the worker took them."""
    page.select_option("#precision", precision)
    page.set_input_files("#photo", photo)
    page.click("#paint")
    time.sleep(0.05)
    while page.is_disabled("#paint"):
        time.sleep(0.05)
    seconds = page.evaluate("document.querySelector('#status').dataset.seconds")
    assert seconds, page.inner_text("#status")
    return float(seconds)


def native_seconds(photo: Path, threads: int) -> float:
    environment = os.environ | {"PHOTO2ANIME_THREADS": str(threads)}
    command = [sys.executable, "-c", NATIVE, str(photo)]
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def renderers_mib() -> float:
    """Memory of all Chromium renderers that this process started, shared pages counted once."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        try:
            if "--type=renderer" in process.cmdline():
                total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total / 2**20


def peak_mib(page: Page, photo: Path) -> tuple[float, float, float]:
    """Memory before, at its peak, and the seconds of one painting."""
    before, seen, ended = renderers_mib(), [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.1):
            seen.append(renderers_mib())

    watcher = threading.Thread(target=watch)
    watcher.start()
    seconds = browser_seconds(page, photo)
    ended.set()
    watcher.join()
    return before, max(seen), seconds


def photos(folder: Path) -> dict[str, Path]:
    with Image.open(ROOT / "examples" / "coast.jpg") as opened_photo:
        coast = opened_photo.convert("RGB")
    made = {}
    for name, size in {**SIZES, "12 megapixels": (4000, 3000)}.items():
        made[name] = folder / f"{name}.jpg"
        coast.resize(size, Image.Resampling.LANCZOS).save(made[name], quality=92)
    return made


def measured(url: str, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        made = photos(Path(folder))
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*FLAGS, "--disable-gpu"])
        pages = {threads: opened(browser, url, threads) for threads in (1, 2)}
        rows: dict[str, Any] = {}
        for name in SIZES:
            for page in pages.values():
                browser_seconds(page, made[name])  # the networks are loaded by it
                browser_seconds(page, made[name], "fast")
            times: dict[str, list[float]] = {f"{way} {n}": [] for way in ("wasm", "fast", "native") for n in (1, 2)}
            for _ in range(rounds):
                for n, page in pages.items():
                    times[f"wasm {n}"].append(browser_seconds(page, made[name]))
                    times[f"fast {n}"].append(browser_seconds(page, made[name], "fast"))
                    times[f"native {n}"].append(native_seconds(made[name], n))
            rows[name] = {way: statistics.median(found) for way, found in times.items()}
            for n in pages:  # of each round by itself: the machine may be busier in one than in the next
                pairs = zip(times[f"native {n}"], times[f"wasm {n}"], strict=True)
                rows[name][f"shares {n}"] = sorted(native / wasm for native, wasm in pairs)
        pages[1].close()
        before, peak, seconds = peak_mib(pages[2], made["12 megapixels"])
        return {
            "chromium": browser.version,
            "times": rows,
            "memory": {"before": before, "peak": peak, "seconds": seconds},
            "load": {
                "page": packed_mb("*.html", "assets/*", "*.js", "*.webmanifest", "*.svg", "cards/*"),
                "runtime": packed_mb("ort/ort-wasm-simd-threaded.mjs", "ort/ort-wasm-simd-threaded.wasm"),
                "first": packed_mb(
                    "networks/cel.onnx", "graphs/cel.onnx", "networks/face*.onnx", "networks/enlarge.onnx"
                ),
                "networks": packed_mb("networks/*", "graphs/*", "grades/*"),
            },
            "busy": [round(value, 1) for value in os.getloadavg()],
        }


def markdown(found: dict[str, Any]) -> str:
    load, memory = found["load"], found["memory"]
    lines = [
        "# Benchmarks of the page that paints in the browser",
        "",
        f"Written by `scripts/bench_browser.py` on {time.strftime('%Y-%m-%d')}: Chromium {found['chromium']}, "
        f"headless, {platform.machine()}, {os.cpu_count()} cores. Load averages at the end: "
        f"{', '.join(map(str, found['busy']))}; above the number of cores, other work slowed everything, and the "
        "shares say no more than their spread allows: one of processor time is in docs/browser.md.",
        "",
        "## First load, packed by gzip",
        "",
        "| part | MB |",
        "|---|---|",
        f"| page, its worker, pictures | {load['page']:.2f} |",
        f"| ONNX Runtime (WebAssembly) | {load['runtime']:.2f} |",
        f"| networks of the first painting without a face | {load['first']:.2f} |",
        f"| all networks (kept in the background, for offline) | {load['networks']:.2f} |",
        f"| everything | {load['page'] + load['runtime'] + load['networks']:.2f} |",
        "",
        "## Time of a painting",
        "",
        "Style cel, no faces looked for, JPEG to pixels, median of all rounds, networks loaded; in turn with ONNX "
        "Runtime's own build (this package, float32). Share: native time over that of the browser in the same round, "
        "the median of the rounds and the least and most.",
        "",
        "| size | threads | browser, s | browser, network for video, s | native, s | share of native speed |",
        "|---|---|---|---|---|---|",
    ]
    for name, times in found["times"].items():
        for n in (1, 2):
            seconds = " | ".join(f"{times[f'{way} {n}']:.2f}" for way in ("wasm", "fast", "native"))
            shares = times[f"shares {n}"]
            share = f"{statistics.median(shares):.2f} ({shares[0]:.2f} to {shares[-1]:.2f})"
            lines.append(f"| {name} | {n} | {seconds} | {share} |")
    lines += [
        "",
        "## Memory",
        "",
        f"A photo of 12 megapixels (4000x3000): Chromium's renderer takes {memory['before']:.0f} MiB before (after the "
        f"paintings above), {memory['peak']:.0f} MiB at its peak, in {memory['seconds']:.1f} s.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks-browser.md")
    args = parser.parse_args()
    with served() as url:
        found = measured(url, args.rounds)
    args.out.write_text(markdown(found), encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
