"""Opens films and sound files safely: one local file of a known format, and none of the files it refers to.

FFmpeg by itself opens whatever a name or a file names: addresses, playlists, scripts, numbered pictures, tracks that
lie in other files. So it is never given a name to read from. It gets the bytes of one open file, a list of the formats
that hold their own pictures and sound, and no protocol and no way to ask for a second file.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import av
from av.error import FFmpegError

from photo2anime.types import Photo2AnimeError

# FFmpeg's names of what is read; SubRip and ASS are for the subtitles that AVI holds as files of their own
FORMATS = "mov,matroska,avi,mpegts,mpeg,asf,flv,ogg,mxf,dv,ivf,h264,hevc,m4v,mpegvideo,yuv4mpegpipe,srt,ass"
MAX_MEGAPIXELS = 140  # of a frame: 16384x8192 is the largest that cameras and codecs know
_BUFFER_BYTES = 1 << 18  # read at once; each reading waits for Python's lock
_HEAD_BYTES = 512
_GUARDS = {
    "format_whitelist": FORMATS,
    "protocol_whitelist": "none",
    "enable_drefs": "0",  # of MOV: tracks that lie in other files
    "use_absolute_path": "0",
}
_PICTURES: tuple[bytes, ...] = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"8BPS",
    b"\0\0\1\0",
    b"\0\0\2\0",
)
_PICTURES += (b"\0\0\0\x0cjP", b"\xff\x4f\xff\x51", b"\xff\x0a", b"\0\0\0\x0cJXL", b"qoif", b"v/1\x01", b"P6", b"P5")
_STILL_BRANDS = {
    b"heic",
    b"heix",
    b"heim",
    b"heis",
    b"mif1",
    b"avif",
    b"jpeg",
}  # those of HEIF's moving pictures differ
_REFERENCE = re.compile(
    rb"(\xef\xbb\xbf)?\s*(#extm3u|ffconcat|file\s|v=0\s|\[playlist\]|\[reference\]|# vobsub|rtsptext|<asx|<smil|"
    rb"<mpd|<smoothstreaming|<manifest|<\?xml|\w+://)",
    re.IGNORECASE,
)


def open_input(file: Path) -> Any:
    """An av container opened for reading; use it in a `with`. No other file is ever opened, whatever this one names.

    Raises Photo2AnimeError, which says what is wrong with the file.
    """
    reader = _reader(file)
    try:
        head = reader.read(_HEAD_BYTES) or b""
        if wrong := _why_not_a_video(head):
            raise Photo2AnimeError(f"{file} {wrong}")
        reader.seek(0)
        return av.open(
            reader,
            "r",
            buffer_size=_BUFFER_BYTES,
            container_options=_GUARDS,
            options={"max_pixels": str(MAX_MEGAPIXELS * 1_000_000)},
            metadata_errors="replace",
            io_open=_open_nothing,
        )
    except MemoryError:
        raise
    except (FFmpegError, ValueError) as error:
        raise Photo2AnimeError(
            f"{file} is not a video this program knows, or its index is lost ({_reason(error)}); "
            "give MP4, MOV, MKV, WebM, AVI or GIF, or download it again"
        ) from error
    except OSError as error:
        raise Photo2AnimeError(f"{file} cannot be read ({_reason(error)})") from error


def open_output(target: Path | IO[bytes], format: str, options: dict[str, str]) -> Any:
    """An av container opened for writing format (FFmpeg's name of it). A path is a local file, whatever its name."""
    place = f"file:{os.path.abspath(target)}" if isinstance(target, Path) else target
    return av.open(place, "w", format=format, container_options=options)


class _Reader:
    """The bytes of one local file. It has no name that FFmpeg could read a protocol or a pattern out of."""

    name = "film"

    def __init__(self, file: Path) -> None:
        self._file = open(file, "rb", buffering=0)  # noqa: SIM115  closed when the container lets go of it
        self.read, self.seek, self.tell = self._file.read, self._file.seek, self._file.tell

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()


def _reader(file: Path) -> _Reader:
    try:
        found = file.stat()
        if stat.S_ISDIR(found.st_mode):
            raise Photo2AnimeError(f"{file} is a folder; give one video")
        if not stat.S_ISREG(found.st_mode):
            raise Photo2AnimeError(f"{file} is a pipe or a device, and videos are read more than once; save it first")
        if found.st_size == 0:
            raise Photo2AnimeError(f"{file} is empty (0 bytes); copy or download it again")
        return _Reader(file)
    except FileNotFoundError:
        raise Photo2AnimeError(f"{file}: no such file; check the name and the folder") from None
    except PermissionError:
        raise Photo2AnimeError(f"{file} may not be read; change its permissions") from None
    except (OSError, ValueError) as error:
        raise Photo2AnimeError(f"{file} cannot be opened ({_reason(error)})") from error


def _open_nothing(url: str, flags: int, options: dict[str, str]) -> None:
    """Refuses FFmpeg's requests for another file."""
    raise PermissionError("other files are not opened")


def _why_not_a_video(head: bytes) -> str | None:
    """What a file is that begins like this, when that is no video, as the rest of a sentence."""
    if _REFERENCE.match(head):
        return "only names other files, as playlists and scripts do, and those are never opened; give the video itself"
    is_heif = head[4:8] == b"ftyp" and head[8:12] in _STILL_BRANDS
    if is_heif or head.startswith(_PICTURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return "is a picture, not a video; use `photo2anime paint`"
    return None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def readable_packets(container: Any, streams: list[Any], on_broken: Callable[[], None] = lambda: None) -> Iterator[Any]:
    """Packets of the streams in file order, to the end of the file or to where it can be read no further: then
    on_broken is called once.
    """
    packets = container.demux(streams)
    while True:
        try:
            packet = next(packets, None)
        except MemoryError:
            raise
        except (FFmpegError, OSError):
            on_broken()
            return
        if packet is None:
            return
        yield packet
