"""Every way a picture comes in, every way it goes out, and what is said of wrong ones."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from conftest import photo_of
from photo2anime.images import image_io
from photo2anime.images.image_io import WriteOptions, encode_image, read_image, write_image
from photo2anime.painting.compose import shrink
from photo2anime.types import MemoryRanOutError, Photo2AnimeError, Picture, TooLargeError

PHOTO = photo_of(40, 56)
ORIENTATION, GPS, MAKE = 0x0112, 0x8825, 0x010F


def saved(image: Image.Image, format: str, **arguments: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **arguments)
    return file.getvalue()


def exif_with(**tags: int | str) -> bytes:
    exif = Image.Exif()
    exif[MAKE] = "Camera"
    if "orientation" in tags:
        exif[ORIENTATION] = tags["orientation"]
    exif.get_ifd(GPS)[1] = "N"
    return exif.tobytes()


# Reading


def test_path_bytes_file_pil_and_array_are_the_same_picture(tmp_path: Path) -> None:
    data = saved(Image.fromarray(PHOTO), "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(data)
    for source in (path, str(path), data, io.BytesIO(data), Image.fromarray(PHOTO), PHOTO):
        assert np.array_equal(read_image(source).rgb, PHOTO)


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "GIF", "WEBP", "AVIF", "JPEG", "HEIF"])
def test_every_format_is_read(format: str) -> None:
    if format == "HEIF":
        from pillow_heif import register_heif_opener

        register_heif_opener()
    lossless = {"WEBP": {"lossless": True}}.get(format, {"quality": 95} if format in ("JPEG", "AVIF", "HEIF") else {})
    picture = read_image(saved(Image.fromarray(PHOTO), format, **lossless))
    assert picture.rgb.shape == PHOTO.shape and picture.rgb.dtype == np.uint8
    loss = {"JPEG": 12, "AVIF": 12, "HEIF": 12, "GIF": 12}.get(format, 0)  # coloured noise at 4:2:0
    assert np.abs(picture.rgb.astype(int) - PHOTO).mean() <= loss


def test_heic_needs_no_registration_by_the_user(tmp_path: Path) -> None:
    import subprocess
    import sys

    from pillow_heif import from_pillow

    file = tmp_path / "phone.heic"
    from_pillow(Image.fromarray(PHOTO)).save(file, quality=95)
    code = "from photo2anime.images.image_io import read_image;"
    code += f"assert read_image({str(file)!r}).rgb.shape == {PHOTO.shape}"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_and_reset(orientation: int) -> None:
    upright = PHOTO
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }[orientation]
    stored = Image.fromarray(np.ascontiguousarray(undo(upright)))
    picture = read_image(saved(stored, "PNG", exif=exif_with(orientation=orientation)))
    assert np.array_equal(picture.rgb, upright)
    kept = Image.Exif()
    kept.load(picture.exif)
    assert kept[MAKE] == "Camera" and ORIENTATION not in kept


@pytest.mark.parametrize("mode", ["L", "LA", "P", "PA", "RGBA", "1", "I;16", "F", "I"])
def test_grey_palette_alpha_and_deep_pictures(mode: str) -> None:
    grey = PHOTO[..., 0]
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    elif mode == "I":
        image = Image.fromarray(grey.astype(np.int32) * 257)
    elif mode == "F":
        image = Image.fromarray(grey.astype(np.float32) / 255)
    else:
        image = Image.fromarray(PHOTO).convert("RGBA" if mode == "PA" else "RGB").convert(mode)
    picture = read_image(image)
    assert picture.rgb.shape == PHOTO.shape and picture.rgb.dtype == np.uint8
    assert (picture.alpha is not None) == (mode in ("LA", "PA", "RGBA"))
    if mode in ("I;16", "F", "I"):
        assert np.array_equal(picture.rgb[..., 0], grey)


@pytest.mark.parametrize("channels", [0, 1, 3, 4])
def test_arrays_of_8_and_16_bit(channels: int) -> None:
    shape = (9, 7) if channels == 0 else (9, 7, channels)
    eight = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    low, high = read_image(eight), read_image(eight.astype(np.uint16) * 257)
    assert np.array_equal(low.rgb, high.rgb) and low.rgb.shape == (9, 7, 3)
    assert (low.alpha is not None) == (channels == 4)


def test_16_bit_colour_png_keeps_its_brightness() -> None:
    import cv2

    deep = PHOTO.astype(np.uint16) * 257
    data = cv2.imencode(".png", deep[..., ::-1])[1].tobytes()
    assert np.abs(read_image(data).rgb.astype(int) - PHOTO).max() <= 1


def test_cmyk_jpeg_is_not_inverted() -> None:
    smooth = np.full((32, 32, 3), (200, 120, 40), np.uint8)
    picture = read_image(saved(Image.fromarray(smooth).convert("CMYK"), "JPEG", quality=95))
    assert np.abs(picture.rgb.astype(int) - smooth).max() < 12


def test_palette_with_transparency_keeps_it() -> None:
    image = Image.fromarray(PHOTO).quantize(16)
    picture = read_image(saved(image, "PNG", transparency=0))
    assert picture.alpha is not None and set(np.unique(picture.alpha)) <= {0, 255}


def test_colours_are_converted_from_the_embedded_profile() -> None:
    lab = ImageCms.createProfile("LAB")
    in_lab = ImageCms.profileToProfile(Image.fromarray(PHOTO), ImageCms.createProfile("sRGB"), lab, outputMode="LAB")
    assert in_lab is not None
    data = saved(in_lab, "TIFF", icc_profile=ImageCms.ImageCmsProfile(lab).tobytes())
    assert np.abs(read_image(data).rgb.astype(int) - PHOTO).mean() <= 1  # 8-bit Lab is coarse


def test_a_damaged_profile_is_ignored() -> None:
    data = saved(Image.fromarray(PHOTO), "PNG", icc_profile=b"not a profile")
    assert np.array_equal(read_image(data).rgb, PHOTO)


def test_an_animated_file_says_how_many_frames_it_has() -> None:
    frames = [Image.fromarray(photo_of(20, 20, seed)) for seed in range(3)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert read_image(data).frames == 3


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.jpg", b"", "empty"),
        ("text.jpg", b"hello, I am not a picture", "not a picture"),
        ("cut.jpg", saved(Image.fromarray(photo_of(200, 300)), "JPEG")[:3000], "damaged or cut short"),
        ("cut.png", saved(Image.fromarray(photo_of(200, 300)), "PNG")[:3000], "damaged or cut short"),
        ("header.png", saved(Image.fromarray(PHOTO), "PNG")[:20], "damaged|not a picture"),
    ],
)
def test_wrong_files_are_named_for_what_they_are(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(Photo2AnimeError, match=said) as caught:
        read_image(file)
    assert "\n" not in str(caught.value)


def test_a_second_page_without_a_size_is_one_line() -> None:
    """Found by scripts/fuzz.py: Pillow raises TypeError there."""
    pages = [Image.fromarray(PHOTO), Image.fromarray(PHOTO)]
    data = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    at = data.rindex(b"\x00\x01\x04\x00\x01\x00\x00\x00")  # width, of the last page
    with pytest.raises(Photo2AnimeError, match="damaged or cut short"):
        read_image(data[:at] + b"\xfe\x00" + data[at + 2 :])


def test_missing_file_folder_and_forbidden_file(tmp_path: Path) -> None:
    with pytest.raises(Photo2AnimeError, match="no such file"):
        read_image(tmp_path / "nothing.jpg")
    with pytest.raises(Photo2AnimeError, match="is a folder"):
        read_image(tmp_path)
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"x")
    secret.chmod(0)
    if os.access(secret, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(Photo2AnimeError, match="permissions"):
        read_image(secret)


@pytest.mark.parametrize(
    "array", [np.zeros((0, 5, 3), np.uint8), np.zeros((5, 5, 2), np.uint8), np.zeros((5, 5), float)]
)
def test_wrong_arrays_are_refused(array: np.ndarray) -> None:
    with pytest.raises(Photo2AnimeError, match="array of shape"):
        read_image(array)


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    data = saved(Image.new("1", (30_000, 15_000)), "PNG")
    with pytest.raises(Photo2AnimeError, match="450 megapixels, the limit is 300"):
        read_image(data)
    with pytest.raises(Photo2AnimeError, match="limit is 0.001"):
        read_image(PHOTO_PNG, max_megapixels=0.001)


def test_a_large_photo_is_not_taken_for_a_bomb_and_pillows_limit_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert read_image(PHOTO_PNG).rgb.shape == PHOTO.shape
    assert Image.MAX_IMAGE_PIXELS == 100


PHOTO_PNG = saved(Image.fromarray(PHOTO), "PNG")


class OnlyRead:
    """A stream that can do one thing; takes_size: as sockets do, a few bytes at a time."""

    def __init__(self, data: bytes) -> None:
        self.file = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self.file.read(min(size, 7000))


class ReadsAll(OnlyRead):
    def read(self) -> bytes:  # type: ignore[override]
        return self.file.getvalue()


def test_streams_are_read_whole(tmp_path: Path) -> None:
    import subprocess
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from urllib.request import urlopen

    data = saved(Image.fromarray(photo_of(150, 200)), "PNG")
    for stream in (OnlyRead(data), ReadsAll(data)):
        assert np.array_equal(read_image(stream).rgb, photo_of(150, 200))  # type: ignore[arg-type]
    (tmp_path / "a.png").write_bytes(data)
    with subprocess.Popen(["cat", tmp_path / "a.png"], stdout=subprocess.PIPE) as cat:
        assert cat.stdout is not None and np.array_equal(read_image(cat.stdout).rgb, photo_of(150, 200))
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(f"cat {tmp_path}/a.png > {tmp_path}/pipe", shell=True):
        assert np.array_equal(read_image(tmp_path / "pipe").rgb, photo_of(150, 200))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.handle_request, daemon=True).start()
    with urlopen(f"http://127.0.0.1:{server.server_port}/a.png") as answer:
        assert np.array_equal(read_image(answer).rgb, photo_of(150, 200))
    server.server_close()


def test_streams_have_a_limit_and_are_binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_io, "MAX_STREAM_BYTES", 1 << 20)
    with open("/dev/zero", "rb", buffering=0) as endless, pytest.raises(TooLargeError, match="more than 1 MiB"):
        read_image(OnlyRead(endless.read(3 << 20)))  # type: ignore[arg-type]
    with pytest.raises(Photo2AnimeError, match="binary mode"):
        read_image(io.StringIO("text"))  # type: ignore[arg-type]
    with pytest.raises(Photo2AnimeError, match="is empty"):
        read_image(OnlyRead(b""))  # type: ignore[arg-type]


def test_memory_that_runs_out_while_decoding_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (MemoryError(), RuntimeError("Memory allocation error: security limit")):

        def fail(_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(image_io, "picture_of", fail)
        with pytest.raises(MemoryRanOutError, match="memory ran out; try --max-side"):
            read_image(PHOTO_PNG)


# Writing


def test_a_disk_that_takes_no_more_leaves_no_half_file(tmp_path: Path) -> None:
    import resource

    large = Picture(np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))  # a write past it fails in the middle
    try:
        with pytest.raises(Photo2AnimeError, match="too large for this disk"):
            write_image(tmp_path / "out.png", large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".jpg", ".webp", ".avif"])
def test_written_pictures_have_the_same_size_and_an_srgb_profile(tmp_path: Path, suffix: str) -> None:
    target = write_image(tmp_path / f"out{suffix}", Picture(PHOTO))
    with Image.open(target) as image:
        assert image.size == (56, 40)
        if suffix != ".bmp":
            profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
            assert "sRGB" in profile.profile.profile_description
        if suffix in (".png", ".bmp", ".tiff"):
            assert np.array_equal(np.asarray(image), PHOTO)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tiff", ".avif"])
def test_alpha_comes_back(tmp_path: Path, suffix: str) -> None:
    alpha = np.tile(np.linspace(0, 255, 56).astype(np.uint8), (40, 1))
    target = write_image(tmp_path / f"out{suffix}", Picture(PHOTO, alpha=alpha))
    restored = read_image(target).alpha
    assert restored is not None and np.abs(restored.astype(int) - alpha).max() <= (6 if suffix == ".avif" else 0)


def test_jpeg_puts_transparent_pictures_on_white(tmp_path: Path) -> None:
    target = write_image(
        tmp_path / "out.jpg", Picture(np.zeros((16, 16, 3), np.uint8), alpha=np.zeros((16, 16), np.uint8))
    )
    assert read_image(target).rgb.min() > 250


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_metadata_is_kept_or_stripped(tmp_path: Path, format: str) -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"></x:xmpmeta>'
    picture = Picture(PHOTO, exif=exif_with(), xmp=xmp, dpi=(300, 300), format=format)
    kept = encode_image(picture, WriteOptions(format))
    stripped = encode_image(picture, WriteOptions(format, strip_metadata=True))
    assert encode_image(picture, WriteOptions(format)) == kept  # byte for byte
    with Image.open(io.BytesIO(kept)) as image:
        assert image.getexif()[MAKE] == "Camera" and image.getexif().get_ifd(GPS)
    read = read_image(kept)
    assert read.xmp == xmp and read.exif is not None  # from every format, TIFF too
    again = Image.Exif()
    again.load(read.exif)
    assert again[MAKE] == "Camera" and again.get_ifd(GPS)[1] == "N"
    with Image.open(io.BytesIO(stripped)) as image:
        assert MAKE not in image.getexif() and not image.getexif().get_ifd(GPS)
        assert b"xmpmeta" not in stripped


def test_exif_too_long_for_jpeg_does_not_stop_the_picture(tmp_path: Path) -> None:
    picture = Picture(PHOTO, exif=b"Exif\0\0" + bytes(70_000), format="JPEG")
    assert write_image(tmp_path / "out.jpg", picture).exists()


def test_quality_changes_the_size(tmp_path: Path) -> None:
    sizes = [
        write_image(tmp_path / f"{q}.jpg", Picture(PHOTO), WriteOptions(quality=q)).stat().st_size for q in (30, 95)
    ]
    assert sizes[0] < sizes[1]


def test_the_source_is_never_overwritten_unless_asked(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    source.write_bytes(PHOTO_PNG)
    with pytest.raises(Photo2AnimeError, match="--overwrite"):
        write_image(source, Picture(255 - PHOTO), source=source)
    assert source.read_bytes() == PHOTO_PNG
    write_image(source, Picture(255 - PHOTO), WriteOptions(overwrite=True), source=source)
    assert np.array_equal(read_image(source).rgb, 255 - PHOTO)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_failed_write_leaves_the_old_file_and_no_rubbish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    target = tmp_path / "out.png"
    target.write_bytes(b"old")

    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Photo2AnimeError, match="disk is full|read-only|no permission"):
        write_image(target, Picture(PHOTO))
    assert target.read_bytes() == b"old" and os.listdir(tmp_path) == ["out.png"]


def test_unwritable_targets_are_named(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(Photo2AnimeError, match="is a folder"):
        write_image(tmp_path / "folder.png", Picture(PHOTO))
    with pytest.raises(Photo2AnimeError, match="a file stands where a folder is needed"):
        write_image(tmp_path / "file" / "out.png", Picture(PHOTO))
    with pytest.raises(Photo2AnimeError, match=r"cannot write \.xyz"):
        write_image(tmp_path / "out.xyz", Picture(PHOTO))


def test_shrink_keeps_proportions_and_small_pictures() -> None:
    picture = Picture(photo_of(300, 500), alpha=np.zeros((300, 500), np.uint8))
    small = shrink(picture, 100)
    assert small.rgb.shape == (60, 100, 3) and small.alpha is not None and small.alpha.shape == (60, 100)
    assert shrink(picture, 500) is picture


def test_text_chunks_with_xmp_in_png_are_found() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", "<x/>")
    assert read_image(saved(Image.fromarray(PHOTO), "PNG", pnginfo=info)).xmp == b"<x/>"


def test_transparency_of_16_bit_grey_is_read() -> None:
    deep = np.array([[0, 257, 65535], [300, 40000, 257]], np.uint16)
    picture = read_image(saved(Image.fromarray(deep), "PNG", transparency=257))
    assert picture.alpha is not None and picture.alpha.tolist() == [[255, 0, 255], [255, 255, 0]]
    assert picture.rgb[..., 0].tolist() == [[0, 1, 255], [1, 156, 1]]


@pytest.mark.parametrize(("format", "side"), [("WEBP", 16_384), ("JPEG", 65_501), ("AVIF", 65_536)])
def test_pictures_too_large_for_a_format_are_refused(format: str, side: int) -> None:
    with pytest.raises(Photo2AnimeError, match="too large for"):
        encode_image(Picture(np.zeros((1, side, 3), np.uint8)), WriteOptions(format))


def test_objects_that_are_no_pictures_and_files_left_open() -> None:
    with pytest.raises(Photo2AnimeError, match="a list is not a picture"):
        read_image([1, 2])  # type: ignore[arg-type]
    file = io.BytesIO(PHOTO_PNG)
    read_image(file)
    assert not file.closed
    assert np.array_equal(read_image(memoryview(PHOTO_PNG)).rgb, PHOTO)
    with pytest.raises(Photo2AnimeError, match="damaged or cut short"):
        read_image(Image.open(io.BytesIO(PHOTO_PNG[: len(PHOTO_PNG) // 2])))


@pytest.mark.skipif(sys.platform == "win32", reason="open files are not deleted there")
def test_what_killed_writers_left_is_taken_away_and_what_others_write_is_not(tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib; from photo2anime.images.temporary import open_temporary;"
        "file = open_temporary(pathlib.Path(sys.argv[1])); print(file.name, flush=True); time.sleep(60)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) for _ in range(2)]
    killed, alive = (Path(writer.stdout.readline().decode().strip()) for writer in writers if writer.stdout)
    writers[0].kill()
    writers[0].communicate()
    assert killed.exists() and alive.exists()
    write_image(tmp_path / "out.png", Picture(PHOTO))
    assert not killed.exists() and alive.exists()
    writers[1].kill()
    writers[1].communicate()
