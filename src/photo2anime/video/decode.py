"""Decoding beyond FFmpeg's default: deinterlacing, and the transparency of VP8 and VP9."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any

import av

_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # FFmpeg's own decoders leave the transparency out
_LEAST_SIDE_PX = 4  # smaller pictures have no fields to speak of


def decoder_of(stream: Any) -> Any:
    """A decoder for streams whose default decoder would lose something (transparency); else None."""
    name = _WITH_ALPHA.get(stream.codec_context.name)
    says_so = any(key.lower() == "alpha_mode" and value != "0" for key, value in stream.metadata.items())
    if name is None or not says_so or name not in av.codecs_available:
        return None
    return av.CodecContext.create(name, "r")


def has_alpha(frame: Any) -> bool:
    """Whether a decoded frame's pixels hold transparency."""
    return any(component.is_alpha for component in frame.format.components)


def is_interlaced(frame: Any) -> bool:
    """Whether a decoded frame is two fields, of two moments, that can be taken apart."""
    return bool(frame.interlaced_frame) and min(frame.width, frame.height) >= _LEAST_SIDE_PX


def deinterlaced(frames: Iterable[Any], time_base: Fraction, found: Callable[[], None]) -> Iterator[Any]:
    """The same frames at the same times. From the first interlaced one on they go through FFmpeg's bwdif, which makes
    one whole picture of each two fields, at the time of the first, and passes progressive ones on.

    found: called when there is one.
    """
    graph: Any = None
    kind: tuple[int, int, str] | None = None
    for frame in frames:
        if graph is None and is_interlaced(frame):
            found()
        if graph is not None or is_interlaced(frame):
            now = (frame.width, frame.height, frame.format.name)
            if now != kind:
                yield from _rest_of(graph, time_base)
                graph, kind = _bwdif(frame, time_base), now
            graph.push(frame)
            yield from _ready(graph, time_base)
        else:
            yield frame
    yield from _rest_of(graph, time_base)


def _bwdif(frame: Any, time_base: Fraction) -> Any:
    graph = av.filter.Graph()
    graph.threads = 1
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format.name, time_base=time_base)
    graph.link_nodes(
        source, graph.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced"), graph.add("buffersink")
    )
    graph.configure()
    return graph


def _rest_of(graph: Any, time_base: Fraction) -> Iterator[Any]:
    if graph is not None:
        graph.push(None)
        yield from _ready(graph, time_base)


def _ready(graph: Any, time_base: Fraction) -> Iterator[Any]:
    """What the filter has finished, its times back in the stream's unit."""
    while True:
        try:
            frame = graph.pull()
        except (BlockingIOError, EOFError):
            return
        if frame.pts is not None and frame.time_base:
            frame.pts = round(frame.pts * frame.time_base / time_base)
        frame.time_base = time_base
        yield frame
