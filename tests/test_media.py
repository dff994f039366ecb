"""The door for films and sound: what is given is read, what it names is not, and a name is only a name."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image

from clips import make_clip, moving, stamps_of
from conftest import photo_of
from photo2anime import Photo2AnimeError
from photo2anime.cli import main
from photo2anime.options import PaintOptions
from photo2anime.painting.stylizer import Stylizer
from photo2anime.train.data.films import SourceFile
from photo2anime.train.data.films import pictures_of as footage_pictures
from photo2anime.video.live import newest_frames
from photo2anime.video.media import open_input
from photo2anime.video.paint_video import paint_video, stills
from photo2anime.video.source import VideoSource


class Watch:
    """Whether a file is opened or read by anyone meanwhile, told by the kernel."""

    def __init__(self, file: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self.handle = libc.inotify_init1(os.O_NONBLOCK)
        assert libc.inotify_add_watch(self.handle, os.fsencode(file), 0x21) >= 0  # IN_ACCESS, IN_OPEN

    def touched(self) -> bool:
        try:
            return bool(os.read(self.handle, 4096))
        except BlockingIOError:
            return False
        finally:
            os.close(self.handle)


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A film nobody gave."""
    return make_clip(tmp_path / "private.ts", moving(6), sound=1, options={})


@pytest.fixture
def as_is(monkeypatch: pytest.MonkeyPatch, identity: Stylizer) -> None:
    monkeypatch.setattr(Stylizer, "load", lambda *_, **__: identity)


HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-VERSION:3\n#EXTINF:1.0,\n{0}\n#EXT-X-ENDLIST\n"
DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S" '
    'profiles="urn:mpeg:dash:profile:isoff-main:2011"><Period><AdaptationSet mimeType="video/mp2t"><Representation '
    'id="1" bandwidth="1"><BaseURL>{0}</BaseURL></Representation></AdaptationSet></Period></MPD>'
)
REFERENCES = {  # name of the file -> what it says
    "list.m3u8": HLS,
    "list.mp4": HLS,
    "list.avi": "\n\n" + HLS,
    "list.ts": HLS + "\0" * 4000,
    "script.ffconcat": "ffconcat version 1.0\nfile '{0}'\n",
    "script.mp4": "file '{0}'\n",
    "manifest.mpd": DASH,
    "manifest.mkv": DASH,
    "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    "words.idx": "# VobSub index file, v7 (do not modify this line!)\nid: en, index: 0\n",
    "one.pls": "[playlist]\nFile1={0}\n",
    "one.asx": '<asx version="3.0"><entry><ref href="{0}"/></entry></asx>',
    "one.smil": '<smil><body><video src="{0}"/></body></smil>',
    "one.ram": "file://{0}\n",
}


def every_door(file: Path) -> list[Callable[[], object]]:
    return [
        lambda: open_input(file),
        lambda: VideoSource(file),
        lambda: list(newest_frames(str(file))),
        lambda: list(footage_pictures(SourceFile(file.with_suffix(file.suffix), "x"), 1.0)),
        lambda: stills(file, 3),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own word for it is Linux's")
@pytest.mark.parametrize("name", REFERENCES)
def test_what_a_file_names_is_never_opened(tmp_path: Path, private: Path, identity: Stylizer, name: str) -> None:
    for place in (str(private), "private.ts", private.as_uri()):
        file = tmp_path / name
        file.write_text(REFERENCES[name].format(place))
        watch = Watch(private)
        for door in every_door(file)[: 3 if not SourceFile(file, "").is_film else 5]:
            with pytest.raises(Photo2AnimeError, match="only names other files|not a video") as refused:
                door()
            assert "\n" not in str(refused.value) and "private" not in str(refused.value)
        with pytest.raises(Photo2AnimeError):
            paint_video(file, tmp_path / "out.mp4", identity, PaintOptions())
        assert not watch.touched()
    assert sorted(f.name for f in tmp_path.iterdir()) == sorted([name, "private.ts"])


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own word for it is Linux's")
def test_the_watch_and_the_playlist_are_real(tmp_path: Path, private: Path) -> None:
    (tmp_path / "list.m3u8").write_text(HLS.format(private))
    watch = Watch(private)
    with av.open(str(tmp_path / "list.m3u8")) as container:
        assert next(container.decode(video=0))
    assert watch.touched()


@pytest.mark.parametrize(
    "name",
    [
        "concat:{0}",
        "concat:{0}|{0}",
        "subfile,,start,0,end,9999,,:{0}",
        "file:{0}",
        "cache:{0}",
        "data:video/mp4;base64,AAAA",
        "img%03d.png",
        "img*.png",
        "testsrc=size=32x32",
        "pipe:0",
        "tcp://127.0.0.1:{1}",
        "http://127.0.0.1:{1}/a.mp4",
        "http:127.0.0.1",
    ],
)
def test_a_name_is_only_a_name(
    tmp_path: Path, private: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        Image.fromarray(photo_of(16, 16)).save(tmp_path / f"img{number:03}.png")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        given = name.format(private, server.getsockname()[1])
        assert main(["video", given]) == 1
        told = capsys.readouterr().err
        assert "no such file" in told and told.count("\n") == 1
        with pytest.raises(Photo2AnimeError, match="no such file"):
            list(newest_frames(given))
        with pytest.raises(BlockingIOError):  # nobody came
            server.accept()


@pytest.mark.usefixtures("as_is")
@pytest.mark.parametrize(
    "name", ["12:30 party.mp4", "http:x.mp4", "concat:a|b.mp4", "clip%03d.mp4", "subfile,,start,0,end,9,,:a.mp4"]
)
def test_odd_names_are_read_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    make_clip(tmp_path / "plain.mp4", moving(4), sound=1).rename(tmp_path / name)
    for target in (f"out {name}", f"out/{name}", f"-{name}".replace(".mp4", ".mkv"), f"x:{name[:-4]}.webm"):
        assert main(["video", name, f"--out={target}"]) == 0
        assert len(stamps_of(_copied(tmp_path / target))) == 4
    assert main(["video", name, f"--out=12:30 {name[:-4]}.gif"]) == 0
    with Image.open(tmp_path / f"12:30 {name[:-4]}.gif") as gif:
        assert gif.format == "GIF"
    assert len(list(newest_frames(name))) == 4
    assert len(list(footage_pictures(SourceFile(Path(name), "x"), 0.04))) == 4


def _copied(file: Path) -> Path:
    """The same file under a name that plain FFmpeg takes for one."""
    plain = file.parent / f"copy{file.suffix}"
    plain.write_bytes(file.read_bytes())
    return plain


def boxes_around(content: bytes, wanted: bytes) -> list[int]:
    """Where the boxes begin that hold the first box named wanted, outermost first, itself included."""
    holders, path, at, end = {b"moov", b"trak", b"mdia", b"minf", b"dinf"}, [], 0, len(content)
    while at < end:
        size, kind = struct.unpack_from(">I4s", content, at)
        if kind == wanted:
            return [*path, at]
        if kind in holders:
            path, at, end = [*path, at], at + 8, at + size
        else:
            at += size
    raise AssertionError(f"no {wanted!r}")


def pointing_to(clip: Path, other: Path) -> Path:
    """A MOV of clip whose pictures lie in other: its data reference is a Macintosh alias."""
    where = str(other).encode()
    alias = bytes(10) + b"\0" + bytes(27 + 12) + bytes([len(other.name)]) + other.name.encode().ljust(63, b"\0")
    alias += bytes(16) + struct.pack(">HH", 1, 1) + bytes(16) + struct.pack(">HH", 2, len(where)) + where
    alias += b"\0" * (len(where) % 2) + struct.pack(">HH", 0xFFFF, 0)
    entry = struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias
    content = bytearray(clip.read_bytes())
    path = boxes_around(bytes(content), b"dref")
    old = struct.unpack_from(">I", content, path[-1] + 16)[0]
    content[path[-1] + 16 : path[-1] + 16 + old] = entry
    for at in path:
        struct.pack_into(">I", content, at, struct.unpack_from(">I", content, at)[0] + len(entry) - old)
    made = clip.with_name("pointing.mov")
    made.write_bytes(content)
    return made


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own word for it is Linux's")
def test_a_track_in_another_file_is_not_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    private = make_clip(tmp_path / "private.mov", moving(6))
    film = pointing_to(make_clip(tmp_path / "a.mov", moving(6)), private)
    followed = Watch(private)
    with av.open(str(film), container_options={"enable_drefs": "1", "use_absolute_path": "1"}) as container:
        assert next(container.decode(video=0))  # FFmpeg would, when it is asked to
    assert followed.touched()
    watch = Watch(private)
    assert main(["video", str(film)]) == 1
    told = capsys.readouterr().err
    assert "other files are not looked into" in told and told.count("\n") == 1
    assert not watch.touched()


def test_pipes_devices_and_pictures_are_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pillow_heif import register_heif_opener

    register_heif_opener()
    for suffix in ("png", "ico", "jpg", "webp", "bmp", "tif", "heic", "avif"):
        Image.fromarray(photo_of(64, 64)).save(tmp_path / f"still.{suffix}")
        Image.fromarray(photo_of(64, 64)).save(
            tmp_path / "renamed.mp4", format=Image.registered_extensions()[f".{suffix}"]
        )
        for name in (f"still.{suffix}", "renamed.mp4"):
            assert main(["video", str(tmp_path / name)]) == 1
            told = capsys.readouterr().err
            assert "use `photo2anime paint`" in told and told.count("\n") == 1, (name, told)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "fifo.mp4")
        for name in (tmp_path / "fifo.mp4", Path("/dev/zero")):
            assert main(["video", str(name)]) == 1
            assert "a pipe or a device" in capsys.readouterr().err


USUAL = (
    "mp4 libx264, mov libx264, mkv libx264, webm libvpx-vp9, avi mpeg4, ts libx264, m2ts libx264, mpg mpeg2video, "
    "wmv wmv2, flv flv, ogv libvpx, mxf mpeg2video, ivf libvpx, h264 libx264, hevc libx265, m4v mpeg4, 3gp mpeg4, "
    "vob mpeg2video, y4m wrapped_avframe, m2v mpeg2video"
)


@pytest.mark.parametrize(("suffix", "codec"), [kind.split() for kind in USUAL.split(",")])
def test_every_usual_format_is_read_by_its_content(tmp_path: Path, suffix: str, codec: str) -> None:
    film = make_clip(tmp_path / f"a.{suffix}", moving(10, 96, 128), codec=codec, time_base=Fraction(1, 25))
    with VideoSource(film.rename(tmp_path / "a")) as source:
        frames = list(source.frames())
    assert len(frames) >= 9 and frames[0].rgb.shape == (96, 128, 3)


def test_frames_have_a_largest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = make_clip(tmp_path / "a.mp4", moving(2))
    monkeypatch.setattr("photo2anime.video.source.MAX_MEGAPIXELS", 0.003)
    with pytest.raises(Photo2AnimeError, match="is 64x48, the limit is"):
        VideoSource(film)


def test_no_other_place_opens_media() -> None:
    source = Path(__file__).parent.parent / "src" / "photo2anime"
    for file in source.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert "av.open(" not in text or file.name == "media.py", file
        assert "VideoCapture(" not in text or text.count("VideoCapture(int(") == text.count("VideoCapture("), file
