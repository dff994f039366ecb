"""Kinds of moving pictures that need more than decoding: transparency, fields, HDR, loops, holes, timecode."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from clips import make_clip, moving, stamps_of
from conftest import photo_of
from photo2anime.cli import main
from photo2anime.painting.stylizer import Stylizer
from photo2anime.types import RGB
from photo2anime.video.encoder import SegmentEncoder, plan_encoding
from photo2anime.video.frames import Facts, Frame
from photo2anime.video.paint_video import stills
from photo2anime.video.source import VideoSource


@pytest.fixture(autouse=True)
def _as_is(monkeypatch: pytest.MonkeyPatch, identity: Stylizer) -> None:
    monkeypatch.setattr(Stylizer, "load", lambda *_, **__: identity)


def convert(source: Path, target: Path, *options: object) -> Path:
    assert main(["video", str(source), "-o", str(target), "--steady", "0", *map(str, options)]) == 0
    return target


def frames_of(file: Path) -> list[Frame]:
    with VideoSource(file) as source:
        return list(source.frames())


def apart(a: Any, b: Any) -> NDArray[np.int64]:
    return np.abs(np.asarray(a).astype(int) - np.asarray(b))


# Animations


def sprite(number: int) -> NDArray[np.uint8]:
    """A ball that moves over nothing, RGBA."""
    picture = np.zeros((64, 96, 4), np.uint8)
    y, x = np.mgrid[:64, :96]
    picture[(y - 32) ** 2 + (x - 14 - 12 * number) ** 2 < 80] = (220, 90, 30, 255)
    picture[28:34, 10 + 12 * number : 16 + 12 * number] = (250, 250, 240, 255)
    return picture


def shown(file: Path) -> tuple[list[NDArray[np.uint8]], list[int]]:
    with Image.open(file) as image:
        pictures, durations = [], []
        for number in range(image.n_frames):
            image.seek(number)
            image.load()
            pictures.append(np.asarray(image.convert("RGBA")))
            durations.append(round(image.info["duration"]))
    return pictures, durations


@pytest.mark.parametrize("source", ["gif", "webp", "png"])
@pytest.mark.parametrize("target", ["gif", "webp", "png", "avif"])
def test_frames_with_holes_leave_no_trails(tmp_path: Path, source: str, target: str) -> None:
    frames = [Image.fromarray(sprite(n)) for n in range(6)]
    lossless = {"lossless": True} if source == "webp" else {}
    durations = [60, 80, 100, 120, 140, 160]
    frames[0].save(
        tmp_path / f"a.{source}", save_all=True, append_images=frames[1:], duration=durations, disposal=2, **lossless
    )
    result = convert(tmp_path / f"a.{source}", tmp_path / f"b.{target}", "-q", 95)
    before, after = shown(tmp_path / f"a.{source}")[0], shown(result)
    assert after[1] == durations and len(before) == 6
    for was, now in zip(before, after[0], strict=True):
        assert np.array_equal(was[..., 3] > 127, now[..., 3] > 127)
        solid = was[..., 3] > 127
        assert apart(was, now)[solid].mean() < (1 if target in ("gif", "png") else 12)


def test_frames_that_build_on_one_another_are_whole(tmp_path: Path) -> None:
    ground = np.dstack([photo_of(64, 96) // 64 * 64, np.full((64, 96), 255, np.uint8)])
    whole = []
    for number in range(4):
        solid = sprite(number)
        whole.append(np.where(solid[..., 3:] > 0, solid, ground))
    pictures = [Image.fromarray(frame[..., :3]) for frame in whole]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=80, loop=0)  # as deltas
    before, after = shown(tmp_path / "a.gif")[0], shown(convert(tmp_path / "a.gif", tmp_path / "b.gif"))[0]
    assert len(after) == 4
    for was, now in zip(before, after, strict=True):
        assert now[..., 3].min() == 255 and apart(was, now).mean() < 1


@pytest.mark.parametrize(
    ("source", "loop", "plays"),
    [("gif", None, 1), ("gif", 0, 0), ("gif", 2, 3), ("png", 1, 1), ("png", 3, 3), ("webp", 0, 0), ("webp", 4, 4)],
)
def test_an_animation_is_shown_as_often_as_its_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, loop: int | None, plays: int
) -> None:
    frames = [Image.fromarray(frame) for frame in moving(3)]
    given = {} if loop is None else {"loop": loop}
    frames[0].save(tmp_path / f"a.{source}", save_all=True, append_images=frames[1:], duration=80, **given)
    for target in ("gif", "png", "webp"):
        with Image.open(convert(tmp_path / f"a.{source}", tmp_path / f"b.{target}", "--overwrite")) as image:
            if target == "gif":  # counts how often it is shown again, and says nothing for once
                assert image.info.get("loop", "once") == ("once" if plays == 1 else max(0, plays - 1))
            else:
                assert image.info["loop"] == plays
    capsys.readouterr()
    convert(tmp_path / f"a.{source}", tmp_path / "b.avif")
    assert ("again and again" in capsys.readouterr().err) == (plays != 0)


def test_the_picture_apng_shows_to_others_is_no_frame(tmp_path: Path) -> None:
    frames = [Image.fromarray(frame) for frame in moving(4)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:], duration=80, default_image=True)
    result, durations = shown(convert(tmp_path / "a.png", tmp_path / "b.png"))
    assert len(result) == 3 and durations == [80, 80, 80]
    assert apart(result[0][..., :3], moving(4)[1]).max() == 0


@pytest.mark.parametrize("side", [10_000, 20_000])
def test_a_bomb_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], side: int) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        whole = kind + content
        return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))

    packed = zlib.compress(bytes(side // 8 * 100))
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(bomb)
    assert main(["video", str(tmp_path / "bomb.png")]) == 1
    told = capsys.readouterr().err
    assert "more pixels than an animation may have" in told and told.count("\n") == 1


# Transparency


def with_alpha(file: Path, codec: str, pix_fmt: str) -> Path:
    with av.open(str(file), "w") as out:
        stream: Any = out.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 96, pix_fmt
        stream.options = {"crf": "4", "b": "0"} if codec == "libvpx-vp9" else {}
        packets: list[Any] = []
        for number in range(6):
            frame = av.VideoFrame.from_ndarray(sprite(number), format="rgba").reformat(format=pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            packets += stream.encode(frame)
        for packet in packets + stream.encode(None):
            out.mux(packet)
    return file


VP9, PRORES = ("libvpx-vp9", "yuva420p"), ("prores_ks", "yuva444p10le")


@pytest.mark.parametrize(
    ("source", "kind", "target", "options"),
    [
        ("a.webm", VP9, "b.webm", ()),
        ("a.webm", VP9, "b.mkv", ()),
        ("a.webm", VP9, "b.mov", ()),
        ("a.webm", VP9, "b.webm", ("--side-by-side",)),
        ("a.mov", PRORES, "b.mov", ()),
        ("a.mov", PRORES, "b.webm", ()),
        ("a.mov", ("png", "rgba"), "b.mov", ()),
        ("a.mov", ("qtrle", "argb"), "b.mkv", ("--codec", "prores")),
        ("a.avi", ("ffv1", "bgra"), "b.webm", ("--resume",)),
    ],
)
def test_transparency_is_kept_where_codec_and_container_can(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, kind: tuple[str, str], target: str, options: Any
) -> None:
    film = with_alpha(tmp_path / source, *kind)
    result = convert(film, tmp_path / target, *options)
    assert "transparency" not in capsys.readouterr().err
    after = frames_of(result)
    assert len(after) == 6 and stamps_of(result) == pytest.approx([n / 25 for n in range(6)])
    for number, frame in enumerate(after):
        assert frame.alpha is not None
        want = sprite(number)
        alpha, rgb = frame.alpha[:, :96], frame.rgb[:, :96]
        assert apart(want[..., 3], alpha).mean() < 3
        assert apart(want, np.dstack([rgb, alpha]))[20:44][want[20:44, :, 3] > 0].mean() < 12
    if target.endswith("webm"):
        with av.open(str(result)) as container:
            assert container.streams.video[0].metadata["alpha_mode"] == "1"


@pytest.mark.parametrize("target", ["b.mp4", "b.mkv"])
def test_transparency_that_cannot_be_kept_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str
) -> None:
    film = with_alpha(tmp_path / "a.webm", *VP9)
    result = convert(film, tmp_path / target, "--codec", "h264")
    told = capsys.readouterr().err
    assert "transparency is lost: h264 in" in told and told.count("\n") == 1
    with av.open(str(result)) as container:
        assert not any(key.lower() == "alpha_mode" for key in container.streams.video[0].metadata)
    assert frames_of(result)[0].alpha is None


def test_transparency_becomes_that_of_a_gif_and_back(tmp_path: Path) -> None:
    gif = convert(with_alpha(tmp_path / "a.webm", *VP9), tmp_path / "b.gif")
    for number, picture in enumerate(shown(gif)[0]):
        assert ((picture[..., 3] > 127) != (sprite(number)[..., 3] > 127)).mean() < 0.01
    back = frames_of(convert(gif, tmp_path / "c.webm"))
    assert len(back) == 6 and back[2].alpha is not None and apart(back[2].alpha, sprite(2)[..., 3]).mean() < 4


# Fields


def bars(moment: float) -> RGB:
    picture = np.full((120, 160, 3), 30, np.uint8)
    left = round(6 * moment) + 10
    picture[20:100, left : left + 30] = 220
    return picture


def interlaced(file: Path, frames: int = 12, first: int = 0) -> Path:
    woven = []
    for number in range(frames):
        frame = bars(number)
        if number >= first:
            frame[1::2] = bars(number + 0.5)[1::2]
        woven.append(frame)
    with av.open(str(file), "w") as out:
        stream: Any = out.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 120, 160, "yuv420p"
        stream.codec_context.flags |= av.codec.context.Flags.interlaced_dct
        stream.options = {"crf": "5"}
        flagged = av.filter.Graph()  # the only way to say that the upper field comes first
        begin = flagged.add_buffer(width=160, height=120, format="yuv420p", time_base=Fraction(1, 25))
        flagged.link_nodes(begin, flagged.add("setfield", "mode=tff"), flagged.add("buffersink")).configure()
        packets: list[Any] = []
        for number, picture in enumerate(woven):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            flagged.push(frame)
            packets += stream.encode(flagged.pull())
        for packet in packets + stream.encode(None):
            out.mux(packet)
    return file


def combs(rgb: RGB) -> float:
    """How much neighbouring lines differ while the lines two apart do not."""
    grey = rgb[20:100, :, 0].astype(int)
    return float((np.abs(grey[1:-1] - grey[:-2]) - np.abs(grey[2:] - grey[:-2])).clip(0).mean())


def test_interlaced_video_is_deinterlaced_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = interlaced(tmp_path / "a.mp4")
    with av.open(str(film)) as container:
        raw = list(container.decode(video=0))
    assert all(frame.interlaced_frame for frame in raw) and combs(raw[5].to_ndarray(format="rgb24")) > 3
    result = convert(film, tmp_path / "b.mp4", "--crf", 5)
    told = capsys.readouterr().err
    assert "interlaced: each two fields became one picture (bwdif)" in told and told.count("\n") == 1
    assert stamps_of(result) == stamps_of(film)
    for number, frame in enumerate(frames_of(result)):
        assert combs(frame.rgb) < 0.6
        assert apart(frame.rgb, bars(number)).mean() < 4  # the moment of the first field
    cut = convert(film, tmp_path / "c.mp4", "--start", "0.2", "--end", "0.32", "--crf", 5)
    assert len(stamps_of(cut)) == 3 and all(combs(frame.rgb) < 0.6 for frame in frames_of(cut))


def test_progressive_video_stays_as_it_is_and_previews_have_no_combs(tmp_path: Path) -> None:
    film = make_clip(tmp_path / "a.mp4", moving(6))
    with VideoSource(film) as source, av.open(str(film)) as container:
        for ours, plain in zip(source.frames(), container.decode(video=0), strict=True):
            rgb = plain.to_ndarray(format="rgb24", src_colorspace=5, src_color_range=1, dst_color_range=2)
            assert np.array_equal(ours.rgb, rgb)
        assert source.notes == []
    assert all(combs(still.rgb) < 0.6 for still in stills(interlaced(tmp_path / "b.mp4"), 3))


# HDR

RED = {16: (0.4796, 0.3149, 0.2627), 18: (0.6133, 0.2565, 0.1827)}  # sRGB 200,40,40 where white has 203 cd/m2
WHITE = {16: 0.581, 18: 0.750}  # the same white, as ITU-R BT.2408 gives it
GREY = {16: 0.428, 18: 0.4706}  # sRGB 128


def hdr(file: Path, transfer: int, codec: str = "libx265") -> Path:
    """Red, white, grey and the brightest there is, a quarter each, in BT.2020 and 10 bits."""
    signal = np.zeros((64, 128, 3))
    for part, value in enumerate((RED[transfer], WHITE[transfer], GREY[transfer], 1.0)):
        signal[:, 32 * part : 32 * part + 32] = value
    with av.open(str(file), "w") as out:
        stream: Any = out.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 128, "yuv420p10le"
        context = stream.codec_context
        context.color_range, context.colorspace, context.color_primaries, context.color_trc = 1, 9, 9, transfer
        stream.options = {"crf": "5", "x265-params": "log-level=error"}
        packets: list[Any] = []
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(np.round(signal * 65535).astype(np.uint16), format="rgb48le")
            frame = frame.reformat(format="yuv420p10le", dst_colorspace=9, src_color_range=2, dst_color_range=1)
            frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc = 9, 1, 9, transfer
            frame.pts, frame.time_base = number, Fraction(1, 25)
            packets += stream.encode(frame)
        for packet in packets + stream.encode(None):
            out.mux(packet)
    return file


def assert_scene(rgb: RGB) -> None:
    red, white, grey, top = (rgb[16:48, 32 * part + 8 : 32 * part + 24].mean(axis=(0, 1)) for part in range(4))
    assert apart(red, (200, 40, 40)).max() <= 4, red
    assert apart(grey, 128).max() <= 4, grey
    assert apart(white, 229).max() <= 7, white
    assert top.min() >= 250


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_becomes_sdr_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str], transfer: int) -> None:
    film = hdr(tmp_path / "a.mp4", transfer)
    result = convert(film, tmp_path / "b.mp4", "--crf", 5)
    told = capsys.readouterr().err
    kind = {16: "PQ", 18: "HLG"}[transfer]
    assert f"HDR ({kind}, BT.2020) is brought to SDR, BT.709" in told and told.count("\n") == 1
    with av.open(str(result)) as container:
        frame = next(container.decode(video=0))
        assert (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range) == (1, 1, 1, 1)
        assert_scene(
            frame.to_ndarray(format="rgb24", src_colorspace=1, src_color_range=1, dst_color_range=2)  # as players do
        )
    assert_scene(frames_of(film)[2].rgb)
    assert_scene(stills(film, 2)[1].rgb)
    assert_scene(shown(convert(film, tmp_path / "b.gif"))[0][0][..., :3])
    assert main(["video", str(film), "--preview"]) == 0
    preview = next((tmp_path / "a-identity-preview").iterdir())
    assert_scene(np.asarray(Image.open(preview).convert("RGB")))


def test_wide_colours_without_hdr_become_bt709(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = np.full((48, 64, 3), (184, 56, 49), np.uint8)  # sRGB 200,40,40 in Display P3
    film = make_clip(tmp_path / "a.mp4", [picture] * 3, colors=(1, 1, 12, 13), options={})
    convert(film, tmp_path / "b.mp4")
    assert "wide colours (Display P3) are brought to BT.709" in capsys.readouterr().err
    assert apart(frames_of(tmp_path / "b.mp4")[0].rgb[24, 32], (200, 40, 40)).max() <= 5


# Timecode


def test_timecode_is_kept_without_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = tmp_path / "a.mov"
    with av.open(str(film), "w") as out:
        stream: Any = out.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.metadata["timecode"] = 48, 64, "01:00:00:00"
        packets = [p for rgb in moving(10) for p in stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24"))]
        for packet in packets + stream.encode(None):
            out.mux(packet)
    with av.open(str(film)) as container:
        assert [s.type for s in container.streams] == ["video", "data"]
    for suffix in ("mov", "mp4"):
        result = convert(film, tmp_path / f"b.{suffix}")
        assert capsys.readouterr().err == ""
        with av.open(str(result)) as container:
            assert [s.metadata.get("timecode") for s in container.streams] == ["01:00:00:00"] * 2
    convert(film, tmp_path / "c.mov", "--start", "0.2")
    assert "the timecode is left out" in capsys.readouterr().err


# The same every time


def filled(rng: np.random.Generator, size: tuple[int, int], pix_fmt: str) -> None:
    """Memory that frames lay in, left full of noise."""
    height, width = size
    for number in range(6):
        noise = rng.integers(0, 256, (height + 5 * number, width + 16 * number, 3), np.uint8)
        av.VideoFrame.from_ndarray(noise, format="rgb24").reformat(format=pix_fmt)


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "size", "runs"),
    [
        ("h264", "yuv420p", (480, 854), 14),
        ("h264", "yuv420p10le", (480, 854), 20),
        ("h264", "yuv420p", (48, 64), 30),
        ("hevc", "yuv420p", (180, 320), 4),
        ("vp9", "yuva420p", (180, 320), 4),
        ("av1", "yuv420p10le", (180, 318), 4),
        ("prores", "yuva444p10le", (240, 854), 5),
    ],
)
def test_the_same_frames_give_the_same_bytes(codec: str, pix_fmt: str, size: tuple[int, int], runs: int) -> None:
    facts = Facts(*size, Fraction(1, 25), Fraction(25), alpha="a" in pix_fmt)
    encoding = plan_encoding(facts, 5, "mov" if codec == "prores" else "webm", codec, None, pix_fmt)
    frames = [Frame(rgb, number, 1) for number, rgb in enumerate(moving(8, *size))]
    rng, streams = np.random.default_rng(0), set()
    for _ in range(runs):
        filled(rng, size, pix_fmt)
        encoder = SegmentEncoder(encoding, global_header=True)
        for frame in frames:
            encoder.add(frame)
        streams.add(b"".join(packet.data + packet.alpha for packet in encoder.finish()[0]))
    assert len(streams) == 1
