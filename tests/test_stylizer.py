"""The one call: nothing changes by itself, tiles meet, every shipped style is seamless."""

from __future__ import annotations

import io
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from conftest import EXAMPLES, photo_of
from photo2anime import Photo2AnimeError, Stylizer, list_styles
from photo2anime.images.image_io import read_image
from photo2anime.inference.tiling import smallest_side
from photo2anime.inference.weights import local_file
from photo2anime.options import LoadOptions
from photo2anime.types import Batch, Look, Picture, StyleCard

ODD_SIZES = [(1, 1), (1, 300), (2, 3), (7, 9), (40, 56), (233, 377)]


@pytest.mark.parametrize(("height", "width"), ODD_SIZES)
@pytest.mark.parametrize("tile_px", [None, 96, 200])
def test_an_identity_network_gives_the_photo_back(
    identity: Stylizer, height: int, width: int, tile_px: int | None
) -> None:
    photo = photo_of(height, width)
    assert np.array_equal(Stylizer(identity.network, identity.card, tile_px=tile_px)(photo), photo)


@pytest.mark.parametrize(("height", "width"), [(50, 60), (128, 128), (301, 157)])
def test_a_fixed_size_network_is_fed_its_size(height: int, width: int) -> None:
    def fixed(batch: Batch) -> Batch:
        assert batch.shape == (1, 3, 128, 96)
        return batch

    card = StyleCard(name="fixed", file="", multiple_of=1, fixed_size=(128, 96), halo=20, tiling="approximate")
    photo = photo_of(height, width)
    assert np.array_equal(Stylizer(fixed, card)(photo), photo)


@pytest.mark.parametrize("style", list_styles())
def test_tiled_equals_whole_within_a_level(style: str) -> None:
    stylizer = Stylizer.load(style)
    assert stylizer.card.tiling == "exact"
    for height, width in [*ODD_SIZES, (611, 803)]:
        photo = photo_of(height, width)
        whole = Stylizer(stylizer.network, stylizer.card, tile_px=4096)(photo).astype(int)
        for tile_px in (smallest_side(stylizer.card), smallest_side(stylizer.card) + 88):
            tiled = Stylizer(stylizer.network, stylizer.card, tile_px=tile_px)(photo)
            assert tiled.shape == photo.shape
            assert np.abs(tiled - whole).max() <= 1, (height, width, tile_px)


@pytest.mark.parametrize("style", list_styles())
def test_every_style_changes_the_picture_without_losing_it(style: str) -> None:
    photo = read_image(EXAMPLES / "astronaut.jpg").rgb
    anime = Stylizer.load(style)(photo)
    assert 5 < np.abs(anime.astype(int) - photo).mean() < 50
    a, b = (np.asarray(Image.fromarray(p).convert("L").resize((32, 32)), float).ravel() for p in (photo, anime))
    assert np.corrcoef(a, b)[0, 1] > 0.9


@pytest.mark.parametrize("style", [card.name for card in list_styles().values() if card.int8_file])
def test_an_8_bit_network_paints_the_same_picture(style: str) -> None:
    photo = read_image(EXAMPLES / "china.jpg").rgb
    whole, small = (Stylizer.load(style, precision=precision) for precision in ("float32", "int8"))  # type: ignore[arg-type]
    difference = whole.paint(photo).astype(float) - small.paint(photo)
    assert 10 * np.log10(255**2 / np.mean(difference**2)) > 40
    assert whole.card.sha256 != small.card.sha256


def test_video_is_painted_by_the_fast_network_of_a_style(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    for features in (frozenset({"avx2"}), frozenset[str]()):
        monkeypatch.setattr("photo2anime.inference.runtime.cpu_features", lambda features=features: features)
        taken.append(LoadOptions("cpu").for_video().stylizer("hayao").card.file)
    assert taken == ["cel-fast.onnx", "cel.onnx"]
    assert LoadOptions("cpu", precision="int8").for_video().precision == "int8"  # who asks gets it
    assert Stylizer.load("hayao-v2", precision="fast").card.file == "hayao-v2-int8.onnx"  # none smaller there
    assert Stylizer.load("portrait-v2", precision="fast").card.file == "portrait.onnx"
    photo = np.asarray(Image.open(EXAMPLES / "coast.jpg").resize((640, 480)))
    whole, fast = (Stylizer.load("cel", precision=precision).paint(photo) for precision in ("float32", "fast"))  # type: ignore[arg-type]
    assert np.abs(whole.astype(int) - fast).mean() < 6  # the same picture, in other strokes


def test_precision_is_chosen_by_the_processor_and_by_the_style(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    for features in ({"avx2", "sse4_1"}, {"sse4_1"}):
        monkeypatch.setattr("photo2anime.inference.runtime.cpu_features", lambda features=features: frozenset(features))
        taken.append(Stylizer.load("hayao", device="cpu", precision="auto").card.file)
    assert taken == ["cel-int8.onnx", "cel.onnx"]
    assert Stylizer.load("portrait-v2", precision="auto").card.file == "portrait.onnx"
    with pytest.raises(Photo2AnimeError, match="no 8-bit network"):
        Stylizer.load("portrait-v2", precision="int8")
    with pytest.raises(Photo2AnimeError, match="as it is"):
        Stylizer.load(local_file(list_styles()["hayao"]), precision="int8")


def test_styles_differ_from_each_other() -> None:
    photo = read_image(EXAMPLES / "china.jpg").rgb
    styles = [style for style in list_styles() if style != "portrait-v2"]  # without a face it is version 1
    results = [Stylizer.load(style)(photo).astype(int) for style in styles]
    for i, one in enumerate(results):
        for other in results[i + 1 :]:
            assert np.abs(one - other).mean() > 5


def test_feathered_tiles_of_an_approximate_style_have_no_step() -> None:
    def mean_shifted(batch: Batch) -> Batch:  # whole-picture statistics, as in AnimeGANv2
        return batch - batch.mean(dtype=np.float64).astype(np.float32) * 0.5

    card = StyleCard(name="global", file="", multiple_of=8, halo=48, tiling="approximate")
    ramp = np.tile(np.linspace(0, 255, 600).astype(np.uint8)[None, :, None], (100, 1, 3))
    painted = Stylizer(mean_shifted, card, tile_px=200)(ramp)
    assert np.abs(np.diff(painted[50, :, 0].astype(int))).max() <= 3


def test_every_tile_knows_the_mean_color_of_the_whole_photo() -> None:
    card = StyleCard(name="shifted", file="", multiple_of=4, halo=8, tiling="exact", mean_color=True)
    photo = photo_of(120, 140)
    photo[:, :70] //= 3
    shifted = Stylizer(lambda batch, mean: batch - mean[..., None, None], card, tile_px=64)
    expected = np.clip(photo - photo.mean((0, 1)) + 127.5, 0, 255)
    assert np.abs(shifted(photo) - expected).max() <= 1


def test_what_goes_in_comes_out(identity: Stylizer, tmp_path: Path) -> None:
    photo = photo_of(20, 30)
    with_alpha = np.dstack([photo, np.full((20, 30), 99, np.uint8)])
    file = tmp_path / "a.png"
    Image.fromarray(with_alpha).save(file)
    assert np.array_equal(identity(photo), photo)
    assert np.array_equal(identity(with_alpha), with_alpha)
    for source in (file, str(file), file.read_bytes(), io.BytesIO(file.read_bytes()), Image.open(file)):
        painted = identity(source)
        assert isinstance(painted, Image.Image) and np.array_equal(np.asarray(painted), with_alpha)
    picture = identity(Picture(photo, exif=b"kept"))
    assert isinstance(picture, Picture) and picture.exif == b"kept"


def test_the_image_keeps_what_the_camera_wrote(identity: Stylizer, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Model], exif[ExifTags.Base.Orientation] = "Camera", 6
    Image.fromarray(photo_of(20, 30)).save(tmp_path / "a.jpg", exif=exif)
    painted = identity(tmp_path / "a.jpg")
    assert painted.size == (20, 30)  # upright
    assert painted.getexif()[ExifTags.Base.Model] == "Camera"
    assert painted.getexif().get(ExifTags.Base.Orientation, 1) == 1


def test_a_style_can_be_sent_to_another_process() -> None:
    style, photo = Stylizer.load("paprika"), np.asarray(Image.open(EXAMPLES / "astronaut.jpg"))[:256, 96:352]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert np.array_equal(pool.submit(style, photo).result(60), style(photo))


def test_strength_and_keep_color() -> None:
    card = StyleCard(name="negative", file="", tiling="exact", halo=8)
    negative = Stylizer(lambda batch: -batch, card)
    photo = photo_of(16, 24)
    assert np.array_equal(negative(photo, strength=0), photo)
    assert np.array_equal(negative(photo, strength=1), 255 - photo)
    assert np.abs(negative(photo, strength=0.5).astype(int) - 127).max() <= 1
    red = np.full((8, 8, 3), (180, 60, 60), np.uint8)
    kept = negative(red, keep_color=True)[0, 0].astype(int)
    assert kept[0] > kept[1] + 60 and abs(kept[1] - kept[2]) < 5
    with pytest.raises(Photo2AnimeError, match="outside 0 to 1"):
        negative(photo, strength=1.5)


def test_large_photos_are_drawn_smaller_and_come_out_in_their_size() -> None:
    seen: list[tuple[int, ...]] = []

    def watched(batch: Batch) -> Batch:
        seen.append(batch.shape[2:])
        return batch

    card = StyleCard(name="watched", file="", max_side=300, multiple_of=1, tiling="exact", halo=0)
    stylizer = Stylizer(watched, card, tile_px=4096)
    photo = np.asarray(Image.fromarray(photo_of(60, 100)).resize((500, 301), Image.Resampling.BICUBIC))
    for drawn_px, size in ((None, (181, 300)), (250, (150, 250)), (0, (301, 500)), (500, (301, 500))):
        painted = stylizer.paint_picture(Picture(photo), Look(faces="off", drawn_px=drawn_px)).picture.rgb
        assert seen.pop() == size and painted.shape == photo.shape
        error = np.abs(painted.astype(int) - photo).mean()
        assert error == 0 if size == (301, 500) else 0 < error < 4
    assert np.array_equal(stylizer(photo[:150, :300]), photo[:150, :300])
    for strip, size in ((photo[:20], (20, 500)), (np.tile(photo, (1, 4, 1)), (150, 997))):
        assert stylizer.paint_picture(Picture(strip), Look(faces="off")).picture.rgb.shape == strip.shape
        assert seen[-1] == size


def test_unknown_styles_and_tiles_are_explained(tmp_path: Path) -> None:
    with pytest.raises(Photo2AnimeError, match="did you mean hayao"):
        Stylizer.load("hayoa")
    with pytest.raises(Photo2AnimeError, match="no such file"):
        Stylizer.load(tmp_path / "none.onnx")
    for tile_px in (0, 100):
        with pytest.raises(Photo2AnimeError, match="is too small for hayao; give at least"):
            Stylizer.load("hayao", tile_px=tile_px)
    with pytest.raises(Photo2AnimeError, match=r"nothing\.jpg: no such file"):
        Stylizer.load("Hayao")("nothing.jpg")


def test_calls_from_several_threads_agree() -> None:
    from concurrent.futures import ThreadPoolExecutor

    stylizer = Stylizer.load("hayao")
    photos = [photo_of(60, 80, seed) for seed in range(6)]
    with ThreadPoolExecutor(3) as pool:
        threaded = list(pool.map(stylizer, photos))
    assert all(np.array_equal(a, stylizer(p)) for a, p in zip(threaded, photos, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--drawn-px", "0"]], ids=["drawn smaller", "drawn whole"])
def test_a_50_megapixel_photo_needs_less_than_1200_mib(tmp_path: Path, options: list[str]) -> None:
    big = Image.open(EXAMPLES / "coast.jpg").resize((8660, 5774))
    big.save(tmp_path / "big.jpg", quality=90)
    command = [sys.executable, "-m", "photo2anime", "paint", str(tmp_path / "big.jpg"), "-o", str(tmp_path / "out.jpg")]
    command += options
    code = "import os, sys; _, status, use = os.wait4(os.spawnv(os.P_NOWAIT, sys.argv[1], sys.argv[1:]), 0); "
    code += "print(use.ru_maxrss); sys.exit(status)"
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)
    peak_mib = int(done.stdout.splitlines()[-1]) / (1024 if sys.platform != "darwin" else 1 << 20)
    assert peak_mib < 1.2 * 1024
    assert Image.open(tmp_path / "out.jpg").size == (8660, 5774)
