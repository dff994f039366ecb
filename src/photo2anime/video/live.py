"""`photo2anime live`: paints a camera's frames in a window."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from photo2anime.images.image_io import write_image
from photo2anime.options import LiveOptions
from photo2anime.painting import compose
from photo2anime.types import RGB, Photo2AnimeError, Picture
from photo2anime.video.face_tracking import FramePainter
from photo2anime.video.source import VideoSource
from photo2anime.video.steady import Steady


def live(options: LiveOptions) -> int:
    """Paints options.source until its end, options.frames, Ctrl-C or the window is closed; prints how fast it was."""
    stylizer = options.load.for_video().stylizer(options.paint.style)
    paint, steady = FramePainter(stylizer, options.paint.look), Steady(options.steady)
    show = _save_to(Path(options.save_stills)) if options.save_stills else _window()
    painted, started = 0, time.perf_counter()
    try:
        for photo in newest_frames(options.source):
            frame = compose.shrink(Picture(photo), options.paint.max_side or max(photo.shape)).rgb
            if not show(steady(frame, paint(frame))):
                break
            painted += 1
            if painted == options.frames:
                break
    except KeyboardInterrupt:
        pass  # the usual way to end it
    seconds = time.perf_counter() - started
    print(f"{painted} frames in {seconds:.1f} s, {painted / seconds:.1f} frames a second on {stylizer.device}")
    return 0


def newest_frames(source: str) -> Iterator[RGB]:
    """Frames of a camera (by number) or a video file, (H, W, 3) uint8. What the camera sent meanwhile is skipped, so
    that the picture is never late; a file gives every frame. Raises Photo2AnimeError when there is no such camera.
    """
    if not source.isdigit():
        with VideoSource(Path(source)) as video:  # OpenCV would open addresses, playlists and numbered pictures
            yield from (frame.rgb for frame in video.frames())
        return
    import cv2

    capture = cv2.VideoCapture(int(source))
    if not capture.isOpened():
        raise Photo2AnimeError(f"{source} cannot be opened; give a camera's number, such as 0, or a video file")
    reader = _Newest(capture)
    try:
        while True:
            found, bgr = reader.read()
            if not found:
                return
            yield cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    finally:
        reader.stop()
        capture.release()


class _Newest:
    """Reads a camera all the time and hands out only the last frame."""

    def __init__(self, capture: Any) -> None:
        self.capture, self.frame, self.found = capture, None, True
        self.fresh, self.stopped = threading.Event(), False
        self.thread = threading.Thread(target=self._work, daemon=True, name="camera")
        self.thread.start()

    def _work(self) -> None:
        while self.found and not self.stopped:
            self.found, self.frame = self.capture.read()
            self.fresh.set()

    def read(self) -> tuple[bool, Any]:
        """As cv2.VideoCapture.read; waits for a frame that was not handed out yet."""
        self.fresh.wait()
        self.fresh.clear()
        return self.found, self.frame

    def stop(self) -> None:
        self.stopped = True
        self.thread.join()


def _save_to(folder: Path) -> Callable[[RGB], bool]:
    count = 0

    def save(anime: RGB) -> bool:
        nonlocal count
        write_image(folder / f"{count:06}.jpg", Picture(anime))
        count += 1
        return True

    return save


def _window() -> Callable[[RGB], bool]:
    """Shows pictures in a window of the standard library; False once it was closed."""
    try:
        import tkinter

        from PIL import Image, ImageTk

        root = tkinter.Tk(className="photo2anime")
    except (ImportError, RuntimeError) as error:
        raise Photo2AnimeError(f"no window can be opened here ({error}); use --save-stills DIR") from error
    except tkinter.TclError as error:
        raise Photo2AnimeError(f"no window can be opened here ({error}); use --save-stills DIR") from error
    label = tkinter.Label(root)
    label.pack()
    closed = False

    def close() -> None:
        nonlocal closed
        closed = True

    root.protocol("WM_DELETE_WINDOW", close)

    def show(anime: RGB) -> bool:
        picture = ImageTk.PhotoImage(Image.fromarray(anime))
        label.configure(image=picture)
        label.image = picture  # type: ignore[attr-defined]  # Tk itself keeps no reference
        root.update()
        return not closed

    return show
