"""The good files that scripts/fuzz.py spoils: small ones of every format that is read, networks, clips."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any


def pictures() -> Iterator[tuple[str, bytes]]:
    """(extension, file) of every format that is read, small."""
    import numpy as np
    from PIL import Image, ImageCms, PngImagePlugin
    from pillow_heif import from_bytes, register_heif_opener

    register_heif_opener()
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (24, 40, 3), np.uint8)
    image = Image.fromarray(rgb)
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Camera", 6
    exif.get_ifd(0x8825)[1] = "N"
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "somebody", zip=True)
    text.add_itxt("XML:com.adobe.xmp", "<x/>")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    profile = profile[:24] + bytes(12) + profile[36:]  # without the time
    more = [Image.fromarray(rng.integers(0, 256, (24, 40, 3), np.uint8)) for _ in range(2)]
    frames: dict[str, Any] = {"save_all": True, "append_images": more}
    xmp = b'<x hdrgm:Version="1.0"/>'
    grey16, floats = (
        Image.fromarray(rgb[..., 0].astype(np.uint16) * 257),
        Image.fromarray(rgb[..., 0] / np.float32(255)),
    )
    ways: list[tuple[str, str, Image.Image, dict[str, Any]]] = [
        ("jpg", "JPEG", image, {"exif": exif, "xmp": xmp, "icc_profile": profile, "comment": b"x"}),
        ("jpg", "JPEG", image.convert("CMYK"), {"progressive": True}),
        ("mpo", "MPO", image, frames),
        ("png", "PNG", image, {"exif": exif, "pnginfo": text, "icc_profile": profile}),
        ("png", "PNG", image.quantize(8), {"transparency": 1}),
        ("png", "PNG", grey16, {}),
        ("png", "PNG", image.convert("RGBA"), frames),
        ("gif", "GIF", image, frames),
        ("bmp", "BMP", image, {}),
        ("bmp", "BMP", image.quantize(16), {}),
        ("webp", "WEBP", image, {"exif": exif}),
        ("webp", "WEBP", image.convert("RGBA"), {"lossless": True, **frames}),
        ("avif", "AVIF", image, {"exif": exif, "xmp": xmp}),
        ("tif", "TIFF", image, {"exif": exif, "icc_profile": profile}),
        *(
            ("tif", "TIFF", image, {"compression": way})
            for way in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits")
        ),
        ("tif", "TIFF", grey16, {"compression": "tiff_lzw"}),
        ("tif", "TIFF", floats, {}),
        ("tif", "TIFF", image.convert("1"), {"compression": "group4"}),
        ("jp2", "JPEG2000", image, {}),
        ("ico", "ICO", image.resize((32, 32)), {}),
        ("ppm", "PPM", image, {}),
        ("pfm", "PPM", floats, {}),
        ("pgm", "PPM", image.convert("1"), {}),
    ]
    for extension, format, picture, arguments in ways:
        file = io.BytesIO()
        picture.save(file, format, **arguments)
        yield extension, file.getvalue()
    for mode, kind in (("RGB", np.uint8), ("RGB;16", np.uint16), ("RGBA", np.uint8)):
        pixels = (rng.random((24, 40, len(mode.split(";")[0]))) * np.iinfo(kind).max).astype(kind)
        file = io.BytesIO()
        from_bytes(mode, (40, 24), pixels.tobytes()).save(file, quality=60, transfer_characteristics=16)
        yield "heic", file.getvalue()
    if find_spec("pillow_jxl"):
        import pillow_jxl  # noqa: F401  its import makes Pillow know the format

        for picture, arguments in (
            (image, {"exif": exif.tobytes(), "xmp": xmp}),
            (image.convert("RGBA"), {"lossless": True}),
        ):
            file = io.BytesIO()
            picture.save(file, "JXL", compress_metadata=True, **arguments)
            yield "jxl", file.getvalue()
    if find_spec("cv2"):
        import cv2

        for deep in (rgb / np.float32(255), rgb.astype(np.uint16) * 257):
            for compression in (1, 5, 8):
                done, packed = cv2.imencode(".tiff", deep, [cv2.IMWRITE_TIFF_COMPRESSION, compression])
                yield "tif", packed.tobytes() if done else b""
        yield "png", cv2.imencode(".png", rgb.astype(np.uint16) * 257)[1].tobytes()


def networks() -> Iterator[tuple[str, bytes]]:
    """(extension, file): a shipped network, small ones, and checkpoints as others save them when PyTorch is here."""
    from photo2anime.inference.weights import BUNDLES

    yield "onnx", (BUNDLES / "cel-int8.onnx").read_bytes()
    if not (find_spec("torch") and find_spec("onnx") and find_spec("safetensors")):
        return
    import onnx
    import torch
    from onnx import TensorProto, helper
    from safetensors.torch import save

    from photo2anime.train.networks.animeganv2 import AnimeGANv2Generator

    torch.manual_seed(0)
    shape: list[int | str] = [1, 3, "h", "w"]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy"]
    kernel = onnx.numpy_helper.from_array(torch.randn(3, 3, 3, 3).numpy(), "k")
    nodes = [helper.make_node("Conv", ["x", "k"], ["c"], pads=[1] * 4), helper.make_node("Tanh", ["c"], ["y"])]
    graph = helper.make_graph(nodes, "small", ends[:1], ends[1:], [kernel])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    yield from [("onnx", model.SerializeToString())] * 3
    state = AnimeGANv2Generator().state_dict()
    last = {"out_layer.0.weight": state["out_layer.0.weight"]}  # one tensor: their order goes by address, too
    for held, new in ((state, True), (last, False)):
        file = io.BytesIO()
        torch.save({"generator": held}, file, _use_new_zipfile_serialization=new)
        yield "pt", _without_addresses(file.getvalue())
    yield "safetensors", save(state)


def _without_addresses(data: bytes) -> bytes:
    """A checkpoint of the old format names each tensor by where it lay in memory; here by number."""
    known: dict[bytes, bytes] = {}
    return re.sub(
        rb"(?<=[\0-\x1f]\0\0\0)\d{12,16}",
        lambda found: known.setdefault(found[0], b"%0*d" % (len(found[0]), len(known))),
        data,
    )


def clips() -> Iterator[tuple[str, bytes]]:
    """(extension, file): eight frames in each container and codec that is at hand; nothing without PyAV."""
    if not find_spec("av"):
        return
    import av
    import numpy as np

    ways = [
        ("mp4", "libx264"),
        ("mov", "mjpeg"),
        ("mkv", "ffv1"),
        ("webm", "libvpx"),
        ("avi", "mpeg4"),
        ("ts", "libx264"),
    ]
    for extension, codec in ways:
        file = io.BytesIO()
        formats = {"mkv": "matroska", "ts": "mpegts"}
        with av.open(file, "w", format=formats.get(extension, extension)) as container:
            stream: Any = container.add_stream(codec, rate=25)
            stream.width, stream.height = 64, 48
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for i in range(8):
                frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), i * 30, np.uint8), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        yield extension, file.getvalue()


CORPORA = {"picture": pictures, "network": networks, "clip": clips}
