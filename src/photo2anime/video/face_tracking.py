"""Follows faces from frame to frame: detected every few frames, tracked between, faded in and out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photo2anime.painting import portraits
from photo2anime.painting.stylizer import Stylizer
from photo2anime.types import RGB, Face, FaceVersion, Look, PaintedFace

_LOOK_EVERY = 3  # frames; finding costs a fifth of painting a small frame
_LOOK_FOR_THE_FIRST_EVERY = 6  # frames, where no face is followed
_FADE_FRAMES = 6  # that a face takes to come or go
_MOST_MISSES = 2  # looks that may miss a face before it goes
_NEWEST = 0.6  # how much of a found place is believed at once
_STEADIEST = 0.25  # the same for a face that stands still: the detector's trembling is not motion
_MOVED = 0.04  # of a face's side; less is standing still
_SWITCH = 1.25  # a face changes its version only when it is so much past the threshold
_CUT_LEVELS = 28.0  # mean difference of small grey frames; more is another scene
_VERSIONS: tuple[FaceVersion, ...] = ("v1", "v2")


@dataclass(frozen=True, slots=True)
class Track:
    """A face that is followed. points: box corners and landmarks, (7, 2) pixels; motion: of them all a frame, (2,).

    weight: 0 not yet there, 1 painted in full. misses: looks since it was last found.
    """

    points: NDArray[np.float64]
    motion: NDArray[np.float64]
    version: FaceVersion
    score: float
    weight: float = 0.0
    misses: int = 0

    @property
    def side(self) -> float:
        return float((self.points[1] - self.points[0]).max())

    @property
    def middle(self) -> NDArray[np.float64]:
        middle: NDArray[np.float64] = (self.points[0] + self.points[1]) / 2
        return middle

    def painted(self) -> PaintedFace:
        box = (*map(float, self.points[0]), *map(float, self.points[1]))
        landmarks = tuple((float(x), float(y)) for x, y in self.points[2:])
        return PaintedFace(Face(box, landmarks, self.score), self.version, weight=self.weight)  # type: ignore[arg-type]


class FramePainter:
    """Paints frames that follow one another, faces and all. look: what the user wants.

    `state` is all that it remembers, as arrays; setting it goes on from there.
    """

    def __init__(self, stylizer: Stylizer, look: Look) -> None:
        portraits.check_choice(look.faces, stylizer.face_painters)
        self.stylizer, self.look = stylizer, look
        self.follows_faces = look.faces != "off" and bool(stylizer.face_painters) and look.face_strength > 0
        self.tracks: list[Track] = []
        self.thumb: NDArray[np.float32] | None = None
        self.frame = 0

    def __call__(self, photo: RGB) -> RGB:
        """The painting of one upright frame, (H, W, 3) uint8."""
        self.follow(photo)
        return self.stylizer.paint_found(photo, [track.painted() for track in self.tracks], self.look)

    def follow(self, photo: RGB) -> None:
        """Takes note of the faces of the next frame without painting it."""
        if self.follows_faces:
            self._follow(photo)

    @property
    def state(self) -> dict[str, NDArray[Any]]:
        """The state as arrays, to be stored with the segments."""
        if self.thumb is None:
            return {}
        rows = [
            np.concatenate([t.points.ravel(), t.motion, [_VERSIONS.index(t.version), t.score, t.weight, t.misses]])
            for t in self.tracks
        ]
        tracks = np.array(rows).reshape(len(rows), 20)
        return {"tracks": tracks, "thumb": self.thumb, "frame": np.array(self.frame)}

    @state.setter
    def state(self, saved: dict[str, NDArray[Any]]) -> None:
        self.thumb = saved.get("thumb")
        self.frame = int(saved.get("frame", 0))
        self.tracks = [
            Track(row[:14].reshape(7, 2), row[14:16], _VERSIONS[int(row[16])], row[17], row[18], int(row[19]))
            for row in saved.get("tracks", ())
        ]

    def _follow(self, photo: RGB) -> None:
        """Updates the tracks for this frame."""
        factor = max(1, max(photo.shape) // 64)
        thumb = np.asarray(Image.fromarray(photo).convert("L").reduce(factor), np.float32)
        cut = self.thumb is None or self.thumb.shape != thumb.shape or np.abs(self.thumb - thumb).mean() > _CUT_LEVELS
        self.thumb = thumb
        if cut:
            self.tracks, self.frame = [], 0
        self.tracks = [replace(t, points=t.points + t.motion) for t in self.tracks]
        if self.frame % (_LOOK_EVERY if self.tracks else _LOOK_FOR_THE_FIRST_EVERY) == 0:
            self._look_again(photo, fresh=cut)
        self.frame += 1
        step = 1 / _FADE_FRAMES
        faded = [
            replace(t, weight=min(1.0, t.weight + step) if t.misses <= _MOST_MISSES else t.weight - step)
            for t in self.tracks
        ]
        self.tracks = [t for t in faded if t.weight > 0]

    def _look_again(self, photo: RGB, *, fresh: bool) -> None:
        """Matches what is found now with what is followed. fresh: a new scene, whose faces are there at once."""
        found = portraits.find_sitters(
            photo, self.look.faces, self.stylizer.face_painters, own_style=self.stylizer.card.name
        )
        sitters = [sitter for sitter in found if sitter.version is not None]
        tracks = []
        for track in self.tracks:
            sitter = min(sitters, key=lambda s: _distance(track, s.face), default=None)
            if sitter is None or _distance(track, sitter.face) > 0.6 * track.side:
                tracks.append(replace(track, misses=track.misses + 1, motion=0.5 * track.motion))
                continue
            sitters.remove(sitter)
            tracks.append(self._moved(track, sitter))
        for sitter in sitters:
            assert sitter.version is not None
            weight = 1.0 if fresh else 0.0
            tracks.append(Track(_points(sitter.face), np.zeros(2), sitter.version, sitter.face.score, weight))
        self.tracks = tracks

    def _moved(self, track: Track, sitter: PaintedFace) -> Track:
        """The track at the place where its face was found again."""
        points = _points(sitter.face)
        off = points.mean(axis=0) - track.points.mean(axis=0)
        moves = float(np.hypot(*off)) > _MOVED * track.side
        trust = _NEWEST if moves else _STEADIEST
        version = track.version
        if self.look.faces == "auto" and sitter.version not in (None, version):
            grown = replace(sitter.face, box=_scaled(sitter.face.box, 1 / _SWITCH if version == "v2" else _SWITCH))
            if portraits.suited_version(grown) == sitter.version:
                version = sitter.version or version
        return Track(
            track.points + trust * (points - track.points),
            0.5 * track.motion + 0.5 * trust * off / _LOOK_EVERY if moves else np.zeros(2),
            version,
            sitter.face.score,
            track.weight,
        )


def _points(face: Face) -> NDArray[np.float64]:
    return np.array([face.box[:2], face.box[2:], *face.landmarks], np.float64)


def _distance(track: Track, face: Face) -> float:
    points = _points(face)
    return float(np.hypot(*(track.middle - (points[0] + points[1]) / 2)))


def _scaled(box: tuple[float, float, float, float], factor: float) -> tuple[float, float, float, float]:
    left, top, right, bottom = box
    return (left, top, left + factor * (right - left), top + factor * (bottom - top))
