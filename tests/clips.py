"""Small clips for the video tests, made with PyAV: moving shapes, sound, odd timing, rotation, tags."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from conftest import photo_of
from photo2anime.types import RGB

TIME_BASE = Fraction(1, 12800)


def moving(frames: int, height: int = 48, width: int = 64, seed: int = 0) -> list[RGB]:
    """A square that wanders over a photo-like picture."""
    ground = photo_of(height, width, seed)
    shown = []
    for number in range(frames):
        frame = ground.copy()
        left = (3 * number) % (width - 12)
        frame[8:20, left : left + 12] = (200, 40, 60)
        shown.append(frame)
    return shown


def tone(stream: Any, seconds: float, hertz: float) -> list[Any]:
    """Packets of a sine on an audio stream."""
    rate, size, packets = stream.rate, stream.codec_context.frame_size or 1024, []
    for begin in range(0, int(seconds * rate), size):
        wave = np.sin(2 * np.pi * hertz * (begin + np.arange(size)) / rate).astype(np.float32) * 0.3
        frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, begin, Fraction(1, rate)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def make_clip(
    file: Path,
    frames: Iterable[RGB],
    *,
    pts: Sequence[int] | None = None,
    time_base: Fraction = TIME_BASE,
    fps: Fraction = Fraction(25),
    sound: int = 0,
    audio_codec: str = "aac",
    matrix: Sequence[int] | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    aspect: Fraction = Fraction(1),
    colors: tuple[int, int, int, int] = (0, 2, 2, 2),
    metadata: dict[str, str] | None = None,
    chapters: list[Any] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """The clip on disk. pts: of every frame, in time_base; default: one every 1/fps. sound: how many audio tracks."""
    pictures = list(frames)
    stamps = list(pts) if pts is not None else [round(n / fps / time_base) for n in range(len(pictures))]
    with av.open(str(file), "w", container_options=options or {}) as out:
        out.metadata.update(metadata or {})
        if chapters:
            out.set_chapters(chapters)
        stream: Any = out.add_stream(codec, rate=fps)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = time_base
        stream.codec_context.sample_aspect_ratio = aspect
        context = stream.codec_context
        context.color_range, context.colorspace, context.color_primaries, context.color_trc = colors
        if matrix:
            stream.set_display_matrix(matrix)
        tracks: list[Any] = [out.add_stream(audio_codec, rate=48000, layout="mono") for _ in range(sound)]
        for number, track in enumerate(tracks):
            track.metadata["language"] = ("eng", "deu", "fra")[number]
        packets = []
        for picture, when in zip(pictures, stamps, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                format=pix_fmt, dst_colorspace=1 if colors[1] == 1 else 5, dst_color_range=colors[0] or 1
            )
            frame.pts, frame.time_base = when, time_base
            packets += stream.encode(frame)
        packets += stream.encode(None)
        seconds = float(stamps[-1] * time_base + 1 / fps)
        for number, track in enumerate(tracks):
            packets += tone(track, seconds, 440 * (number + 1))
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            out.mux(packet)
    return file


def stamps_of(file: Path) -> list[Fraction]:
    """When every frame shows, in seconds."""
    with av.open(str(file)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def packets_of(file: Path, kind: str) -> list[list[tuple[Fraction, bytes]]]:
    """For every stream of a kind, its packets as (time in seconds, content)."""
    with av.open(str(file)) as container:
        streams = [s for s in container.streams if s.type == kind]
        found: list[list[tuple[Fraction, bytes]]] = [[] for _ in streams]
        for packet in container.demux(streams) if streams else ():
            if packet.size:
                found[streams.index(packet.stream)].append((packet.pts * packet.time_base, bytes(packet)))
    return found


def pictures_of(file: Path) -> list[RGB]:
    """All decoded frames, as stored."""
    with av.open(str(file)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
