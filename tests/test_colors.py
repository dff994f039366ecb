"""Colours without a profile, HDR, gain maps, deep and floating-point pictures, and what a picture carries."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import ExifTags, Image, PngImagePlugin
from pillow_heif import from_pillow

from conftest import photo_of
from photo2anime.cli import main
from photo2anime.images.color_codes import GAIN_MAP
from photo2anime.images.colors import ADOBE_RGB, HLG, PQ, ColorCode, from_float, to_srgb
from photo2anime.images.decode import DEEP
from photo2anime.images.image_io import WriteOptions, encode_image, left_out, read_image
from photo2anime.images.xmp import _SPACES
from photo2anime.types import NotAPictureError, Photo2AnimeError, Picture, TooLargeError

PHOTO = photo_of(40, 56)
COLORS = np.array([(195, 35, 35), (90, 160, 100), (70, 80, 190), (200, 200, 200), (90, 90, 90), (0, 0, 0)], np.uint8)
PATCHES = np.repeat(np.repeat(COLORS[None], 32, axis=0), 32, axis=1)  # (32, 192, 3)

# Written down from the standards once more, the other way round, with other formulas than colors.py has.
_TO_P3 = np.array([[0.8224622, 0.1775380, 0], [0.0331942, 0.9668058, 0], [0.0170608, 0.0723974, 0.9105418]])
_TO_2020 = np.array(
    [[0.6274039, 0.3292830, 0.0433131], [0.0690973, 0.9195404, 0.0113623], [0.0163914, 0.0880133, 0.8955953]]
)  # BT.2087


def linear(rgb: np.ndarray) -> np.ndarray:
    x = rgb.astype(float) / 255
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def srgb(light: np.ndarray) -> np.ndarray:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)


def pq(nits: np.ndarray) -> np.ndarray:
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 4096 * 128, 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    y = (np.maximum(nits, 0) / 10000) ** m1
    return ((c1 + c2 * y) / (1 + c3 * y)) ** m2


def hlg(nits: np.ndarray) -> np.ndarray:
    """Display light -> HLG: the inverse OOTF (gamma 1.2 at 1000 cd/m2), then the OETF of ARIB STD-B67."""
    light = np.maximum(nits, 0) / 1000
    luminance = np.maximum(light @ [0.2627, 0.6780, 0.0593], 1e-9)
    scene = light * luminance[..., None] ** ((1 - 1.2) / 1.2)
    a, b, c = 0.17883277, 1 - 4 * 0.17883277, 0.5 - 0.17883277 * np.log(4 * 0.17883277)
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)


def coded(rgb: np.ndarray, code: ColorCode) -> np.ndarray:
    """sRGB colours as code has them, 0 to 1; HDR puts white at 203 cd/m2."""
    matrix = {12: _TO_P3, 9: _TO_2020, 1: np.eye(3)}[code.primaries]
    light = linear(rgb) @ matrix.T
    if code.transfer == PQ:
        return pq(light * 203)
    return hlg(light * 203) if code.transfer == HLG else srgb(light)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(values: np.ndarray, code: ColorCode) -> bytes:
    """An 8-bit PNG with a cICP chunk."""
    file = io.BytesIO()
    Image.fromarray((values * 255 + 0.5).astype(np.uint8)).save(file, "PNG")
    data = file.getvalue()
    return data[:33] + chunk(b"cICP", bytes([code.primaries, code.transfer, 0, 1])) + data[33:]


def heic(values: np.ndarray, code: ColorCode, bits: int = 8) -> bytes:
    from pillow_heif import from_bytes

    height, width = values.shape[:2]
    mode, numbers = ("RGB", np.uint8) if bits == 8 else ("RGB;16", np.uint16)
    data = (values * np.iinfo(numbers).max + 0.5).astype(numbers).tobytes()
    file = io.BytesIO()
    colors = {"color_primaries": code.primaries, "transfer_characteristics": code.transfer}
    from_bytes(mode, (width, height), data).save(
        file, quality=-1, chroma=444, matrix_coefficients=1, full_range_flag=1, **colors
    )
    return file.getvalue()


def avif(values: np.ndarray, code: ColorCode) -> bytes:
    """Pillow writes sRGB's numbers; they are exchanged."""
    file = io.BytesIO()
    Image.fromarray((values * 255 + 0.5).astype(np.uint8)).save(file, "AVIF", quality=100, subsampling="4:4:4")
    data = file.getvalue()
    assert data.count(b"colrnclx\0\x01\0\x0d") == 1
    return data.replace(b"colrnclx\0\x01\0\x0d", b"colrnclx" + struct.pack(">HH", code.primaries, code.transfer))


WRITERS: dict[str, Callable[..., bytes]] = {"png": png, "heic": heic, "avif": avif}


@pytest.mark.parametrize("writer", WRITERS)
def test_display_p3_by_numbers_becomes_srgb(writer: str) -> None:
    code = ColorCode(12, 13)
    picture = read_image(WRITERS[writer](coded(PATCHES, code), code))
    middles = picture.rgb[16, 16::32].astype(int)
    assert np.abs(middles - COLORS).max() <= 3
    assert picture.notes == ("has no profile but is coded as Display-P3: converted to sRGB",)


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_hdr_by_numbers_is_tone_mapped(writer: str, transfer: int) -> None:
    """Colours of the SDR range keep their values; with highlights beside them they stay near."""
    code = ColorCode(9, transfer)
    picture = read_image(WRITERS[writer](coded(PATCHES, code), code))
    assert np.abs(picture.rgb[16, 16::32].astype(int) - COLORS).max() <= 10  # 8 bits of PQ are coarse
    name = "PQ" if transfer == PQ else "HLG"
    assert picture.notes == (f"is HDR ({name}, BT.2020): tone-mapped to sRGB with the curve of ITU-R BT.2390",)
    bright = np.concatenate([coded(PATCHES, code), np.full((32, 64, 3), 0.75 if transfer == PQ else 1.0)], axis=1)
    shown = read_image(WRITERS[writer](bright, code)).rgb[16, 16::32].astype(int)
    assert np.abs(shown[:3] - COLORS[:3]).max() <= 10 and shown[-1].min() >= 250
    assert COLORS[3, 0] - 12 <= shown[3, 0] <= COLORS[3, 0] < shown[-1, 0]  # room is made for the highlights


def test_all_bits_of_pq_are_used() -> None:
    import cv2

    code = ColorCode(9, PQ)
    values = coded(PATCHES, code)
    deep = cv2.imencode(".png", (values[..., ::-1] * 65535 + 0.5).astype(np.uint16))[1].tobytes()
    for data, worst in (
        (heic(values, code, bits=16), 3),  # ten bits
        (deep[:33] + chunk(b"cICP", bytes([9, PQ, 0, 1])) + deep[33:], 1),
    ):
        assert np.abs(read_image(data).rgb[16, 16::32].astype(int) - COLORS).max() <= worst


def test_tone_mapping_is_bt_2390() -> None:
    """One value worked out by hand: 300 cd/m2 under a peak of 1000, to a display of 203."""
    e, top = pq(np.array(300.0)) / pq(np.array(1000.0)), pq(np.array(203.0)) / pq(np.array(1000.0))
    knee = 1.5 * top - 0.5
    t = (e - knee) / (1 - knee)
    mapped = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * top
    levels = np.linspace(0, 400, 400_001)
    nits = levels[np.argmin(np.abs(pq(levels) - mapped * pq(np.array(1000.0))))]
    picture = np.full((40, 40, 3), pq(np.array(1000.0)))
    picture[:20] = pq(np.array(300.0))
    shown = to_srgb((picture * 65535 + 0.5).astype(np.uint16), ColorCode(1, PQ))
    assert abs(int(shown[5, 5, 0]) - srgb(np.array(nits / 203)) * 255) <= 1 and shown[30, 5, 0] == 255


def test_numbers_that_say_srgb_or_nothing_change_nothing() -> None:
    for code in ((1, 13), (1, 1), (2, 2), (1, 6), (99, 2)):
        assert ColorCode(*code).is_srgb
    data = png(PHOTO / 255, ColorCode(1, 13))
    assert np.array_equal(read_image(data).rgb, PHOTO) and read_image(data).notes == ()


def test_a_profile_beside_the_numbers_has_its_way_unless_they_say_hdr() -> None:
    from PIL import ImageCms

    image = Image.fromarray(PATCHES)
    image.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for transfer in (13, PQ):
        image.info["nclx_profile"] = {"color_primaries": 12, "transfer_characteristics": transfer}
        picture = read_image(image)
        assert bool(picture.notes) == (transfer == PQ) == (not np.array_equal(picture.rgb, PATCHES))
    code = ColorCode(12, 13)  # PNG's own rule: the chunk before the profile
    file = io.BytesIO()
    Image.fromarray(PATCHES).save(file, "PNG", icc_profile=image.info["icc_profile"])
    data = file.getvalue()
    assert read_image(data[:33] + chunk(b"cICP", bytes([12, 13, 0, 1])) + data[33:]).notes == (code.note,)


def test_adobe_rgb_as_cameras_tell_of_it() -> None:
    light = linear(PATCHES) @ np.linalg.inv(
        np.array([[1.3982832, -0.3982831, 0], [0, 1, 0], [0, -0.0429383, 1.0429383]]).T  # Adobe RGB -> sRGB
    )
    stored = (np.clip(light, 0, 1) ** (256 / 563) * 255 + 0.5).astype(np.uint8)
    exif = Image.Exif()
    inside = exif.get_ifd(ExifTags.IFD.Exif)
    inside[ExifTags.Base.ColorSpace] = 0xFFFF
    inside[ExifTags.IFD.Interop] = {1: "R03"}
    file = io.BytesIO()
    Image.fromarray(stored).save(file, "JPEG", quality=100, subsampling=0, exif=exif)
    picture = read_image(file.getvalue())
    assert np.abs(picture.rgb[16, 16::32].astype(int) - COLORS).max() <= 4
    assert picture.notes == (ADOBE_RGB.note,) and "Adobe RGB" in ADOBE_RGB.note
    kept = Image.Exif()
    kept.load(picture.exif)
    assert kept.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ColorSpace] == 1


def test_the_command_says_what_was_converted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = ColorCode(12, 13)
    (tmp_path / "a.png").write_bytes(png(coded(PATCHES, code), code))
    assert main(["paint", str(tmp_path / "a.png"), "--strength", "0"]) == 0
    assert "a.png: has no profile but is coded as Display-P3" in capsys.readouterr().err
    assert np.abs(read_image(tmp_path / "a-hayao.png").rgb[16, 16].astype(int) - COLORS[0]).max() <= 3


# Gain maps


def ultra_hdr(mark: bytes) -> bytes:
    """A JPEG, a second one behind it, and the mark of a gain map."""
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description hdrgm:Version="1.0" xmp:Rating="5">'
        b"<Container:Directory><rdf:Seq><rdf:li>GainMap</rdf:li></rdf:Seq></Container:Directory>"
        b"</rdf:Description></x:xmpmeta>"
    )
    first, second = io.BytesIO(), io.BytesIO()
    segment = b"\xff\xe2" + struct.pack(">H", len(mark) + 3) + mark + b"\0"
    Image.fromarray(PHOTO).save(first, "JPEG", quality=95, xmp=xmp, extra=segment)
    Image.new("L", (20, 20)).save(second, "JPEG")
    return first.getvalue() + second.getvalue()


@pytest.mark.parametrize("mark", [b"urn:iso:std:iso:ts:21496:-1", b"http://ns.adobe.com/hdr-gain-map/1.0/"])
def test_gain_maps_are_left_out_and_no_longer_spoken_of(
    tmp_path: Path, mark: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ultra_hdr(mark)
    picture = read_image(data)
    assert picture.notes == (GAIN_MAP,) and np.abs(picture.rgb.astype(int) - PHOTO).mean() < 12
    assert picture.xmp is not None and b'Rating="5"' in picture.xmp
    assert b"hdrgm" not in picture.xmp and b"Container" not in picture.xmp
    written = encode_image(picture, WriteOptions("JPEG"))
    assert mark not in written and read_image(written).notes == ()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(data)
    assert main(["paint", "-r", str(tmp_path)]) == 0
    assert capsys.readouterr().err.count("gain map") == 1  # said once, not for each photo


def test_gain_maps_of_heic_are_known() -> None:
    """As ISO 21496-1 has it, an item of type tmap; as Apple has it, the name of an auxiliary picture."""
    data = heic(PHOTO / 255, ColorCode(1, 13))
    entry = b"\x02\0\0\0" + struct.pack(">HH4s", 9, 0, b"tmap") + b"\0"
    entry = struct.pack(">I4s", len(entry) + 8, b"infe") + entry
    for added in (entry, b"urn:com:apple:photo:2020:aux:hdrgainmap\0"):
        at = data.index(b"iinf") - 4
        size = struct.unpack(">I", data[at : at + 4])[0]
        changed = data[: at + size] + added + data[at + size :] if added is entry else data
        if added is entry:  # one more entry, so both boxes around it grow
            changed = bytearray(changed)
            changed[at : at + 4] = struct.pack(">I", size + len(added))
            count = struct.unpack(">H", changed[at + 12 : at + 14])[0]
            changed[at + 12 : at + 14] = struct.pack(">H", count + 1)
            meta = changed.index(b"meta") - 4
            changed[meta : meta + 4] = struct.pack(">I", struct.unpack(">I", changed[meta : meta + 4])[0] + len(added))
        else:
            meta = data.index(b"meta") - 4
            end = meta + struct.unpack(">I", data[meta : meta + 4])[0]
            box = struct.pack(">I4s", len(added) + 8, b"free") + added
            changed = bytearray(data[:end] + box + data[end:])
            changed[meta : meta + 4] = struct.pack(">I", end - meta + len(box))
        from photo2anime.images.color_codes import has_gain_map

        with Image.open(io.BytesIO(data)) as image:
            assert has_gain_map(image, io.BytesIO(bytes(changed))) and not has_gain_map(image, io.BytesIO(data))


# Floats and deep TIFFs


def tiff(
    values: np.ndarray, photometric: int, *, packed: bool = False, planar: int = 1, predictor: int = 1, extra: int = -1,
    order: str = "<", iptc: bytes = b"",
) -> bytes:  # fmt: skip
    """A TIFF of one strip a plane, in any type of numbers."""
    height, width = values.shape[:2]
    channels = values.shape[2] if values.ndim == 3 else 1
    planes = [values] if planar == 1 or channels == 1 else list(np.moveaxis(values, 2, 0))
    strips = [_strip(plane.reshape(height, width, -1), order, predictor) for plane in planes]
    strips = [zlib.compress(strip) for strip in strips] if packed else strips
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    bits = values.dtype.itemsize * 8
    entries: dict[int, list[int]] = {256: [width], 257: [height], 258: [bits] * channels, 259: [8 if packed else 1]}
    entries |= {262: [photometric], 277: [channels], 278: [height], 279: [len(s) for s in strips], 284: [planar]}
    entries |= {339: [kind] * channels, 317: [predictor]} | ({338: [extra]} if extra >= 0 else {})
    entries |= {530: [1, 1]} if photometric == 6 else {}
    entries |= {33723: list(struct.unpack(f"{order}{len(iptc) // 4}I", iptc))} if iptc else {}
    body = bytearray(struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 0))

    def place(content: bytes) -> int:
        at = len(body)
        body.extend(content + bytes(-len(content) % 4))
        return at

    entries[273] = [place(strip) for strip in strips]
    rows = [
        struct.pack(
            order + "HHII", tag, 4, len(v), v[0] if len(v) == 1 else place(struct.pack(f"{order}{len(v)}I", *v))
        )
        for tag, v in sorted(entries.items())
    ]
    body[4:8] = struct.pack(order + "I", len(body))
    return bytes(body) + struct.pack(order + "H", len(rows)) + b"".join(rows) + bytes(4)


def _strip(values: np.ndarray, order: str, predictor: int) -> bytes:
    rows, width, channels = values.shape
    if predictor == 2:
        whole = values.view(f"u{values.dtype.itemsize}")
        values = np.concatenate([whole[:, :1], whole[:, 1:] - whole[:, :-1]], axis=1).astype(whole.dtype)
    if predictor == 3:  # Adobe's technical note 3: bytes by weight, then differences
        heavy = values.astype(values.dtype.newbyteorder(">")).view(np.uint8).reshape(rows, width * channels, -1)
        by_weight = heavy.transpose(0, 2, 1).reshape(rows, -1, channels)
        return np.concatenate([by_weight[:, :1], by_weight[:, 1:] - by_weight[:, :-1]], axis=1).tobytes()
    return values.astype(values.dtype.newbyteorder(order)).tobytes()


SMOOTH = np.clip(PHOTO.astype(np.float32) / 255, 0, 1)


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "u2", "u4"])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"packed": True},
        {"planar": 2},
        {"planar": 2, "packed": True},
        {"packed": True, "predictor": 2},
        {"packed": True, "predictor": 3},
        {"order": ">"},
        {"order": ">", "packed": True, "predictor": 2},
    ],
)
def test_deep_tiffs_of_every_make(kind: str, how: dict[str, Any]) -> None:
    if how.get("predictor") == 3 and kind[0] == "u":
        pytest.skip("the third predictor is for floating point")
    full = 1 if kind[0] == "f" else np.iinfo(kind).max
    deep = (SMOOTH.astype(np.float64) * full).astype(kind)
    assert np.abs(read_image(tiff(deep, 2, **how)).rgb.astype(int) - PHOTO).max() <= 1
    assert np.abs(read_image(tiff(deep[..., 0], 1, **how)).rgb[..., 1].astype(int) - PHOTO[..., 0]).max() <= 1
    assert np.abs(read_image(tiff(full - deep[..., 0], 0, **how)).rgb[..., 1].astype(int) - PHOTO[..., 0]).max() <= 1


def test_transparency_of_deep_tiffs() -> None:
    alpha = np.linspace(0, 1, 56, dtype=np.float32) * np.ones((40, 1), np.float32)
    for values, extra in ((np.dstack([SMOOTH, alpha]), 2), (np.dstack([SMOOTH * alpha[..., None], alpha]), 1)):
        picture = read_image(tiff(values, 2, extra=extra))
        assert picture.alpha is not None and np.abs(picture.alpha - alpha * 255).max() <= 1
        assert np.abs(picture.rgb[:, 5:].astype(int) - PHOTO[:, 5:]).max() <= 1
    assert read_image(tiff(np.dstack([SMOOTH, alpha]), 2, extra=0)).alpha is None  # a channel of something else


def test_ycbcr_without_compression_is_read() -> None:
    stored = np.asarray(Image.fromarray(PHOTO).convert("YCbCr"))
    for order in "<>":
        assert np.abs(read_image(tiff(stored, 6, order=order)).rgb.astype(int) - PHOTO).max() <= 3
    assert np.abs(read_image(tiff(PHOTO, 2, planar=2)).rgb.astype(int) - PHOTO).max() == 0


def test_one_overshoot_does_not_make_a_float_picture_black() -> None:
    grey = SMOOTH[..., 0].copy()
    grey[3, 3] = 1.02
    grey[5, 5], grey[5, 6], grey[5, 7] = np.nan, np.inf, -3
    for source in (tiff(grey, 1), Image.fromarray(grey)):
        picture = read_image(source)
        right = (np.clip(np.nan_to_num(grey, posinf=1), 0, 1) * 255 + 0.5).astype(int)
        assert np.abs(picture.rgb[..., 0].astype(int) - right).max() <= 1
        assert picture.notes == (DEEP,) * isinstance(source, bytes)


def test_float_pictures_that_mostly_lie_above_one() -> None:
    light = np.exp(np.random.default_rng(0).normal(4, 1.5, (40, 56, 3))).astype(np.float32)
    picture = read_image(tiff(light, 2))
    assert picture.notes == ("is HDR (most values lie above 1): tone-mapped with Reinhard's global operator",)
    assert 60 < np.median(picture.rgb) < 180 and (picture.rgb == 255).mean() < 0.1
    order = np.argsort(light[..., 1].ravel())
    assert np.all(np.diff(from_float(light[..., 1])[0].ravel()[order].astype(int)) >= 0)  # brighter stays brighter
    for top in (255, 65535):
        whole = np.round(SMOOTH * top).astype(np.float32)
        picture = read_image(tiff(whole, 2))
        assert np.abs(picture.rgb.astype(int) - PHOTO).max() <= 1 and "whole numbers" in picture.notes[0]


def test_what_is_not_read_is_named() -> None:
    for values, kind in ((np.dstack([SMOOTH, SMOOTH[..., :1]]), 5), (PHOTO.astype(np.uint16), 8)):
        with pytest.raises(
            NotAPictureError, match="is a TIFF of a kind that is not read .*; convert it to 8 or 16 bit"
        ):
            read_image(tiff(values, kind))
    whole = tiff(SMOOTH, 2, packed=True)
    with pytest.raises(Photo2AnimeError, match="damaged or cut short"):
        read_image(whole[:200] + bytes(300) + whole[500:])
    with pytest.raises(TooLargeError, match="the limit is 0.001"):
        read_image(tiff(SMOOTH, 2), max_megapixels=0.001)


def test_a_deep_tiff_keeps_what_it_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Camera", 3
    exif[700] = b"<x:xmpmeta/>"
    exif[33723] = b"\x1c\x02\x05\0\x04name"
    file = io.BytesIO()
    Image.fromarray(PHOTO[..., 0].astype(np.uint16) * 257).save(file, "TIFF", exif=exif, dpi=(300, 300))
    picture = read_image(file.getvalue())
    assert np.array_equal(picture.rgb[..., 0], PHOTO[::-1, ::-1, 0])
    assert picture.exif is not None and b"Camera" in picture.exif and picture.dpi == (300, 300)
    assert picture.xmp == b"<x:xmpmeta/>" and picture.iptc == b"\x1c\x02\x05\0\x04name" and picture.frames == 1


# What a picture carries

IPTC = b"\x1c\x02\x05\0\x05Title\x1c\x02\x50\0\x04Name"


PACKET = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:City="Gdańsk"/>'
    "</rdf:RDF></x:xmpmeta>"
).encode()


def told_by(xmp: bytes | None) -> dict[str, list[str]]:
    """An XMP packet's properties, read by Python's own parser."""
    rdf = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
    names = {f"{{{address}}}": f"{prefix}:" for prefix, address in _SPACES.items()}

    def short(name: str) -> str:
        space = name[: name.index("}") + 1]
        return names[space] + name.removeprefix(space)

    told: dict[str, list[str]] = {}
    for block in ElementTree.fromstring(xmp or b"").iter(f"{rdf}Description"):
        told |= {short(name): [value] for name, value in block.attrib.items() if not name.startswith(rdf)}
        for element in block:
            items = [item.text or "" for item in element.iter(f"{rdf}li")]
            assert short(element.tag) not in told
            told[short(element.tag)] = items or [element.text or ""]
    return told


@pytest.mark.parametrize("source", ["JPEG", "TIFF", "PNG"])
@pytest.mark.parametrize("target", ["JPEG", "TIFF", "PNG"])
def test_iptc_goes_from_format_to_format(source: str, target: str) -> None:
    first = encode_image(Picture(PHOTO, iptc=IPTC), WriteOptions(source))
    picture = read_image(first)
    assert picture.iptc == IPTC
    assert read_image(encode_image(picture, WriteOptions(target))).iptc == IPTC
    assert read_image(encode_image(picture, WriteOptions(target, strip_metadata=True))).iptc is None


@pytest.mark.parametrize("target", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_xmp_and_text_of_png_and_heic_are_carried(target: str) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", PACKET.decode())
    info.add_itxt("Title", "Łódź, 花")
    info.add_text("Author", "somebody", zip=True)
    info.add_text("Comment", "by the sea")
    png, heic = io.BytesIO(), io.BytesIO()
    Image.fromarray(PHOTO).save(png, "PNG", pnginfo=info)
    from_pillow(Image.fromarray(PHOTO)).save(heic, xmp=PACKET, quality=90)
    for source in (png, heic):
        result = encode_image(read_image(source.getvalue()), WriteOptions(target))
        xmp = read_image(result).xmp
        assert xmp is not None and b'photoshop:City="Gda\xc5\x84sk"' in xmp
        stripped = encode_image(read_image(source.getvalue()), WriteOptions(target, strip_metadata=True))
        assert b"xmpmeta" not in stripped and b"somebody" not in stripped
    result = read_image(encode_image(read_image(png.getvalue()), WriteOptions(target)))
    all_of_it = {"Title": "Łódź, 花", "Author": "somebody", "Comment": "by the sea"}
    assert dict(result.text) == {"PNG": all_of_it, "JPEG": {"Comment": "by the sea"}}.get(target, {})
    if target != "PNG":
        in_xmp = {"dc:title": ["Łódź, 花"], "dc:creator": ["somebody"], "photoshop:City": ["Gdańsk"]}
        assert told_by(result.xmp) == in_xmp | ({} if target == "JPEG" else {"exif:UserComment": ["by the sea"]})


def test_iptc_as_others_write_it() -> None:
    """A TIFF with IPTC in 32-bit numbers, as libtiff has it; a thumbnail beside it in a JPEG stays behind."""
    for order in "<>":
        for values in (PHOTO, SMOOTH):
            assert (
                read_image(tiff(values, 2, order=order, iptc=b"\x1c\x02\x05\0\x03abc")).iptc == b"\x1c\x02\x05\0\x03abc"
            )
    resources = b"8BIM\x04\x0c\0\0\0\0\0\x05thumb\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC + b"\0"
    content = b"Photoshop 3.0\0" + resources
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, "JPEG", extra=b"\xff\xed" + struct.pack(">H", len(content) + 2) + content)
    picture = read_image(file.getvalue())
    assert picture.iptc == IPTC and b"thumb" not in encode_image(picture, WriteOptions("JPEG"))


def test_text_chunks_and_comments_are_carried(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "Jürgen")
    info.add_text("parameters", "a long recipe " * 50, zip=True)
    info.add_itxt("Title", "海")
    file = tmp_path / "a.png"
    Image.fromarray(PHOTO).save(file, pnginfo=info)
    assert main(["paint", str(file)]) == 0
    text = Image.open(tmp_path / "a-hayao.png").text  # type: ignore[attr-defined]
    assert {"Author": "Jürgen", "Title": "海", "parameters": "a long recipe " * 50}.items() <= text.items()
    assert main(["paint", str(file), "--strip-metadata"]) == 0
    assert not Image.open(tmp_path / "a-hayao.png").text  # type: ignore[attr-defined]
    Image.fromarray(PHOTO).save(tmp_path / "b.jpg", comment=b"by the sea")
    assert main(["paint", str(tmp_path / "b.jpg")]) == 0
    assert Image.open(tmp_path / "b-hayao.jpg").info["comment"] == b"by the sea"


def iim(*sets: tuple[int, str]) -> bytes:
    """Records of IPTC-IIM in UTF-8: data sets of record 2."""
    coded = [(number, value.encode()) for number, value in sets]
    return b"\x1c\x01\x5a\0\x03\x1b%G" + b"".join(struct.pack(">BBBH", 28, 2, n, len(v)) + v for n, v in coded)


@pytest.mark.parametrize("target", ["WEBP", "AVIF"])
def test_iptc_goes_into_xmp_where_there_is_no_place_for_it(target: str) -> None:
    records = iim((5, "Hafen"), (80, "Jürgen"), (80, "Ola <o@x>"), (25, "sea"), (25, "ship"), (55, "20240131"))
    records += iim((90, "elsewhere"), (116, "© J"), (101, "Polska"))
    picture = Picture(PHOTO, iptc=records, xmp=PACKET, text=(("Title", "harbour"), ("prompt", "a & b\0")))
    result = encode_image(picture, WriteOptions(target))
    assert left_out(picture, WriteOptions(target)) is None
    assert told_by(read_image(result).xmp) == {
        "photoshop:City": ["Gdańsk"],  # what the packet says itself holds
        "dc:title": ["Hafen"],
        "dc:creator": ["Jürgen", "Ola <o@x>"],
        "dc:subject": ["sea", "ship"],
        "dc:rights": ["© J"],
        "photoshop:DateCreated": ["2024-01-31"],
        "photoshop:Country": ["Polska"],
        "exif:UserComment": ["Title: harbour\nprompt: a & b"],
    }
    bare = encode_image(picture, WriteOptions(target, strip_metadata=True))
    assert read_image(bare).xmp is None and b"harbour" not in bare


def test_metadata_that_finds_no_place_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    picture = Picture(PHOTO, exif=exif.tobytes(), xmp=PACKET, iptc=IPTC, text=(("Title", "x"),))
    assert left_out(picture, WriteOptions("BMP")) == ("has metadata that the result cannot hold: EXIF, XMP, IPTC, text")
    assert left_out(picture, WriteOptions("BMP", strip_metadata=True)) is None
    for format in ("PNG", "JPEG", "WEBP", "TIFF", "AVIF"):
        assert left_out(picture, WriteOptions(format)) is None
    strange = replace(picture, xmp=b"<x:xmpmeta/>", iptc=iim((5, "x"), (200, "preview")))
    assert left_out(strange, WriteOptions("WEBP")) == "has metadata that the result cannot hold: IPTC, text"
    assert left_out(replace(strange, xmp=None), WriteOptions("WEBP")) == (
        "has metadata that the result cannot hold: IPTC data set 2:200"
    )
    long = replace(picture, text=(("prompt", "x" * 70_000),), iptc=b"\x1c" * 70_000)
    assert left_out(long, WriteOptions("JPEG")) == "has metadata that the result cannot hold: IPTC, text"
    assert read_image(encode_image(long, WriteOptions("JPEG"))).xmp == PACKET
    Image.fromarray(PHOTO).save(tmp_path / "a.jpg", exif=exif)
    assert main(["paint", str(tmp_path / "a.jpg"), "-f", "bmp"]) == 0
    assert "a.jpg: has metadata that the result cannot hold: EXIF" in capsys.readouterr().err


@pytest.mark.parametrize("target", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "BMP"])
def test_resolution_is_carried(target: str) -> None:
    again = read_image(encode_image(Picture(PHOTO, dpi=(300.0, 150.0)), WriteOptions(target)))
    assert again.dpi == pytest.approx((300, 150), abs=0.1)


def test_sixteen_bits_are_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Painted and written with 8: in one line a run, not in silence."""
    import cv2

    deep = PHOTO.astype(np.uint16) * 257
    for name in ("a.png", "b.tif"):
        (tmp_path / name).write_bytes(cv2.imencode(Path(name).suffix, deep)[1].tobytes())
    grey = io.BytesIO()
    Image.fromarray(deep[..., 0]).save(grey, "PNG")
    sources: list[Any] = [tmp_path / "a.png", tmp_path / "b.tif", grey.getvalue(), tiff(SMOOTH, 2)]
    assert all(read_image(source).notes == (DEEP,) for source in sources)
    assert not read_image(encode_image(Picture(PHOTO), WriteOptions("PNG"))).notes
    assert main(["paint", str(tmp_path)]) == 0
    assert capsys.readouterr().err.count(DEEP) == 1
