"""Videos when something fails: two runs at once, no memory, no disk, a signal. One line, and nothing half done."""

from __future__ import annotations

import re
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from clips import make_clip, moving, packets_of, stamps_of
from photo2anime.cli import main
from photo2anime.images import temporary
from photo2anime.painting.stylizer import Stylizer
from photo2anime.types import Photo2AnimeError
from photo2anime.video import segments as module
from photo2anime.video.segments import Segments

resource = pytest.importorskip("resource", reason="limits are set otherwise here")
AS_IS = (
    "import sys; from photo2anime.cli import main; from photo2anime.painting.stylizer import Stylizer;"
    "from photo2anime.types import StyleCard; card = StyleCard('as-is', '', tiling='exact', bytes_per_px=100);"
    "Stylizer.load = lambda *_, **__: Stylizer(lambda batch: batch, card);"
    "sys.exit(main(sys.argv[1:]))"
)


@pytest.fixture
def as_is(monkeypatch: pytest.MonkeyPatch, identity: Stylizer) -> None:
    monkeypatch.setattr(Stylizer, "load", lambda *_, **__: identity)


def run(*arguments: object, limit: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", AS_IS, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, preexec_fn=limit, timeout=120)


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


# Two at once


@pytest.mark.usefixtures("as_is")
def test_a_second_run_of_the_same_video_leaves_the_first_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = make_clip(tmp_path / "a.mp4", moving(5)), tmp_path / "b.mp4"
    first = Segments(target, {"crf": 1})
    first.open(resume=False)
    first.add([], 0, {})
    before = names(first.folder)
    for more in ((), ("--overwrite",), ("--resume",)):
        assert main(["video", str(source), "-o", str(target), *more]) == 2
        told = capsys.readouterr().err
        assert "is being made by another run" in told and told.count("\n") == 1
    assert names(first.folder) == before and not target.exists()
    first.close()
    assert main(["video", str(source), "-o", str(target)]) == 0
    assert names(tmp_path) == ["a.mp4", "b.mp4"]


@pytest.mark.usefixtures("as_is")
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_a_killed_run_locks_nobody_out(tmp_path: Path) -> None:
    source, target = make_clip(tmp_path / "a.mp4", moving(5)), tmp_path / "b.mp4"
    code = (
        "import sys, time, pathlib; from photo2anime.video.segments import Segments;"
        "s = Segments(pathlib.Path(sys.argv[1]), {}); s.open(False); print('open', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(target)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "open\n"
    with pytest.raises(Photo2AnimeError, match="another run"):
        Segments(target, {}).open(resume=False)
    process.kill()
    process.communicate()
    assert main(["video", str(source), "-o", str(target)]) == 0


def test_a_lock_on_a_folder_that_has_just_gone_is_not_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, tries = tmp_path / "b.mp4", 0
    really = module._try_to_lock

    def gone(file: Any) -> bool:
        nonlocal tries
        tries += 1
        if tries == 1:  # the other run ends between our opening and our locking
            shutil.rmtree(tmp_path / ".b.mp4.photo2anime")
        return really(file)

    monkeypatch.setattr(module, "_try_to_lock", gone)
    mine = Segments(target, {})
    mine.open(resume=False)
    assert tries == 2
    with pytest.raises(Photo2AnimeError, match="another run"):
        Segments(target, {}).open(resume=False)


# Memory


@pytest.mark.usefixtures("as_is")
@pytest.mark.parametrize(
    "place",
    [
        "source.VideoSource._upright",
        "source.VideoSource._first_frame",
        "face_tracking.FramePainter.__call__",
        "steady.Steady.__call__",
        "encoder.SegmentEncoder.add",
        "mux.Muxer.check",
        "mux.Muxer.write",
        "prefetch.threading.Thread.start",
    ],
)
def test_no_memory_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    source = make_clip(tmp_path / "a.mp4", moving(5))

    def fail(*_: object) -> None:
        raise RuntimeError("can't start new thread") if "Thread" in place else MemoryError

    monkeypatch.setattr(f"photo2anime.video.{place}", fail)
    assert main(["video", str(source), "-o", str(tmp_path / "b.mp4")]) == 1
    told = [line for line in capsys.readouterr().err.splitlines() if "--resume" not in line]
    assert len(told) == 1 and "a.mp4: memory ran out; try --max-side" in told[0]
    assert not (tmp_path / "b.mp4").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no such limit")
@pytest.mark.parametrize("mib", [450, 700])
def test_a_limit_on_memory_is_no_crash(tmp_path: Path, mib: int) -> None:
    source = make_clip(tmp_path / "a.mp4", moving(4, 720, 1280))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (mib << 20, mib << 20))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    done = run("video", source, "-o", tmp_path / "b.mp4", limit=limit)
    assert done.returncode in (0, 1, 2), done
    assert "Traceback" not in done.stderr
    ours = [line for line in done.stderr.splitlines() if line.startswith("photo2anime: ")]
    assert len(ours) == (done.returncode != 0)
    assert names(tmp_path) == (["a.mp4"] if done.returncode else ["a.mp4", "b.mp4"])


# Disk


def test_a_result_that_does_not_fit_leaves_no_half_file_and_goes_on_later(tmp_path: Path) -> None:
    film = tmp_path / "a.mkv"
    with av.open(str(film), "w") as out:
        video: Any = out.add_stream("libx264", rate=25)
        video.height, video.width = 48, 64
        sound: Any = out.add_stream("pcm_s16le", rate=48000, layout="stereo")
        packets = [p for rgb in moving(25) for p in video.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24"))]
        packets += video.encode(None)
        noise = np.random.default_rng(0).integers(-999, 999, (1, 96000)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(noise, format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
        for packet in packets + sound.encode(frame) + sound.encode(None):
            out.mux(packet)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = run("video", film, "-o", tmp_path / "b.mkv", limit=limit)
    error, kept = done.stderr.splitlines()
    assert done.returncode == 1 and "cannot write" in error and "too large for this disk" in error
    assert kept == (
        f"{film}: 25 frames are kept in {tmp_path / '.b.mkv.photo2anime'}; "
        "the same command with --resume goes on from there"
    )
    assert names(tmp_path) == [".b.mkv.photo2anime", "a.mkv"]
    assert not [name for name in names(tmp_path / ".b.mkv.photo2anime") if name.startswith("whole")]
    done = run("video", film, "-o", tmp_path / "b.mkv", "--resume")
    assert done.returncode == 0 and "going on after 25 frames" in done.stderr
    assert names(tmp_path) == ["a.mkv", "b.mkv"] and len(stamps_of(tmp_path / "b.mkv")) == 25


@pytest.mark.usefixtures("as_is")
def test_a_mux_that_fails_tells_where_the_frames_are_and_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = make_clip(tmp_path / "a.mp4", moving(5), sound=1), tmp_path / "b.mp4"
    kept = tmp_path / ".b.mp4.photo2anime"
    assert main(["video", str(source), "-o", str(tmp_path / "right.mp4")]) == 0

    def fail(*_: object) -> None:
        raise Photo2AnimeError("the muxer cannot")

    with monkeypatch.context() as broken:
        broken.setattr("photo2anime.video.mux.Muxer.write", fail)
        assert main(["video", str(source), "-o", str(target)]) == 1
        told = capsys.readouterr().err
        assert "the muxer cannot" in told and f"5 frames are kept in {kept}; the same command with --resume" in told
        assert not [name for name in names(kept) if name.startswith("whole")] and not target.exists()
    assert main(["video", str(source), "-o", str(target), "--resume"]) == 0
    assert "going on after 5 frames" in capsys.readouterr().err
    assert target.read_bytes() == (tmp_path / "right.mp4").read_bytes()
    assert names(tmp_path) == ["a.mp4", "b.mp4", "right.mp4"]


@pytest.mark.usefixtures("as_is")
def test_nothing_is_left_where_no_frame_is_taken(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", moving(3))
    assert main(["video", str(source), "--start", "50", "-o", str(tmp_path / "b.mp4")]) == 1
    assert names(tmp_path) == ["a.mp4"]


@pytest.mark.usefixtures("as_is")
def test_damaged_sound_is_left_out_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = bytearray(make_clip(tmp_path / "a.ts", moving(20), sound=1).read_bytes())
    heads = [match.start() for match in re.finditer(rb"\xff[\xf0\xf1]", content)]
    for at in heads[6:9]:
        content[at + 4] = 0  # how long an AAC frame says it is: MP4 cannot take these
    (tmp_path / "bad.ts").write_bytes(content)
    assert main(["video", str(tmp_path / "bad.ts"), "-o", str(tmp_path / "b.mp4")]) == 1
    told = capsys.readouterr().err
    assert "damaged packets could not be decoded" in told and told.count("\n") == 1
    assert len(stamps_of(tmp_path / "b.mp4")) == 20
    good, kept = (len(packets_of(tmp_path / name, "audio")[0]) for name in ("a.ts", "b.mp4"))
    assert good - 6 <= kept < good


# Signals


@pytest.mark.skipif(sys.platform == "win32", reason="signals are told otherwise there")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("after_seconds", [0.0, 0.3])
def test_a_signal_ends_it_without_a_traceback(tmp_path: Path, number: int, after_seconds: float) -> None:
    source = make_clip(tmp_path / "a.mp4", moving(60, 240, 320))
    command = [sys.executable, "-m", "photo2anime", "video", str(source), "-o", str(tmp_path / "b.mp4")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for _ in range(3000):
        if (tmp_path / ".b.mp4.photo2anime").exists():
            break
        time.sleep(0.01)
    time.sleep(after_seconds)
    process.send_signal(number)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + number and "Traceback" not in told
    assert names(tmp_path) == ["a.mp4"]


@pytest.mark.usefixtures("as_is")
def test_frames_of_years_are_refused_before_any_is_painted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = make_clip(tmp_path / "a.avi", moving(3), codec="mpeg4")
    data = bytearray(source.read_bytes())
    struct.pack_into("<II", data, data.index(b"strh") + 28, 471_611_505, 14)  # seconds a frame: scale and rate
    source.write_bytes(data)
    assert main(["video", str(source), "-o", str(tmp_path / "b.mp4")]) == 1
    told = capsys.readouterr().err
    assert "days: it is damaged" in told and told.count("\n") == 1
    assert names(tmp_path) == ["a.avi"]


@pytest.mark.usefixtures("as_is")
@pytest.mark.skipif(sys.platform == "win32", reason="open files are not deleted there")
def test_a_killed_animation_leaves_nothing_for_the_next(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", moving(3))
    (tmp_path / ".photo2anime-999999-1.tmp").write_bytes(b"half a GIF")  # nobody holds its lock
    temporary._swept.clear()
    assert main(["video", str(source), "-o", str(tmp_path / "b.gif")]) == 0
    assert names(tmp_path) == ["a.mp4", "b.gif"]
