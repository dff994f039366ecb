"""ONNX files of every make, and the device that really started."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from conftest import photo_of
from photo2anime import Photo2AnimeError, Stylizer
from photo2anime.inference import runtime
from photo2anime.inference.runtime import OnnxNetwork, card_from_metadata, card_to_metadata
from photo2anime.types import StyleCard


def write_network(
    file: Path, *, nhwc: bool = False, stride: int = 1, size: int | None = None, half: bool = False, channels: int = 3
) -> Path:
    """An .onnx that gives its input back, through a stride that only multiples of it survive."""
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    numbers = np.float16 if half else np.float32
    kernel = np.zeros((channels * stride**2, channels, stride, stride), numbers)
    for i in range(stride**2):
        for c in range(channels):
            kernel[c * stride**2 + i, c, i // stride, i % stride] = 1
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["small"], strides=[stride, stride]),
        helper.make_node("DepthToSpace", ["small"], ["y"], blocksize=stride, mode="CRD"),
    ]
    shape: list[int | str] = [1, channels, size or "h", size or "w"]
    if nhwc:
        nodes = [
            helper.make_node("Transpose", ["in"], ["x"], perm=[0, 3, 1, 2]),
            *nodes,
            helper.make_node("Transpose", ["y"], ["out"], perm=[0, 2, 3, 1]),
        ]
        shape = [1, size or "h", size or "w", channels]
    names = ("in", "out") if nhwc else ("x", "y")
    graph = helper.make_graph(
        nodes,
        "identity",
        [helper.make_tensor_value_info(names[0], kind, shape)],
        [helper.make_tensor_value_info(names[1], kind, None)],
        [onnx.numpy_helper.from_array(kernel, "k")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file)
    return file


@pytest.mark.parametrize("nhwc", [False, True])
@pytest.mark.parametrize("stride", [1, 8, 16, 32])
def test_layout_and_multiple_are_found_out(tmp_path: Path, nhwc: bool, stride: int) -> None:
    stylizer = Stylizer.load(write_network(tmp_path / "net.onnx", nhwc=nhwc, stride=stride))
    assert (stylizer.card.layout, stylizer.card.multiple_of) == ("NHWC" if nhwc else "NCHW", stride)
    assert stylizer.card.tiling == "approximate" and stylizer.card.fixed_size is None
    photo = photo_of(37, 61)
    assert np.array_equal(stylizer(photo), photo)


@pytest.mark.parametrize("nhwc", [False, True])
def test_a_fixed_size_is_read_and_larger_photos_are_tiled(tmp_path: Path, nhwc: bool) -> None:
    stylizer = Stylizer.load(write_network(tmp_path / "net.onnx", nhwc=nhwc, stride=4, size=256))
    assert stylizer.card.fixed_size == (256, 256)
    for size in ((100, 90), (256, 256), (300, 700)):
        assert np.abs(stylizer(photo_of(*size)).astype(int) - photo_of(*size)).max() <= 1


def test_half_precision_networks_work(tmp_path: Path) -> None:
    photo = photo_of(20, 20)
    painted = Stylizer.load(write_network(tmp_path / "net.onnx", half=True))(photo)
    assert np.abs(painted.astype(int) - photo).max() <= 1


def test_metadata_makes_a_loose_file_say_what_it_is(tmp_path: Path) -> None:
    card = StyleCard("mine", "x", multiple_of=4, halo=40, tiling="exact", max_side=999, bytes_per_px=77, license="mine")
    model = onnx.load(write_network(tmp_path / "net.onnx", stride=4))
    onnx.helper.set_model_props(model, card_to_metadata(card))
    onnx.save(model, tmp_path / "net.onnx")
    found = OnnxNetwork(tmp_path / "net.onnx").card
    assert (found.name, found.multiple_of, found.halo, found.tiling) == ("mine", 4, 40, "exact")
    assert (found.max_side, found.bytes_per_px, found.license) == (999, 77, "mine")
    with pytest.raises(Photo2AnimeError, match="incomplete metadata"):
        card_from_metadata({"photo2anime.multiple_of": "4"}, Path("x.onnx"))


def test_files_that_are_no_such_network_are_named(tmp_path: Path) -> None:
    junk = tmp_path / "junk.onnx"
    junk.write_bytes(b"not a network")
    with pytest.raises(Photo2AnimeError, match="could not be loaded"):
        OnnxNetwork(junk)
    with pytest.raises(Photo2AnimeError, match="does not turn a picture"):
        OnnxNetwork(write_network(tmp_path / "four.onnx", channels=4))
    two = onnx.load(write_network(tmp_path / "two.onnx"))
    two.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1, 1, "h", "w"]))
    onnx.save(two, tmp_path / "two.onnx")
    with pytest.raises(Photo2AnimeError, match="takes 2 inputs, not one picture"):
        OnnxNetwork(tmp_path / "two.onnx")


def test_a_device_that_is_not_offered_is_refused_with_the_fix() -> None:
    if "cuda" in runtime.offered_devices():
        pytest.skip("this onnxruntime offers CUDA")
    with pytest.raises(Photo2AnimeError, match="pip install onnxruntime-gpu"):
        Stylizer.load("hayao", device="cuda")
    with pytest.raises(Photo2AnimeError, match="no device called"):
        Stylizer.load("hayao", device="quantum")


def test_a_device_that_is_offered_but_does_not_start_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "offered_devices", lambda: ["cuda", "cpu"])
    monkeypatch.setattr(runtime.ort, "InferenceSession", lambda *_, **__: FellBack())
    with pytest.raises(Photo2AnimeError, match="did not start; run `photo2anime doctor`"):
        Stylizer.load("hayao", device="cuda")


def test_auto_takes_the_next_device_when_one_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "offered_devices", lambda: ["cuda", "cpu"])
    real = runtime.ort.InferenceSession

    def start(file: bytes, options: object, providers: list[str]) -> object:
        return FellBack() if providers[0] == runtime.PROVIDERS["cuda"] else real(file, options, providers=providers)

    monkeypatch.setattr(runtime.ort, "InferenceSession", start)
    assert Stylizer.load("hayao").device == "cpu"


class FellBack:
    """A session that quietly runs on the CPU."""

    def get_providers(self) -> list[str]:
        return ["CPUExecutionProvider"]


def test_nothing_is_reported_to_anyone() -> None:
    import os

    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"


def test_a_network_that_fails_is_told_in_one_line(tmp_path: Path) -> None:
    stylizer = Stylizer.load(write_network(tmp_path / "net.onnx", stride=8))
    with pytest.raises(Photo2AnimeError, match="net failed at 9x9 pixels"):
        stylizer.network(np.zeros((1, 5, 9, 9), np.float32))


@pytest.mark.parametrize("name", ["animeganv3_hayao", "animeganv3_shinkai", "animeganv3_tiny_cute"])
def test_published_models_load_as_styles(teachers: Path, name: str) -> None:
    stylizer = Stylizer.load(teachers / f"{name}.onnx")
    assert stylizer.card.layout == "NHWC" and stylizer.card.tiling == "approximate"
    assert stylizer.card.fixed_size == ((512, 512) if name.endswith("512") else None)
    photo = photo_of(190, 250)
    painted = stylizer(photo)
    assert painted.shape == photo.shape and np.abs(painted.astype(int) - photo).mean() > 1
