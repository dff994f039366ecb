"""Reads a video file as upright RGB frames with exact timestamps, and the facts that the result must keep."""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.sidedata.sidedata import Type as SideDataType
from numpy.typing import NDArray

from photo2anime.types import RGB, Photo2AnimeError
from photo2anime.video.decode import decoder_of, deinterlaced, has_alpha, is_interlaced
from photo2anime.video.frames import Colors, Facts, Frame, Losses
from photo2anime.video.media import MAX_MEGAPIXELS, open_input, readable_packets
from photo2anime.video.tonemap import HDR_TRANSFERS, SDR, tone_map_for

_UNSPECIFIED = 2
_SWSCALE = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}  # matrix of H.273 -> what libswscale calls it
_HD_HEIGHT = 720  # untagged video this tall is BT.709 to every player, below it BT.601
_PLAUSIBLE_FRAMES = 4  # a last frame may show this much longer than the others do on average
_LONGEST_UNIT_SECONDS = 86_400  # a file that counts time in longer steps has a damaged header; no container holds them
_SANE_FPS = (Fraction(1, 100), Fraction(1000))


class VideoSource:
    """A video opened for painting. Use it in a `with`.

    max_side: the longer side in pixels is shrunk to this. start, end: seconds; frames from start on and before end.
    `notes`, in whole clauses, is what was done to the pictures beside decoding them; reading may add to it. HDR and
    wide colours come as SDR, BT.709 (tonemap), interlaced frames as whole ones (decode), transparency in Frame.alpha.
    Raises Photo2AnimeError when the file is no video, or has no picture that decodes.
    """

    def __init__(self, file: Path, *, max_side: int | None = None, start: float = 0, end: float | None = None) -> None:
        self.file, self.start, self.end = file, Fraction(str(start)), None if end is None else Fraction(str(end))
        self.losses, self.notes = Losses(), list[str]()
        self.container = open_input(file)
        try:
            self.stream = _main_video(self.container, file)
            first = self._first_frame()
            self.colors = _colors(first)
            self.tone_map = tone_map_for(self.colors)
            if self.tone_map:
                self.notes.append(self.tone_map.note)
            if is_interlaced(first):
                self._note_interlaced()
            self.stream_index: int | None = self.stream.index
            self.facts = self._facts(first, max_side)
        except BaseException:
            self.container.close()
            raise
        self.matrix = self._swscale_name(self.facts.colors)

    def __enter__(self) -> VideoSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.container.close()

    def frames(self, skip: int = 0) -> Generator[Frame, None, None]:
        """Frame after frame from start on, without the first skip of them; timestamps count from start.

        Timestamps are those of the file, each at least one unit after the one before. What could not be decoded is
        counted in `losses`.
        """
        base, offset = self.facts.time_base, round(self.start / self.facts.time_base)
        held: Frame | None = None  # waits for the frame after it, which says how long it shows
        last: int | None = None
        number = 0
        for decoded in self._decode_from_start():
            last = self._timestamp(decoded, last)
            if held is not None:
                yield replace(held, duration=last - offset - held.pts)
                held = None
            if self.end is not None and last * base >= self.end:
                return
            if last < offset:
                continue  # before the cut: decoded only because the frames after it need it
            number += 1
            if number > skip:
                rgb, alpha = self._upright(decoded)
                held = Frame(rgb, last - offset, 0, alpha)
        if held is not None and last is not None:
            yield replace(held, duration=self._last_duration(last))
        self._look_for_a_missing_end(last)

    def _timestamp(self, decoded: Any, last: int | None) -> int:
        if decoded.pts is None:
            return 0 if last is None else last + self.facts.usual_duration
        return int(decoded.pts) if last is None else max(decoded.pts, last + 1)

    def _decode_from_start(self) -> Iterator[Any]:
        """Every frame from the file's beginning or a little before the cut, from a container of its own: not every
        format finds back to its first frame by seeking.
        """
        with open_input(self.file) as container:
            stream = container.streams[self.stream.index]
            if self.start:
                earlier = max(stream.start_time or 0, round((self.start - 1) / stream.time_base))
                container.seek(earlier, stream=stream, backward=True)
            yield from deinterlaced(self._decode(container, stream), stream.time_base, self._note_interlaced)

    def _decode(self, container: Any, stream: Any) -> Iterator[Any]:
        other = decoder_of(stream)
        for packet in readable_packets(container, [stream], self._note_broken_packet):
            try:
                for decoded in other.decode(packet if packet.size else None) if other else packet.decode():
                    self.losses.damaged_frames += bool(decoded.is_corrupt)
                    yield decoded
            except MemoryError:
                raise
            except BlockingIOError as error:  # no thread to be had for the decoder
                raise MemoryError(str(error)) from error
            except FFmpegError:
                self._note_broken_packet()

    def _note_broken_packet(self) -> None:
        self.losses.broken_packets += 1

    def _first_frame(self) -> Any:
        for decoded in self._decode(self.container, self.stream):
            self.losses = Losses()
            return decoded
        raise Photo2AnimeError(
            f"{self.file}: no frame could be decoded, and other files are not looked into; copy it again"
        )

    def _facts(self, first: Any, max_side: int | None) -> Facts:
        stream, height, width = self.stream, first.height, first.width
        scale = min(1.0, max_side / max(height, width)) if max_side else 1.0
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        seconds = None
        if stream.duration:
            seconds = float(stream.duration * stream.time_base)
        elif self.container.duration:
            seconds = self.container.duration / 1e6
        fps = min(max(rate, _SANE_FPS[0]), _SANE_FPS[1])
        frames = stream.frames or (round(seconds * fps) if seconds else None)
        if self.start or self.end is not None:
            until = min(float(self.end), seconds or float("inf")) if self.end is not None else seconds
            seconds = None if until is None else max(0.0, until - float(self.start))
            frames = None if seconds is None else round(seconds * fps)
        return Facts(
            height=max(1, round(height * scale)),
            width=max(1, round(width * scale)),
            time_base=first.time_base or stream.time_base,
            fps=fps,
            frames=frames,
            seconds=seconds,
            quarter_turns=round(first.rotation / 90) % 4,
            display_matrix=_display_matrix(first),
            pixel_aspect=stream.sample_aspect_ratio or Fraction(1),
            colors=SDR if self.tone_map else self.colors,
            alpha=has_alpha(first),
        )

    def _upright(self, decoded: Any) -> tuple[RGB, NDArray[np.uint8] | None]:
        """Upright sRGB, (H, W, 3) uint8, and the transparency, (H, W) uint8 or None."""
        facts, deep = self.facts, self.tone_map is not None
        pixels = decoded.reformat(
            width=facts.width,
            height=facts.height,
            format=("rgba64le" if deep else "rgba") if facts.alpha else ("rgb48le" if deep else "rgb24"),
            src_colorspace=self._swscale_name(self.colors),
            src_color_range=self.colors.range or 1,
            dst_color_range=2,
            interpolation="AREA" if (decoded.height, decoded.width) != (facts.height, facts.width) else None,
            threads=1,  # as in encoder.to_video_frame
        ).to_ndarray()
        if facts.quarter_turns:
            pixels = np.rot90(pixels, facts.quarter_turns)
        rgb, alpha = pixels[..., :3], pixels[..., 3] if facts.alpha else None
        if self.tone_map is not None:
            rgb, alpha = self.tone_map(rgb), None if alpha is None else (alpha >> 8).astype(np.uint8)
        return np.ascontiguousarray(rgb), None if alpha is None else np.ascontiguousarray(alpha)

    def _swscale_name(self, colors: Colors) -> int:
        """What libswscale calls the matrix of these colours, guessed where they do not say."""
        guessed = 1 if self.facts.height >= _HD_HEIGHT else 6
        if colors.transfer in HDR_TRANSFERS:
            guessed = 9
        return _SWSCALE.get(guessed if colors.matrix == _UNSPECIFIED else colors.matrix, 5)

    def _note_interlaced(self) -> None:
        note = "interlaced: each two fields became one picture (bwdif), at the time of the first"
        if note not in self.notes:
            self.notes.append(note)

    def _last_duration(self, last: int) -> int:
        """How long the last frame shows, in units of the time base: to the end the file announces, if that is near."""
        usual = self.facts.usual_duration
        left = self._announced_end() - last
        return left if 0 < left <= _PLAUSIBLE_FRAMES * usual else usual

    def _announced_end(self) -> int:
        return ((self.stream.start_time or 0) + self.stream.duration) if self.stream.duration else 0

    def _look_for_a_missing_end(self, last: int | None) -> None:
        if last is None:
            return
        missing = float((self._announced_end() - last) * self.facts.time_base)
        if missing > max(0.1, _PLAUSIBLE_FRAMES / float(self.facts.fps)):
            self.losses.missing_seconds = missing


def _main_video(container: Any, file: Path) -> Any:
    pictures = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not pictures:
        kind = "only sound" if container.streams.audio else "no video stream"
        raise Photo2AnimeError(f"{file} has {kind}, no moving picture; give a video")
    best = container.streams.best("video")
    stream = best if best in pictures else pictures[0]
    if stream.codec_context is None:
        raise Photo2AnimeError(f"{file}: its video codec is not known here; convert it to H.264 first")
    if stream.time_base and stream.time_base > _LONGEST_UNIT_SECONDS:
        days = float(stream.time_base) / 86_400
        raise Photo2AnimeError(f"{file} says that each frame shows for {days:,.0f} days: it is damaged; copy it again")
    if stream.width * stream.height > MAX_MEGAPIXELS * 1e6:
        raise Photo2AnimeError(
            f"{file} is {stream.width}x{stream.height}, the limit is {MAX_MEGAPIXELS} megapixels; make it smaller"
        )
    return stream


def _display_matrix(frame: Any) -> tuple[int, ...] | None:
    data = frame.side_data.get(SideDataType.DISPLAYMATRIX)
    return None if data is None else struct.unpack("<9i", bytes(data)[:36])


def _colors(frame: Any) -> Colors:
    full = frame.format.name.startswith("yuvj")
    return Colors(
        range=2 if full else int(frame.color_range),
        matrix=int(frame.colorspace),
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
    )
