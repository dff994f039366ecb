"""Faces: found wherever and however they are, painted upright, put back without a trace around them."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFilter

from conftest import EXAMPLES, photo_of
from photo2anime import Photo2AnimeError, Stylizer
from photo2anime.cli import main
from photo2anime.images.image_io import read_image
from photo2anime.inference.weights import BUNDLES
from photo2anime.painting import portraits, stylizer
from photo2anime.painting.faces import DETECTOR, _detect, find_faces, sharpness
from photo2anime.painting.portraits import paint_faces, square_of
from photo2anime.types import RGB, Face, FaceVersion, Look, PaintedFace, Painter, Picture, StyleCard

SCENE = StyleCard(name="scene", file="", multiple_of=8, halo=16, tiling="exact", bytes_per_px=100)


@pytest.fixture(scope="module")
def head() -> Image.Image:
    """A face 112 pixels high in a square of 240."""
    return Image.fromarray(read_image(EXAMPLES / "astronaut.jpg").rgb).crop((105, 0, 345, 240))


def scene_with(*pasted: tuple[Image.Image, int, int], size: tuple[int, int] = (640, 480)) -> RGB:
    """A grey-blue scene of (width, height) with each picture at (left, top)."""
    scene = Image.new("RGB", size, (90, 110, 130))
    for picture, left, top in pasted:
        scene.paste(picture, (left, top))
    return np.asarray(scene)


def painted_by(painter: Painter, *versions: FaceVersion) -> Stylizer:
    """A style that leaves the scene as it is, and faces to painter."""
    return Stylizer(lambda batch: batch, SCENE, face_painters=dict.fromkeys(versions or ("v1", "v2"), painter))


def unchanged(face: RGB) -> RGB:
    return face


def with_dark_spots(face: RGB) -> RGB:
    """A portrait that differs from the photo in lines and shapes, as drawn ones do."""
    return np.where(photo_of(*face.shape[:2]) < 100, 0, face).astype(np.uint8)


def centers(faces: list[Face]) -> list[tuple[int, int]]:
    return [(round((f.box[0] + f.box[2]) / 2), round((f.box[1] + f.box[3]) / 2)) for f in faces]


def test_the_decoder_agrees_with_opencv(head: Image.Image) -> None:
    photo = scene_with((head, 30, 50), (head.resize((100, 100)), 400, 300), size=(640, 640))
    reference = cv2.FaceDetectorYN.create(str(BUNDLES / DETECTOR), "", (640, 640), 0.6, 0.3)
    rows = reference.detect(np.ascontiguousarray(photo[..., ::-1]))[1]
    rows[:, 2:4] += rows[:, :2]
    ours = _detect(photo)
    ours = ours[ours[:, 14] >= 0.6]
    assert ours.shape == rows.shape == (2, 15)
    assert np.abs(ours - rows[np.argsort(-rows[:, 14])]).max() < 1e-2


def test_no_face_is_found_where_there_is_none() -> None:
    for name in ("china.jpg", "coast.jpg", "coffee.jpg", "rocket.jpg", "chelsea.jpg"):
        assert find_faces(read_image(EXAMPLES / name).rgb) == [], name
    for height, width in ((1, 1), (3, 700), (2000, 5)):
        assert find_faces(photo_of(height, width)) == []


@pytest.mark.parametrize("turns", range(4))
def test_a_face_is_found_however_it_is_turned(head: Image.Image, turns: int) -> None:
    photo = np.ascontiguousarray(np.rot90(scene_with((head, 60, 40)), turns))
    (face,) = find_faces(photo)
    assert 90 < face.side < 130
    assert abs((face.turn + 90 * turns + 180) % 360 - 180) < 8


def test_many_faces_are_found_in_a_large_photo(head: Image.Image) -> None:
    small = head.resize((120, 120), Image.Resampling.LANCZOS)
    places = [(left, top) for top in (100, 700, 1300) for left in range(50, 2400, 200)]
    found = find_faces(scene_with(*[(small, *place) for place in places], size=(2500, 1600)))
    assert len(found) == len(places)
    for left, top in places:
        assert min(np.hypot(x - left - 61, y - top - 54) for x, y in centers(found)) < 12


def test_a_face_that_fills_the_frame_is_one_face(head: Image.Image) -> None:
    tight = np.asarray(head.crop((60, 40, 180, 175)).resize((1200, 1350), Image.Resampling.BICUBIC))
    (face,) = find_faces(tight)
    assert face.side > 900
    changed = painted_by(with_dark_spots)(tight)
    assert changed.shape == tight.shape and np.abs(changed.astype(int) - tight).mean() > 5


def test_a_face_at_the_border_is_painted(head: Image.Image) -> None:
    for left, top in ((-75, 100), (475, 100), (200, -35)):
        photo = scene_with((head, left, top))
        painting = painted_by(with_dark_spots).paint_picture(Picture(photo))
        assert len(painting.faces) == 1 and painting.faces[0].version
        assert np.abs(painting.picture.rgb.astype(int) - photo).max() > 30


def test_small_faces_are_left_to_the_scene(head: Image.Image) -> None:
    for height_px in (14, 24):
        side = round(240 * height_px / 112)
        photo = scene_with((head.resize((side, side), Image.Resampling.LANCZOS), 100, 100))
        painting = painted_by(with_dark_spots).paint_picture(Picture(photo))
        assert [face.version for face in painting.faces] in ([], [None])
        assert np.array_equal(painting.picture.rgb, photo)


@pytest.mark.parametrize("turn", [0, 12, 35, 90, 145, 180, -90])
def test_the_portrait_network_sees_faces_upright_and_large(head: Image.Image, turn: int) -> None:
    seen: list[RGB] = []

    def remembering(face: RGB) -> RGB:
        seen.append(face)
        return face

    photo = scene_with((head, 200, 120))
    photo = np.asarray(Image.fromarray(photo).rotate(-turn, Image.Resampling.BICUBIC, fillcolor=(90, 110, 130)))
    painted = painted_by(remembering)(photo)
    (given,) = seen
    assert given.shape == (352, 352, 3)
    (face,) = find_faces(given)
    assert abs(face.turn) < 30 and 0.4 < face.side / 352 < 0.7
    assert np.abs(painted.astype(int) - photo).mean() < 0.5  # a painter that changes nothing changes next to nothing


def test_nothing_changes_outside_and_no_seam_shows(head: Image.Image) -> None:
    photo = scene_with((head, 200, 100))
    scene = np.clip(photo * 0.7 + np.array([40, 20, 60]), 0, 255).astype(np.uint8)  # a style with other colours
    found = [PaintedFace(face, "v1") for face in find_faces(photo)]
    for painter in (unchanged, with_dark_spots, lambda face: np.clip(face * 1.3, 0, 255).astype(np.uint8)):
        result = paint_faces(photo, scene, found, {"v1": painter}).astype(int)
        square = square_of(found[0].face)
        y, x = (np.arange(n, dtype=np.float32) for n in photo.shape[:2])
        distance = square.distance(y[:, None], x[None])
        assert np.array_equal(result[distance > 0.97], scene[distance > 0.97].astype(int))
        ring = (distance > 0.93) & (distance < 0.97)
        steps = [np.abs(np.diff(p.astype(int), axis=1))[ring[:, 1:]].mean() for p in (result, scene)]
        assert steps[0] - steps[1] < 1


def test_a_painted_face_takes_the_colours_of_the_scene(head: Image.Image) -> None:
    photo = scene_with((head, 200, 100))
    scene = np.clip(photo * 0.7 + np.array([40, 20, 60]), 0, 255).astype(np.uint8)
    found = [PaintedFace(face, "v2") for face in find_faces(photo)]
    result = paint_faces(photo, scene, found, {"v2": unchanged})
    left, top, right, bottom = (round(side) for side in found[0].face.box)
    inside = slice(top, bottom), slice(left, right)
    before, after = (np.abs(picture[inside].astype(int) - scene[inside]).mean() for picture in (photo, result))
    assert after < 0.5 * before


def test_neighbours_overlap_in_any_order(head: Image.Image) -> None:
    near = head.crop((40, 20, 200, 200))
    photo = scene_with((near, 150, 120), (near.resize((130, 146)), 265, 150), (near, 360, 110))
    found = [PaintedFace(face, "v1") for face in find_faces(photo)]
    assert len(found) == 3
    one, other = (
        paint_faces(photo, photo, order, {"v1": with_dark_spots}).astype(int) for order in (found, found[::-1])
    )
    assert np.abs(one - other).max() <= 2
    for face in found:  # the middle of each face is its own portrait, whatever the neighbours do
        alone = paint_faces(photo, photo, [face], {"v1": with_dark_spots}).astype(int)
        ((x, y),) = centers([face.face])
        assert np.abs(one - alone)[y - 15 : y + 15, x - 15 : x + 15].max() <= 8


def test_versions_suit_the_size_of_the_face(head: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = scene_with((head.resize((360, 360)), 20, 60), (head.resize((120, 120)), 440, 100))
    both = painted_by(unchanged)

    def versions(style: Stylizer, look: Look) -> list[str | None]:
        return [face.version for face in style.paint_picture(Picture(photo), look).faces]

    assert versions(both, Look()) == ["v1", "v2"]
    monkeypatch.setattr(portraits, "_STYLIZED_FACE_PX", 1000)
    assert versions(both, Look()) == ["v2", "v2"]
    assert versions(both, Look(faces="v1")) == ["v1", "v1"]
    assert versions(both, Look(faces="v2")) == ["v2", "v2"]
    assert versions(both, Look(faces="off")) == []
    assert versions(painted_by(unchanged, "v2"), Look()) == ["v2", "v2"]


def test_face_strength(head: Image.Image) -> None:
    photo = scene_with((head, 200, 100))
    style = painted_by(with_dark_spots)
    none, half, full = (style(photo, face_strength=share).astype(int) for share in (0, 0.5, 1))
    assert np.array_equal(none, photo)
    between = (full > 0) & (full < 255)  # elsewhere the full one was cut off
    assert np.abs(half - (none + full) / 2)[between].max() <= 1
    for look in ({"face_strength": 2.0}, {"face_strength": -0.1}):
        with pytest.raises(Photo2AnimeError, match="face strength .* is outside 0 to 1"):
            style(photo, **look)
    with pytest.raises(Photo2AnimeError, match="no choice of faces called some; use auto, off, v1, v2"):
        style(photo, faces="some")  # type: ignore[call-overload]


def test_without_portrait_styles_auto_looks_for_no_faces(head: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portraits, "find_faces", None)
    photo = scene_with((head, 200, 100))
    style = Stylizer(lambda batch: batch, SCENE, face_painters={})
    assert np.array_equal(style(photo), photo)
    assert np.array_equal(painted_by(unchanged)(photo, faces="off"), photo)
    with pytest.raises(Photo2AnimeError, match="need the style portrait-v1, which is not installed"):
        style(photo, faces="v1")


def test_a_blurred_face_is_painted_with_a_warning(head: Image.Image) -> None:
    sharp, blurred = scene_with((head, 200, 100)), scene_with((head.filter(ImageFilter.GaussianBlur(4)), 200, 100))
    assert sharpness(sharp, find_faces(sharp)[0]) > 3 * sharpness(blurred, find_faces(blurred)[0])
    style = painted_by(with_dark_spots)
    assert style.paint_picture(Picture(sharp)).warnings == ()
    painting = style.paint_picture(Picture(blurred))
    assert painting.faces[0].blurred and painting.faces[0].version == "v1"
    assert painting.warnings[0].startswith("the face is too blurred")
    assert np.abs(painting.picture.rgb.astype(int) - blurred).mean() > 1


def test_json_tells_of_faces(
    head: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stylizer, "_installed_portraits", lambda device, **_: {"v1": unchanged, "v2": unchanged})
    Image.fromarray(scene_with((head.filter(ImageFilter.GaussianBlur(4)), 200, 100))).save(tmp_path / "a.png")
    assert main(["paint", str(tmp_path / "a.png"), "--json", "--faces", "v1"]) == 0
    told = capsys.readouterr()
    (face,) = (facts := json.loads(told.out))["faces"]
    assert face["version"] == "v1" and face["blurred"] and len(face["box"]) == 4 and face["score"] > 0.6
    assert facts["warnings"][0] in told.err
    Image.fromarray(photo_of(40, 60)).save(tmp_path / "b.png")
    assert main(["paint", str(tmp_path / "b.png"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["faces"] == []


def test_a_portrait_style_paints_all_and_says_when_there_is_no_face(head: Image.Image) -> None:
    card = StyleCard(name="portrait-v2", file="", multiple_of=8, halo=16, tiling="exact", bytes_per_px=100)
    style = Stylizer(lambda batch: -batch, card, face_painters={"v1": unchanged, "v2": unchanged})
    photo = scene_with((head.resize((360, 360)), 20, 60))
    painting = style.paint_picture(Picture(photo))
    assert [face.version for face in painting.faces] == ["v2"] and painting.warnings == ()
    assert np.array_equal(
        painting.picture.rgb, photo
    )  # a face higher than a third: whole by its painter, here as it is
    small = scene_with((head.resize((180, 180)), 20, 60))
    assert np.array_equal(style.paint_picture(Picture(small)).picture.rgb[-20:], 255 - small[-20:])
    empty = style.paint_picture(Picture(photo_of(60, 80)))
    assert empty.warnings == ("no face was found; portrait-v2 paints the whole photo",)
    assert style.paint_picture(Picture(photo_of(60, 80)), Look(faces="off")).warnings == ()


def test_a_missing_version_is_told_before_anything_is_painted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stylizer, "_installed_portraits", lambda device, **_: {})
    Image.fromarray(photo_of(20, 30)).save(tmp_path / "a.png")
    assert main(["paint", str(tmp_path / "a.png"), "--faces", "v2"]) == 2
    assert "need the style portrait-v2" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [tmp_path / "a.png"]


def test_compare_lays_all_styles_on_one_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from photo2anime import list_styles

    photo = photo_of(96, 120)
    Image.fromarray(photo).save(tmp_path / "a.png")
    assert main(["paint", str(tmp_path / "a.png"), "--compare"]) == 0
    sheet = np.asarray(Image.open(tmp_path / "a-compare.png"))
    rows = -(-(len(list_styles()) + 1) // 3)
    assert sheet.shape == (rows * (96 + 16), 360, 3)
    assert np.array_equal(sheet[:96, :120], photo)
    assert np.array_equal(sheet[:96, 120:240], Stylizer.load("hayao", precision="auto")(photo))
    assert main(["paint", str(tmp_path), "-r", "-o", str(tmp_path / "out")]) == 0  # a sheet is no photo to paint
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["a-hayao.png"]
    capsys.readouterr()
    assert main(["paint", str(tmp_path / "a.png"), "--compare", "--side-by-side"]) == 2
    assert "leave --side-by-side out" in capsys.readouterr().err
