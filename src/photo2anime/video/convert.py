"""`photo2anime video`: one video in, one out; reading, painting and writing at the same time."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

from photo2anime import __version__
from photo2anime.images.image_io import WriteOptions, write_image
from photo2anime.images.temporary import open_temporary, put_in_place
from photo2anime.options import VideoOptions
from photo2anime.painting import compose
from photo2anime.painting.stylizer import Stylizer
from photo2anime.types import RGB, Photo2AnimeError, Picture
from photo2anime.video import animation
from photo2anime.video.encoder import Encoding, SegmentEncoder, plan_encoding, usual_codec
from photo2anime.video.face_tracking import FramePainter
from photo2anime.video.frames import Facts, Frame, in_yuv
from photo2anime.video.mux import Muxer
from photo2anime.video.output_file import choose_target, reporting_disk_errors, sync
from photo2anime.video.prefetch import prefetch
from photo2anime.video.segments import Segments, State
from photo2anime.video.source import VideoSource
from photo2anime.video.steady import Steady

_READ_AHEAD, _PAINT_AHEAD, _WRITE_BEHIND = 3, 1, 3  # frames waiting between the stages
Painted = Generator[tuple[Frame, RGB, State], None, None]  # frames, their paintings, what the painter remembers then
Stream = Generator[tuple[Frame, State], None, None]  # painted frames, each with all that is remembered after it
Source = VideoSource | animation.AnimationSource
Progress = Callable[[int, int | None], None]  # frames done, frames in all as far as is known


def video(options: VideoOptions) -> int:
    """Paints options.source and returns the exit code: 0 done, 1 done as far as the file could be read."""
    try:
        return _video(options)
    except MemoryError:
        why = f"{options.source}: memory ran out; try --max-side or --tile, or close other programs"
        return _failed(options, Photo2AnimeError(why))


def _video(options: VideoOptions) -> int:
    stylizer = options.load.for_video().stylizer(options.paint.style)
    started = time.perf_counter()
    if options.end is not None and options.end <= options.start:
        raise Photo2AnimeError(f"--end {options.end:g} is not after --start {options.start:g}")
    try:
        source = _open(Path(options.source), options)
    except Photo2AnimeError as error:
        return _failed(options, error)
    with source, closing(Run(options, source, stylizer)) as run:
        if options.preview:
            return run.preview()
        paint = run.to_animation if run.is_animation else run.to_video()
        try:
            with reporting_disk_errors(run.target):
                paint()
        except Photo2AnimeError as error:
            return _failed(options, error)
    run.tell(time.perf_counter() - started)
    return 1 if source.losses.told() else 0


class Run:
    """One video being painted. options: what was asked for. progress: called after each painted frame.

    Close it in the end: what is painted is then open to other runs, and gone where nothing is worth keeping.
    """

    def __init__(
        self, options: VideoOptions, source: Source, stylizer: Stylizer, progress: Progress = lambda done, total: None
    ) -> None:
        self.options, self.source, self.stylizer, self.progress = options, source, stylizer, progress
        self.target = choose_target(options, source.file, stylizer.card.name)
        self.is_animation = self.target.suffix.lower() in animation.FORMATS
        self.frame_painter = FramePainter(stylizer, options.paint.look)
        self.steady = Steady(options.steady)
        self.segments = Segments(self.target, self._settings())
        self.painted = 0
        self.notes: list[str] = []

    def close(self, *, keep: bool = True) -> None:
        """Releases this run's segments. keep: leave whole segments for --resume, and say where."""
        if keep and self.segments.count:
            where = f"{self.segments.frames} frames are kept in {self.segments.folder}"
            self.say(f"{where}; the same command with --resume goes on from there")
            self.segments.close()
        else:
            self.segments.remove()

    def to_video(self) -> Callable[[], None]:
        """A function that paints to a video file. Raises Photo2AnimeError at once for settings that do not fit."""
        options, source = self.options, self.source
        facts = in_yuv(source.facts)
        format, codec = usual_codec(self.target.suffix.lower(), facts.alpha)
        codec = options.codec or codec
        encoding = plan_encoding(
            facts, source.matrix, format, codec, options.crf, options.pix_fmt, 1 + options.paint.side_by_side
        )
        if facts.alpha and not encoding.alpha:
            self.say(f"transparency is lost: {codec} in {format} cannot hold it; -o NAME.webm or -o NAME.mov can")
        self._note_sizes(facts, encoding.height, encoding.width)
        muxer = Muxer(source, encoding, format, audio=not options.no_audio, say=self.say)
        muxer.check()
        self._say_notes()
        with reporting_disk_errors(self.target):
            self._go_on_from(self.segments.open(options.resume))
        if self.segments.frames:
            self.say(f"going on after {self.segments.frames} frames that are done")
        return lambda: self._paint_segments(encoding, muxer)

    def _paint_segments(self, encoding: Encoding, muxer: Muxer) -> None:
        """The result as a video file; segments that are done stay beside it until it is whole."""
        segments = self.segments
        self.painted = segments.frames
        frames = self._progress(self._stages(segments.frames), segments.frames)
        try:
            while batch := self._segment(frames, lambda: SegmentEncoder(encoding, global_header=True)):
                segments.add(*batch)
        finally:
            frames.close()
        if not segments.count:
            raise Photo2AnimeError(f"{self.source.file}: no frame between --start and --end could be decoded")
        whole = segments.folder / f"whole{self.target.suffix}"
        try:
            muxer.write(whole, segments.packets())
            sync(whole)
            self._refuse_existing()
            os.replace(whole, self.target)
        except BaseException:
            whole.unlink(missing_ok=True)
            raise
        segments.remove()

    def _segment(self, frames: Iterator[tuple[Frame, State]], begin: Callable[[], SegmentEncoder]) -> Any:
        """The next options.segment_frames frames as (packets, shift, state after them); None when there are no more."""
        encoder: SegmentEncoder | None = None
        last: State = {}
        for frame, state in islice(frames, self.options.segment_frames):
            encoder, last = encoder or begin(), state
            encoder.add(frame)
        return None if encoder is None else (*encoder.finish(), last)

    def to_animation(self) -> None:
        """The result as an animated picture, through a temporary file."""
        self._say_notes()
        format = animation.FORMATS[self.target.suffix.lower()]
        if format == "AVIF" and self.source.facts.plays:
            self.say("AVIF results are shown again and again; the source was not")
        file = open_temporary(self.target.parent)
        temporary = Path(file.name)
        painted = self._progress(self._stages(0), 0)
        frames = (frame for frame, _ in painted)
        try:
            count = animation.write_animation(temporary, format, frames, self.source.facts, self.options.quality)
            if count < self.painted:
                self.say(f"{self.painted - count} frames were shorter than the 20 ms a GIF can show and were left out")
            self._refuse_existing()
            put_in_place(file, self.target)
        finally:
            painted.close()
            file.close()
            temporary.unlink(missing_ok=True)

    def _stages(self, skip: int) -> Stream:
        """Painted frames, each with the state after it, from stages that each work ahead in a thread of their own."""
        painted = self._paint(prefetch(self.source.frames(skip), _READ_AHEAD))
        return prefetch(self._steadied(prefetch(painted, _PAINT_AHEAD)), _WRITE_BEHIND)

    def _paint(self, frames: Generator[Frame, None, None]) -> Painted:
        with closing(frames):
            for frame in frames:
                yield frame, self.frame_painter(frame.rgb), self.frame_painter.state

    def _steadied(self, painted: Painted) -> Stream:
        with closing(painted):
            for frame, anime, painter_state in painted:
                anime = self.steady(frame.rgb, anime)
                state = self.steady.state | painter_state
                if self.options.paint.side_by_side:
                    anime = compose.side_by_side(frame.rgb, anime)
                yield replace(frame, rgb=anime, alpha=self._alpha(frame)), state

    def _go_on_from(self, state: State) -> None:
        """Restores the state after the last finished frame, if there is one."""
        self.frame_painter.state = state
        self.steady.state = state if "anime" in state else {}

    def _alpha(self, frame: Frame) -> Any:
        if frame.alpha is None or not self.options.paint.side_by_side:
            return frame.alpha
        return compose.side_by_side(frame.alpha, frame.alpha)

    def preview(self) -> int:
        """One painted still for each second, as JPEG files in a folder beside the target."""
        self._say_notes()
        folder = self.target.with_name(f"{self.target.stem}-preview")
        last = -1
        for frame in prefetch(self.source.frames(), _READ_AHEAD):
            second = int(frame.pts * self.source.facts.time_base)
            if second == last:
                continue
            last = second
            self._go_on_from({})
            written = write_image(folder / f"{second:05}.jpg", Picture(self.frame_painter(frame.rgb)), WriteOptions())
            facts = {"second": second, "target": str(written)}
            print(json.dumps(facts) if self.options.json else written, flush=True)
        return 1 if self.source.losses.told() else 0

    def say(self, note: str) -> None:
        """A line on standard error, kept for --json."""
        self.notes.append(note)
        print(f"{self.source.file}: {note}", file=sys.stderr, flush=True)

    def _say_notes(self) -> None:
        """What reading did to the pictures, as far as it is known and was not said yet."""
        for note in self.source.notes:
            if note not in self.notes:
                self.say(note)

    def tell(self, seconds: float) -> None:
        """What was done, on standard output; what was lost, on standard error."""
        self._say_notes()
        for loss in self.source.losses.told():
            self.say(loss)
        facts = {"source": str(self.source.file), "target": str(self.target), "style": self.stylizer.card.name}
        fps = self.painted / max(seconds, 1e-9)
        if self.options.json:
            figures = {"frames": self.painted, "seconds": round(seconds, 3), "fps": round(fps, 2)}
            print(json.dumps(facts | figures | {"device": self.stylizer.device, "notes": self.notes}), flush=True)
        else:
            print(
                f"{self.target}  {self.painted} frames  {seconds:.1f} s, {fps:.1f} a second on {self.stylizer.device}"
            )

    def _progress(self, frames: Stream, done: int) -> Stream:
        """The same frames, counted; on a terminal with a bar that shows frames a second and the time left."""
        bar: Any = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            bar = tqdm(total=self.source.facts.frames, initial=done, unit="frame", smoothing=0.1)
        try:
            for frame in frames:
                self.painted += 1
                self.progress(self.painted, self.source.facts.frames)
                if bar is not None:
                    bar.update()
                yield frame
        finally:
            frames.close()
            if bar is not None:
                bar.close()

    def _settings(self) -> dict[str, object]:
        """All that has to be equal for segments of two runs to fit together."""
        options, stat = self.options, self.source.file.stat()
        given = {name: getattr(options, name) for name in ("codec", "crf", "pix_fmt", "start", "end", "steady")}
        given |= {"segment_frames": options.segment_frames, "free": options.load.free, **asdict(options.paint)}
        source = {"source": str(self.source.file.resolve()), "bytes": stat.st_size, "modified": stat.st_mtime_ns}
        card = self.stylizer.card
        return (
            source | given | {"style": card.sha256 or options.paint.style, "grade": card.grade, "version": __version__}
        )

    def _note_sizes(self, facts: Facts, height: int, width: int) -> None:
        if height != facts.height or width not in (facts.width, 2 * facts.width):
            self.say(
                f"made {width}x{height} from {facts.width}x{facts.height} by repeating the border: "
                "the codec needs even sizes"
            )

    def _refuse_existing(self) -> None:
        if self.target.exists() and not self.options.overwrite:
            raise Photo2AnimeError(f"{self.target} is there already; give another -o, or --overwrite")


def _failed(options: VideoOptions, error: Photo2AnimeError) -> int:
    """Reports a video that could not be painted; returns the exit code."""
    print(f"photo2anime: {error}", file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps({"source": options.source, "error": str(error)}), flush=True)
    return 1


def _open(file: Path, options: VideoOptions) -> Source:
    kind = animation.AnimationSource if file.is_file() and animation.is_animation(file) else VideoSource
    return kind(file, max_side=options.paint.max_side, start=options.start, end=options.end)
