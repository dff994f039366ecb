"""`paint --jobs`: the same results, lines and summary as one photo after the other, and nothing left when it stops."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from PIL import Image

from conftest import photo_of
from photo2anime.cli import main

QUICK = ["-s", "cel", "--faces", "off"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four photos, one of them no photo, two of one name."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for number, name in enumerate(("a.jpg", "b.gif", "b.png")):
        Image.fromarray(photo_of(40, 48, number)).save(photos / name)
    (photos / "c.jpg").write_text("no photo")
    return photos


def test_two_at_a_time_do_what_one_at_a_time_does(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told, made = [], []
    for jobs in ("1", "2"):
        out = tmp_path / jobs
        assert main(["paint", str(folder), "-o", f"{out}/", "--jobs", jobs, *QUICK]) == 1
        printed = capsys.readouterr()
        told.append([re.sub(r"\d+\.\d s", "", text.replace(str(out), "")) for text in (printed.out, printed.err)])
        made.append({file.name: file.read_bytes() for file in out.iterdir()})
    assert told[0] == told[1] and made[0] == made[1] and len(made[0]) == 3
    assert "c.jpg: is not a picture" in told[1][1] and told[1][1].endswith("3 painted, 1 failed\n")
    assert main(["paint", str(folder), "-o", f"{out}/", "-j", "2", "--skip-existing", "--json", *QUICK]) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row.get("skipped", False) for row in rows] == [True, True, True, False]


def test_photos_that_would_share_a_name_are_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, name in enumerate(("a.jpe", "a.webp")):  # both hold WebP, which only the second's name tells
        Image.fromarray(photo_of(40, 48, number)).save(tmp_path / name, "WEBP")
    Image.fromarray(photo_of(40, 48)).save(tmp_path / "b.png")
    assert main(["paint", str(tmp_path), "-o", f"{tmp_path}/out/", "--jobs", "2", *QUICK]) == 1
    assert "a-cel.webp already holds the result of" in capsys.readouterr().err


def started(folder: Path) -> subprocess.Popen[str]:
    """The command at work on many photos, its first line read."""
    for number in range(60):
        Image.fromarray(photo_of(200, 200, number)).save(folder / f"z{number}.png")
    command = [sys.executable, "-m", "photo2anime", "paint", str(folder), "-o", f"{folder}/out/", "-j", "2", *QUICK]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and "a-cel.jpg" in process.stdout.readline()
    return process


def left(children: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run after ten seconds."""
    return psutil.wait_procs(children, timeout=10)[1]


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_stopping_takes_the_processes_along(folder: Path, sent: signal.Signals) -> None:
    process = started(folder)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    for one in (psutil.Process(process.pid), *children):  # as a terminal does
        one.send_signal(sent)
    _, error = process.communicate(timeout=60)
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[sent]
    assert "Traceback" not in error, error
    assert not left(children) and not list((folder / "out").glob(".photo2anime*"))


@pytest.mark.slow
def test_they_do_not_outlive_a_killed_parent_and_it_tells_when_one_is_killed(folder: Path) -> None:
    process = started(folder)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate(timeout=60)
    assert not left(children)
    process = started(folder)
    time.sleep(0.2)
    workers = [child for child in psutil.Process(process.pid).children() if "spawn_main" in " ".join(child.cmdline())]
    workers[0].kill()
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1 and "a painting process was killed" in error and "Traceback" not in error
    assert re.search(r"\d+ painted, \d+ failed", error)
