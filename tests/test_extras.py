"""JPEG XL and RAW photos, which come with extras: what they hold, what is said without, what is refused."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from conftest import EXAMPLES, photo_of
from photo2anime.cli import main
from photo2anime.images import jxl, raw
from photo2anime.images.image_io import WriteOptions, encode_image, read_image, write_image
from photo2anime.types import NotAPictureError, Photo2AnimeError, Picture, TooLargeError
from photo2anime.web.server.file_types import HEAD_BYTES, extension_of, is_picture
from photo2anime.web.server.paint_service import PaintService
from raw_photos import dng

PHOTO = photo_of(40, 56)
MAKE, ORIENTATION, GPS = 0x010F, 0x0112, 0x8825
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"></x:xmpmeta>'
needs_jxl = pytest.mark.skipif(jxl.lacking() is not None, reason="extra jxl is not installed")
needs_raw = pytest.mark.skipif(raw.lacking() is not None, reason="extra raw is not installed")


def exif(**tags: int) -> bytes:
    made = Image.Exif()
    made[MAKE] = "Camera"
    made.update({ORIENTATION: tags["orientation"]} if tags else {})
    made.get_ifd(GPS)[1] = "N"
    return made.tobytes()


def make_of(picture: Picture) -> str:
    read = Image.Exif()
    read.load(picture.exif or b"")
    return str(read[MAKE])


def written(image: Image.Image, **arguments: object) -> bytes:
    jxl.prepare_to_write()
    file = io.BytesIO()
    image.save(file, "JXL", **arguments)
    return file.getvalue()


# JPEG XL


@needs_jxl
@pytest.mark.parametrize("quality", [100, None, 30])
def test_jpeg_xl_comes_back_as_it_was_written(tmp_path: Path, quality: int | None) -> None:
    file = write_image(tmp_path / "a.jxl", Picture(PHOTO, exif=exif(), xmp=XMP), WriteOptions(quality=quality))
    read = read_image(file)
    assert read.format == "JXL" and read.xmp == XMP and make_of(read) == "Camera"
    loss = np.abs(read.rgb.astype(int) - PHOTO).mean()
    assert loss < {100: 1, None: 9, 30: 15}[quality]
    stripped = encode_image(Picture(PHOTO, exif=exif(), xmp=XMP), WriteOptions("JXL", strip_metadata=True))
    assert read_image(stripped).exif is None and b"xmpmeta" not in stripped
    assert is_picture(extension_of(file.read_bytes()[:HEAD_BYTES]))


@needs_jxl
@pytest.mark.parametrize("mode", ["L", "LA", "RGBA"])
def test_grey_and_transparency_of_jpeg_xl(mode: str) -> None:
    image = Image.fromarray(PHOTO).convert(mode)
    if "A" in mode:
        image.putalpha(Image.fromarray(PHOTO[..., 0]))
    read = read_image(written(image, lossless=True))
    assert np.array_equal(read.rgb, np.asarray(image.convert("RGB")))
    assert (read.alpha is None) if mode == "L" else np.array_equal(read.alpha, PHOTO[..., 0])


@needs_jxl
def test_exif_of_jpeg_xl_turns_nothing_and_may_be_compressed() -> None:
    image = Image.fromarray(PHOTO)
    for arguments in ({}, {"compress_metadata": True}):
        read = read_image(written(image, exif=bytes(4) + exif(orientation=6)[6:], xmp=XMP, **arguments))
        assert read.rgb.shape == PHOTO.shape and make_of(read) == "Camera" and read.xmp == XMP


@needs_jxl
def test_metadata_that_unpacks_without_end_is_left_out() -> None:
    bomb = written(Image.fromarray(PHOTO), exif=exif()[6:] + bytes(40 << 20), xmp=XMP, compress_metadata=True)
    read = read_image(bomb)
    assert len(bomb) < 20_000 and read.exif is None and read.xmp == XMP


@needs_jxl
@pytest.mark.parametrize("size", [(1, 1), (8, 8), (16, 256), (40, 56), (600, 800), (1000, 1500), (300, 1), (5, 3000)])
def test_the_size_of_jpeg_xl_is_known_before_it_is_decoded(size: tuple[int, int]) -> None:
    data = written(Image.new("RGB", size[::-1]))
    seen = []

    def stop(width: int, height: int) -> None:
        seen.append((height, width))
        raise TooLargeError("enough")

    with pytest.raises(TooLargeError):
        jxl.open_jxl(io.BytesIO(data), stop)
    assert seen == [size]
    boxed = written(Image.new("RGB", size[::-1]), use_container=True, exif=exif())
    with pytest.raises(TooLargeError):
        jxl.open_jxl(io.BytesIO(boxed), stop)
    assert seen == [size, size]


@needs_jxl
def test_large_damaged_and_lying_jpeg_xl() -> None:
    data = written(Image.fromarray(PHOTO))
    with pytest.raises(TooLargeError, match="megapixels"):
        read_image(data, max_megapixels=0.001)
    giant = b"\xff\x0a" + (0 | 3 << 1 | ((1 << 30) - 1) << 3 | 1 << 33).to_bytes(8, "little")
    with pytest.raises(TooLargeError, match="megapixels"):
        read_image(giant)
    for cut in (2, 3, 12, len(data) // 2, len(data) - 2):
        with pytest.raises(Photo2AnimeError, match="damaged"):
            read_image(data[:cut])


@needs_jxl
def test_a_profile_in_jpeg_xl_is_obeyed_and_a_jpeg_in_it_is_read(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    jpeg = tmp_path / "a.jpg"
    Image.fromarray(PHOTO).save(jpeg, quality=95, exif=exif(orientation=6), icc_profile=profile)
    with Image.open(jpeg) as image:
        data = written(image, lossless_jpeg=True)
    assert data.count(b"jbrd") == 1
    read, plain = read_image(data), read_image(jpeg)
    assert np.array_equal(read.rgb, plain.rgb) and read.rgb.shape == (56, 40, 3) and make_of(read) == "Camera"


# RAW


@needs_raw
@pytest.mark.parametrize("orientation", [1, 6, 3])
def test_a_raw_photo_is_developed_upright_in_the_cameras_white_balance(orientation: int) -> None:
    halves = np.full((64, 96, 3), (220, 120, 60), np.uint8)
    halves[:, 48:] = 128
    read = read_image(dng(halves, orientation=orientation))
    upright = np.rot90(read.rgb, {1: 0, 6: 1, 3: 2}[orientation])
    assert upright.shape == (64, 96, 3) and read.format == "RAW" and make_of(read) == "Camera"
    grey, orange = upright[20, 80].astype(int), upright[20, 20].astype(int)
    assert np.ptp(grey) <= 3 and orange[0] > orange[1] + 40 and orange[1] > orange[2] + 30


@needs_raw
def test_a_raw_photo_is_developed_at_half_its_size_where_that_is_enough() -> None:
    data = dng(photo_of(64, 96))
    assert [read_image(data, enough_px=px).rgb.shape[1] for px in (None, 96, 49, 48, 20)] == [96, 96, 96, 48, 48]
    assert max(read_image(data, enough_px=48).rgb.shape) == 48


@needs_raw
def test_what_describes_the_sensor_is_not_carried() -> None:
    read = Image.Exif()
    read.load(read_image(dng(photo_of(64, 96))).exif or b"")
    assert {271, 272} <= set(read) <= {271, 272, 34665, 34853}


@needs_raw
def test_large_damaged_and_unknown_raw_photos() -> None:
    data = dng(photo_of(64, 96))
    with pytest.raises(TooLargeError, match="megapixels"):
        read_image(data, max_megapixels=0.001)
    with pytest.raises(NotAPictureError, match="convert it to DNG"):
        read_image(raw.STARTS[0] + bytes(2000))
    with pytest.raises(NotAPictureError, match="convert it to DNG"):
        read_image(b"\0\0\0\x18ftypcrx " + bytes(2000))
    lying = data.replace(struct.pack("<HHII", 257, 4, 1, 64), struct.pack("<HHII", 257, 4, 1, 60_000))
    with pytest.raises(TooLargeError):
        read_image(lying, max_megapixels=1)


def test_tiffs_are_no_raw_photos() -> None:
    for mode in ("RGB", "L", "CMYK"):
        file = io.BytesIO()
        Image.fromarray(PHOTO).convert(mode).save(file, "TIFF")
        file.seek(0)
        assert not raw.is_raw(file) and file.tell() == 0
    for data in (b"", b"II*\0", b"II*\0\x08\0\0\0\xff\xff", b"MM\0*" + b"\xff" * 100):
        assert not raw.is_raw(io.BytesIO(data))


def test_raw_photos_are_known_by_their_bytes() -> None:
    for start in (*raw.STARTS, b"II*\0\x10\0\0\0CR\x02\0", b"\0\0\0\x18ftypcrx ", dng(photo_of(8, 8))):
        assert raw.is_raw(io.BytesIO(start + bytes(100)))


@needs_raw
def test_the_server_takes_raw_photos() -> None:
    assert PaintService().read(dng(photo_of(64, 96))).format == "RAW"
    assert all(is_picture(extension_of(start + bytes(100))) for start in raw.STARTS)


# In a folder, and without the extras


@needs_raw
@needs_jxl
def test_a_folder_of_them_is_painted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.dng").write_bytes(dng(photo_of(64, 96)))
    Image.fromarray(PHOTO).save(tmp_path / "a.jpg")
    (tmp_path / "b.JXL").write_bytes(written(Image.fromarray(PHOTO)))
    assert main(["paint", str(tmp_path), "-s", "cel", "--faces", "off"]) == 0
    made = {name for name in os.listdir(tmp_path) if "cel" in name}
    assert made == {"a-cel.jpg", "a-dng-cel.jpg", "b-cel.JXL"} or made == {"a-cel.jpg", "a-jpg-cel.jpg", "b-cel.JXL"}
    capsys.readouterr()
    assert main(["paint", str(tmp_path), "-s", "cel", "-n"]) == 0
    assert "left alone: 3 results of earlier runs" in capsys.readouterr().err


def test_without_the_extras_one_line_says_which(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = ("pillow_jxl", "rawpy")
    monkeypatch.setattr("photo2anime.extras.find_spec", lambda name: None if name in absent else object())
    for name, data in (("a.cr2", dng(PHOTO)), ("a.jxl", b"\xff\x0a" + bytes(50))):
        (tmp_path / name).write_bytes(data)
    Image.fromarray(PHOTO).save(tmp_path / "b.png")
    assert main(["paint", str(tmp_path / "a.cr2"), str(tmp_path / "a.jxl")]) == 1
    told = capsys.readouterr().err
    assert "reading RAW photos needs rawpy: pip install 'photo2anime[raw]'" in told
    assert "reading JPEG XL needs pillow_jxl: pip install 'photo2anime[jxl]'" in told
    assert main(["paint", str(tmp_path), "-n"]) == 0
    told = capsys.readouterr().err
    assert told.count("photo2anime[raw]") == 1 and "left alone: 1 files (reading RAW photos needs rawpy" in told
    for wanted in (["-f", "jxl"], ["-o", str(tmp_path / "x.jxl")]):
        assert main(["paint", str(EXAMPLES / "astronaut.jpg"), *wanted]) == 2
        assert "writing JPEG XL needs pillow_jxl: pip install 'photo2anime[jxl]'" in capsys.readouterr().err
