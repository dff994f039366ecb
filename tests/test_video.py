"""photo2anime video: what goes in comes out, painted, at the same times, with the same sound and tags."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from clips import make_clip, moving, packets_of, pictures_of, stamps_of
from conftest import EXAMPLES, photo_of
from photo2anime import Photo2AnimeError
from photo2anime.cli import main
from photo2anime.options import VideoOptions
from photo2anime.painting.stylizer import Stylizer
from photo2anime.types import RGB
from photo2anime.video.face_tracking import FramePainter
from photo2anime.video.prefetch import prefetch
from photo2anime.video.steady import Steady

TURNED = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)  # a phone held upright
CHAPTERS = [
    {"id": 1, "start": 0, "end": 400, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}},
    {"id": 2, "start": 400, "end": 900, "time_base": Fraction(1, 1000), "metadata": {"title": "two"}},
]


@pytest.fixture
def as_is(monkeypatch: pytest.MonkeyPatch, identity: Stylizer) -> None:
    """Painting gives the photo back, so that a result can be compared with its source."""
    monkeypatch.setattr(Stylizer, "load", lambda *_, **__: identity)


def convert(source: Path, target: Path, *options: object) -> Path:
    assert main(["video", str(source), "-o", str(target), *map(str, options)]) == 0
    return target


# What has to survive


@pytest.mark.usefixtures("as_is")
def test_every_timestamp_sound_and_tag_survives(tmp_path: Path) -> None:
    pts = np.cumsum(np.random.default_rng(0).integers(150, 1500, 30)).tolist()
    source = make_clip(
        tmp_path / "a.mp4",
        moving(30),
        pts=pts,
        sound=2,
        matrix=TURNED,
        aspect=Fraction(4, 3),
        colors=(1, 1, 1, 1),
        metadata={"title": "Hello", "comment": "there", "creation_time": "2020-01-02T03:04:05.000000Z"},
        chapters=CHAPTERS,
    )
    result = convert(source, tmp_path / "b.mp4")
    assert stamps_of(result) == stamps_of(source) and len(stamps_of(result)) == 30
    assert packets_of(result, "audio") == packets_of(source, "audio")
    assert len(packets_of(result, "audio")) == 2
    with av.open(str(source)) as was, av.open(str(result)) as now:
        assert abs(now.duration - was.duration) <= 1000  # the source's header rounds to a millisecond
        assert now.streams.video[0].duration == was.streams.video[0].duration
        for key in ("title", "comment", "creation_time"):
            assert now.metadata[key] == was.metadata[key]
        assert [c["metadata"] for c in now.chapters()] == [c["metadata"] for c in was.chapters()]
        assert [s.metadata["language"] for s in now.streams.audio] == ["eng", "deu"]
        assert [s.disposition for s in now.streams.audio] == [s.disposition for s in was.streams.audio]
        assert now.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
        frames = [next(container.decode(video=0)) for container in (was, now)]
    for fact in ("rotation", "colorspace", "color_range", "color_primaries", "color_trc", "height", "width"):
        assert getattr(frames[0], fact) == getattr(frames[1], fact), fact


@pytest.mark.usefixtures("as_is")
@pytest.mark.parametrize("colors", [(1, 1, 1, 1), (2, 1, 1, 1), (1, 6, 6, 6), (0, 2, 2, 2)])
@pytest.mark.parametrize("steady", [0, 0.7])
def test_an_unpainted_video_keeps_its_pictures(
    tmp_path: Path, colors: tuple[int, int, int, int], steady: float
) -> None:
    source = make_clip(tmp_path / "a.mp4", moving(8), colors=colors, options={})
    result = convert(source, tmp_path / "b.mp4", "--crf", 1, "--steady", steady)
    for before, after in zip(pictures_of(source), pictures_of(result), strict=True):
        assert np.abs(before.astype(int) - after).mean() < (2.5 if steady == 0 else 4)


@pytest.mark.usefixtures("as_is")
@pytest.mark.parametrize("quarter", [0, 1, 2, 3])
def test_the_painter_sees_frames_upright(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quarter: int) -> None:
    cos, sin = ((65536, 0), (0, -65536), (-65536, 0), (0, 65536))[quarter]
    upright = np.zeros((32, 64, 3), np.uint8)
    upright[:16] = 255  # sky
    stored = np.ascontiguousarray(np.rot90(upright, -quarter))
    matrix = (cos, sin, 0, -sin, cos, 0, 0, 0, 1 << 30)
    source = make_clip(tmp_path / "a.mp4", [stored] * 3, matrix=matrix)
    seen: list[RGB] = []
    monkeypatch.setattr(FramePainter, "__call__", lambda _, rgb: seen.append(rgb) or rgb)
    result = convert(source, tmp_path / "b.mp4")
    assert all(rgb.shape == (32, 64, 3) and rgb[4].min() > 200 and rgb[-4].max() < 50 for rgb in seen)
    assert np.abs(pictures_of(result)[0].astype(int) - stored).mean() < 8


@pytest.mark.usefixtures("as_is")
@pytest.mark.parametrize(
    ("suffix", "codec"), [("mp4", "h264"), ("mov", "hevc"), ("mkv", "av1"), ("webm", "vp9"), ("mp4", "vp9")]
)
def test_codecs_and_containers(tmp_path: Path, suffix: str, codec: str) -> None:
    source = make_clip(tmp_path / "a.mp4", moving(10, 64, 96), sound=0)
    result = convert(source, tmp_path / f"b.{suffix}", "--codec", codec)
    with av.open(str(result)) as container:
        decoder = container.streams.video[0].codec_context.name
        assert {"av1": "av1", "vp9": "vp9"}.get(codec, codec) in decoder
    assert [round(float(when), 3) for when in stamps_of(result)] == [round(n / 25, 3) for n in range(10)]


@pytest.mark.usefixtures("as_is")
def test_sound_that_does_not_fit_is_coded_again_and_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = make_clip(tmp_path / "a.mp4", moving(10), sound=1)
    result = convert(source, tmp_path / "b.webm")
    assert "coded again as libopus: webm cannot hold it" in capsys.readouterr().err
    with av.open(str(result)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert abs(samples / 48000 - 0.4) < 0.05
    assert packets_of(convert(source, tmp_path / "c.mp4", "--no-audio"), "audio") == []


SUBTITLES = "1\n00:00:00,040 --> 00:00:00,200\nHello\n\n2\n00:00:00,240 --> 00:00:00,360\nthere\n\n"


def with_subtitles(tmp_path: Path) -> Path:
    (tmp_path / "words.srt").write_text(SUBTITLES)
    clip, target = make_clip(tmp_path / "plain.mkv", moving(12), codec="libvpx-vp9"), tmp_path / "words.mkv"
    with av.open(str(clip)) as a, av.open(str(tmp_path / "words.srt")) as b, av.open(str(target), "w") as out:
        copies = {s: out.add_stream_from_template(s) for s in (a.streams.video[0], b.streams.subtitles[0])}
        packets = [p for c in (a, b) for p in c.demux() if p.size]
        for packet in sorted(packets, key=lambda p: (p.pts if p.dts is None else p.dts) * p.time_base):
            packet.stream = copies[packet.stream]
            out.mux(packet)
    return target


@pytest.mark.usefixtures("as_is")
def test_subtitles_are_copied_or_coded_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = with_subtitles(tmp_path)
    kept = convert(source, tmp_path / "b.mkv")
    assert packets_of(kept, "subtitle") == packets_of(source, "subtitle") and len(packets_of(kept, "subtitle")[0]) == 2
    again = convert(source, tmp_path / "c.mp4")
    assert "coded again as mov_text" in capsys.readouterr().err
    words = [(float(when), content) for when, content in packets_of(again, "subtitle")[0] if len(content) > 2]
    assert [round(when, 3) for when, _ in words] == [0.04, 0.24]
    assert [content[2:7] for _, content in words] == [b"Hello", b"there"]


@pytest.mark.usefixtures("as_is")
@pytest.mark.parametrize(("height", "width", "codec", "coded"), [(47, 63, "h264", (48, 64)), (47, 63, "vp9", (47, 63))])
def test_odd_sizes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], height: int, width: int, codec: str, coded: Any
) -> None:
    source = make_clip(tmp_path / "a.mkv", moving(5, height, width), codec="libvpx-vp9")
    result = convert(source, tmp_path / "b.mp4", "--codec", codec)
    assert pictures_of(result)[0].shape[:2] == coded
    assert ("even sizes" in capsys.readouterr().err) == (codec == "h264")


@pytest.mark.usefixtures("as_is")
def test_cutting_moves_sound_and_chapters(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", moving(50), sound=1, chapters=CHAPTERS)
    result = convert(source, tmp_path / "b.mp4", "--start", "0.4", "--end", "0:01.2")
    assert stamps_of(result) == [Fraction(n, 25) for n in range(20)]
    sound, whole = packets_of(result, "audio")[0], packets_of(source, "audio")[0]
    assert [c for _, c in sound] == [c for when, c in whole if 0.4 <= when < 1.2]
    with av.open(str(result)) as container:
        assert [c["start"] for c in container.chapters()] == [0]
    want = pictures_of(source)[10:30]
    for before, after in zip(want, pictures_of(result), strict=True):
        assert np.abs(before.astype(int) - after).mean() < 6


@pytest.mark.usefixtures("as_is")
def test_max_side_side_by_side_crf_and_pix_fmt(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", moving(5, 96, 128))
    both = convert(source, tmp_path / "b.mp4", "--max-side", 64, "--side-by-side", "--pix-fmt", "yuv444p")
    assert pictures_of(both)[0].shape == (48, 128, 3)
    with av.open(str(both)) as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv444p"
    sizes = [convert(source, tmp_path / f"{crf}.mp4", "--crf", crf).stat().st_size for crf in (5, 45)]
    assert sizes[0] > 1.5 * sizes[1]


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "avif"])
def test_animations_in_and_out(tmp_path: Path, suffix: str, as_is: None) -> None:
    frames = [Image.fromarray(frame) for frame in moving(4)]
    frames[0].save(
        tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], duration=[50, 100, 150, 200], loop=0
    )
    assert main(["video", str(tmp_path / f"a.{suffix}")]) == 0
    with Image.open(tmp_path / f"a-identity.{suffix}") as result:
        durations = []
        for number in range(result.n_frames):
            result.seek(number)
            result.load()
            durations.append(round(result.info["duration"]))
    assert durations == [50, 100, 150, 200]
    as_video = convert(tmp_path / f"a.{suffix}", tmp_path / "b.mp4")
    assert [float(when) for when in stamps_of(as_video)] == [0, 0.05, 0.15, 0.3]
    back = convert(as_video, tmp_path / f"c.{suffix}")
    with Image.open(back) as result:
        assert result.n_frames == 4


@pytest.mark.usefixtures("as_is")
def test_a_gif_keeps_its_transparency_and_drops_frames_it_cannot_show(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clear = np.dstack([photo_of(16, 16), np.tile(np.repeat([0, 255], 8), (16, 1)).astype(np.uint8)])
    frames = [Image.fromarray(np.roll(clear, n, axis=0)) for n in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100, disposal=2)
    with Image.open(convert(tmp_path / "a.gif", tmp_path / "b.gif")) as result:
        assert np.array_equal(np.asarray(result.convert("RGBA"))[..., 3] > 0, clear[..., 3] > 0)
    fast = make_clip(tmp_path / "fast.mp4", moving(20), fps=Fraction(100))
    with Image.open(convert(fast, tmp_path / "fast.gif")) as result:
        assert result.n_frames == 10
    assert "10 frames were shorter" in capsys.readouterr().err


# Stages


def test_prefetch_keeps_order_and_works_ahead() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    ahead = prefetch(items(), 2)
    assert next(ahead) == 0
    time.sleep(0.3)
    assert 2 <= len(made) <= 4
    assert list(ahead) == list(range(1, 10))


def test_prefetch_raises_in_the_consumer_and_stops_when_left() -> None:
    closed: list[bool] = []

    def failing() -> Iterator[int]:
        yield 1
        raise Photo2AnimeError("broken")

    ahead = prefetch(failing(), 4)
    assert next(ahead) == 1
    with pytest.raises(Photo2AnimeError, match="broken"):
        next(ahead)

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            closed.append(True)

    threads = threading.active_count()
    for _ in prefetch(endless(), 2):
        break
    left = prefetch(endless(), 2)
    next(left)
    left.close()  # type: ignore[attr-defined]
    assert threading.active_count() == threads and closed == [True, True]


@pytest.mark.usefixtures("as_is")
@pytest.mark.parametrize("stage", ["read", "paint", "steady", "write"])
def test_an_error_in_any_stage_ends_the_run_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stage: str
) -> None:
    source = make_clip(tmp_path / "a.mp4", moving(30))
    place = {
        "read": "photo2anime.video.source.VideoSource._upright",
        "paint": "photo2anime.video.face_tracking.FramePainter.__call__",
        "steady": "photo2anime.video.steady.Steady.__call__",
        "write": "photo2anime.video.encoder.SegmentEncoder.add",
    }[stage]

    def fail(*_: object) -> None:
        raise Photo2AnimeError(f"{stage} went wrong")

    monkeypatch.setattr(place, fail)
    assert main(["video", str(source), "-o", str(tmp_path / "b.mp4")]) == 1
    assert f"{stage} went wrong" in capsys.readouterr().err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.mp4"]


def options_for(source: Path, target: Path, *, resume: bool = False, crf: int | None = None) -> VideoOptions:
    return VideoOptions(str(source), str(target), resume=resume, crf=crf, segment_frames=8)


@pytest.mark.usefixtures("as_is")
def test_resuming_equals_an_uninterrupted_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from photo2anime.video import convert as module

    source = make_clip(tmp_path / "a.mp4", moving(45), sound=1)
    module.video(options_for(source, tmp_path / "whole.mp4"))
    steady, painted = Steady.__call__, 0

    def stop_at_20(self: Steady, photo: RGB, anime: RGB) -> RGB:
        nonlocal painted
        painted += 1
        if painted == 20:
            raise KeyboardInterrupt
        return steady(self, photo, anime)

    monkeypatch.setattr(Steady, "__call__", stop_at_20)
    with pytest.raises(KeyboardInterrupt):
        module.video(options_for(source, tmp_path / "cut.mp4"))
    assert not (tmp_path / "cut.mp4").exists() and "with --resume" in capsys.readouterr().err
    with pytest.raises(Photo2AnimeError, match="crf was None, is 30"):
        module.video(options_for(source, tmp_path / "cut.mp4", resume=True, crf=30))
    painted = 100
    module.video(options_for(source, tmp_path / "cut.mp4", resume=True))
    assert painted == 100 + 45 - 16  # two segments were kept
    assert (tmp_path / "cut.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.mp4", "cut.mp4", "whole.mp4"]


def test_ctrl_c_from_outside(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", moving(240, 480, 640))
    command = [sys.executable, "-m", "photo2anime", "video", str(source), "-o", str(tmp_path / "b.mp4")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for _ in range(3000):
        if (tmp_path / ".b.mp4.photo2anime").exists():
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "stopped" in said and "Traceback" not in said
    assert not (tmp_path / "b.mp4").exists()


def peak_mib(source: Path) -> float:
    """The most memory a run takes, in a process of its own."""
    code = (
        "import resource; from photo2anime.cli import main; from photo2anime.painting.stylizer import Stylizer;"
        "from photo2anime.types import StyleCard; card = StyleCard('as-is', '', tiling='exact', bytes_per_px=100);"
        "Stylizer.load = lambda *_, **__: Stylizer(lambda batch: batch, card);"
        f"main(['video', {str(source)!r}, '--overwrite', '--steady', '0', '--max-side', '64']);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


@pytest.mark.slow
def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    frames = moving(60, 240, 320)
    short = make_clip(tmp_path / "short.mp4", frames * 5)
    long = make_clip(tmp_path / "long.mp4", frames * 50)
    assert peak_mib(long) < 1.1 * peak_mib(short)


# Wrong input


@pytest.mark.usefixtures("as_is")
def test_what_is_no_video_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.mp4").write_text("not a video at all\n" * 50)
    (tmp_path / "empty.mp4").write_bytes(b"")
    Image.fromarray(photo_of(16, 16)).save(tmp_path / "still.jpg")
    with av.open(str(tmp_path / "sound.m4a"), "w", format="mp4") as out:
        from clips import tone

        stream = out.add_stream("aac", rate=48000, layout="mono")
        for packet in tone(stream, 0.3, 440):
            out.mux(packet)
    clip = make_clip(tmp_path / "whole.mp4", moving(20)).read_bytes()
    (tmp_path / "head.mp4").write_bytes(clip[:2000])  # the index is at the end
    for name, said in {
        "text.mp4": "is not a video",
        "empty.mp4": "is empty",
        "still.jpg": "use `photo2anime paint`",
        "sound.m4a": "only sound",
        "head.mp4": "its index is lost",
        "missing.mp4": "no such file",
    }.items():
        assert main(["video", str(tmp_path / name)]) == 1, name
        told = capsys.readouterr().err
        assert said in told and told.count("\n") == 1, (name, told)


@pytest.mark.usefixtures("as_is")
def test_a_truncated_video_is_painted_as_far_as_it_goes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = make_clip(tmp_path / "a.mp4", moving(100, 96, 128), sound=1, options={"movflags": "+faststart"})
    (tmp_path / "cut.mp4").write_bytes(clip.read_bytes()[: int(clip.stat().st_size * 0.6)])
    assert main(["video", str(tmp_path / "cut.mp4"), "-o", str(tmp_path / "b.mp4")]) == 1
    assert "before the end it announces" in capsys.readouterr().err
    painted = stamps_of(tmp_path / "b.mp4")
    assert 20 < len(painted) < 95 and painted == [Fraction(n, 25) for n in range(len(painted))]


@pytest.mark.usefixtures("as_is")
def test_corrupt_packets_are_counted_and_the_rest_is_painted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = make_clip(tmp_path / "a.mkv", moving(60, 96, 128))
    content = bytearray(clip.read_bytes())
    with av.open(str(clip)) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.size][20:24]
    for place, size in places:
        content[place + 12 : place + size] = os.urandom(size - 12)
    (tmp_path / "bad.mkv").write_bytes(content)
    assert main(["video", str(tmp_path / "bad.mkv"), "-o", str(tmp_path / "b.mkv")]) == 1
    assert "damaged" in capsys.readouterr().err
    assert len(stamps_of(tmp_path / "b.mkv")) >= 50


@pytest.mark.usefixtures("as_is")
def test_no_frames_one_frame_and_absurd_rates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = make_clip(tmp_path / "one.mp4", moving(1))
    assert len(stamps_of(convert(one, tmp_path / "one-out.mp4"))) == 1
    assert main(["video", str(one), "--start", "50", "-o", str(tmp_path / "none.mp4")]) == 1
    assert "no frame between" in capsys.readouterr().err and not (tmp_path / "none.mp4").exists()
    with av.open(str(tmp_path / "zero.mkv"), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height = 64, 48
        out.start_encoding()
    assert main(["video", str(tmp_path / "zero.mkv")]) == 1
    assert "is not a video" in capsys.readouterr().err
    fast = make_clip(tmp_path / "fast.mp4", moving(5), pts=range(5), time_base=Fraction(1, 90000), fps=Fraction(90000))
    slow = make_clip(tmp_path / "slow.mp4", moving(3), pts=[0, 600 * 1000, 1200 * 1000], time_base=Fraction(1, 1000))
    for source in (fast, slow):
        result = convert(source, source.with_name(f"out-{source.name}"))
        assert stamps_of(result) == stamps_of(source)


@pytest.mark.usefixtures("as_is")
def test_nothing_is_overwritten_silently(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = make_clip(tmp_path / "a.mp4", moving(3))
    before = source.read_bytes()
    (tmp_path / "b.mp4").write_text("precious")
    for target in ("a.mp4", "b.mp4"):
        assert main(["video", str(source), "-o", str(tmp_path / target)]) == 2
        assert "is there already" in capsys.readouterr().err
    assert source.read_bytes() == before and (tmp_path / "b.mp4").read_text() == "precious"
    convert(source, tmp_path / "b.mp4", "--overwrite")
    assert len(stamps_of(tmp_path / "b.mp4")) == 3


@pytest.mark.usefixtures("as_is")
def test_a_full_disk_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import errno

    source = make_clip(tmp_path / "a.mp4", moving(5))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("photo2anime.video.segments.Segments.add", full)
    assert main(["video", str(source), "-o", str(tmp_path / "b.mp4")]) == 1
    told = capsys.readouterr().err
    assert "disk is full" in told and told.count("\n") == 1 and not (tmp_path / "b.mp4").exists()


@pytest.mark.usefixtures("as_is")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-o", "b.avi"], "cannot write .avi; use .mp4"),
        (["-o", "a.mp4/b.mp4"], "a file stands where a folder is needed"),
        (["--crf", "99"], "outside 0 (best) to 51"),
        (["--pix-fmt", "rgb99"], "is not one of h264's"),
        (["--start", "2", "--end", "1"], "--end 1 is not after --start 2"),
        (["-o", "b.webm", "--codec", "h264"], "webm cannot be written like this"),
        (["--start", "1:2:3:4"], "is not a time"),
        (["--steady", "3"], "outside 0 to 1"),
    ],
)
def test_bad_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    make_clip(tmp_path / "a.mp4", moving(3))
    monkeypatch.chdir(tmp_path)
    try:
        code = main(["video", "a.mp4", *options])
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    assert code == 2 and said in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]


# Telling


@pytest.mark.usefixtures("as_is")
def test_json_and_preview(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = make_clip(tmp_path / "a.mp4", moving(60))
    assert main(["video", str(source), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["frames"] == 60 and said["target"].endswith("a-identity.mp4") and said["fps"] > 0
    assert main(["video", str(source), "--preview"]) == 0
    stills = sorted((tmp_path / "a-identity-preview").iterdir())
    assert [still.name for still in stills] == ["00000.jpg", "00001.jpg", "00002.jpg"]


def test_live_reads_a_file_as_it_reads_a_camera(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = make_clip(tmp_path / "a.mp4", moving(10))
    arguments = ["live", str(source), "--frames", "3", "--save-stills", str(tmp_path / "stills")]
    assert main(arguments) == 0
    assert len(list((tmp_path / "stills").iterdir())) == 3
    assert "frames a second" in capsys.readouterr().out
    assert main(["live", str(tmp_path / "none.mp4"), "--save-stills", str(tmp_path)]) == 2
    assert "no such file" in capsys.readouterr().err


# Steady


def test_steady_calms_noise_follows_motion_and_forgets_at_a_cut() -> None:
    photo, rng = photo_of(96, 128).astype(np.float32), np.random.default_rng(0)
    noisy = [np.clip(photo + rng.normal(0, 6, photo.shape), 0, 255).astype(np.uint8) for _ in range(12)]
    calm = Steady(0.7)
    steadied = np.stack([calm(rgb, rgb) for rgb in noisy])[4:]
    assert steadied.std(axis=0).mean() < 0.7 * np.stack(noisy)[4:].std(axis=0).mean()
    off = Steady(0)
    assert all(np.array_equal(off(rgb, rgb), rgb) for rgb in noisy)
    other = np.asarray(Image.open(EXAMPLES / "coast.jpg").convert("RGB").resize((128, 96)))
    for _ in range(2):
        assert np.array_equal(calm(other, other), other)


def test_steady_does_not_smear_what_moves() -> None:
    frames = moving(12, 96, 128)
    calm = Steady(1)
    for frame in frames:
        shown = calm(frame, frame)
        assert np.abs(shown.astype(int) - frame).mean() < 3
        assert np.percentile(np.abs(shown.astype(int) - frame), 99.5) < 60
