"""Drawn targets: chains of networks and filters, and what is mended of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from conftest import photo_of
from photo2anime.train.data.targets import flatten, parse_chain, with_broad_colors, with_own_mouth
from photo2anime.train.networks.upscaler import Upscaler
from photo2anime.types import Face, Photo2AnimeError
from test_runtime import write_network


def write_upscaler(file: Path, factor: int = 2) -> Path:
    """An .onnx file in [0, 1] that enlarges by repeating pixels, its kernel stored as float16."""
    kernel = np.zeros((3, 3, 1, 1), np.float16)
    kernel[range(3), range(3)] = 1
    nodes = [
        onnx.helper.make_node("Cast", ["half"], ["kernel"], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("Conv", ["image", "kernel", "bias"], ["same"]),
        onnx.helper.make_node("Resize", ["same", "", "scales"], ["large"], mode="nearest"),
    ]
    values = {"half": kernel, "bias": np.zeros(3, np.float32), "scales": np.array([1, 1, factor, factor], np.float32)}
    stored = [onnx.numpy_helper.from_array(value, name) for name, value in values.items()]
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3, None, None])
        for name in ("image", "large")
    ]
    graph = onnx.helper.make_graph(nodes, "upscaler", ends[:1], ends[1:], stored)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9), file)
    return file


def test_an_upscaler_runs_as_its_file_says(tmp_path: Path) -> None:
    photo = photo_of(10, 14)
    large = Upscaler(write_upscaler(tmp_path / "up.onnx"))(photo)
    assert large.shape == (20, 28, 3)
    assert np.abs(large[::2, ::2].astype(int) - photo).max() <= 1  # bfloat16 has 8 bits


def test_an_upscaler_of_other_operators_is_refused(tmp_path: Path) -> None:
    file = write_upscaler(tmp_path / "up.onnx")
    model = onnx.load(file)
    model.graph.node.append(onnx.helper.make_node("Sin", ["large"], ["wave"]))
    onnx.save(model, file)
    with pytest.raises(Photo2AnimeError, match="no upscaler of plain convolutions: it has Sin"):
        Upscaler(file)


def test_a_chain_runs_its_steps_in_turn(tmp_path: Path) -> None:
    write_network(tmp_path / "same.onnx")
    write_upscaler(tmp_path / "up.onnx")
    photo = photo_of(48, 64)
    assert np.array_equal(parse_chain("same.onnx, same.onnx", tmp_path)(photo), photo)
    redrawn = parse_chain("same.onnx,up.onnx@2", tmp_path)(photo)
    assert redrawn.shape == photo.shape and 0 < np.abs(redrawn.astype(int) - photo).mean() < 12
    assert np.array_equal(parse_chain("flatten", tmp_path)(photo), flatten(photo))


@pytest.mark.parametrize("chain", ["", "flatten,", "model.pt", "up.onnx@much"])
def test_steps_that_are_none_are_named(chain: str, tmp_path: Path) -> None:
    write_upscaler(tmp_path / "up.onnx")
    with pytest.raises(Photo2AnimeError):
        parse_chain(chain, tmp_path)


def test_flattening_takes_texture_and_leaves_edges_and_smooth_walls() -> None:
    rng = np.random.default_rng(0)
    photo = np.full((96, 192, 3), 60, np.uint8)
    photo[:, 96:] = 180
    noisy = np.clip(photo + rng.normal(0, 9, photo.shape), 0, 255).astype(np.uint8)
    flat = flatten(noisy).astype(float)
    assert flat[20:76, 20:76].std() < 0.6 * noisy[20:76, 20:76].std()
    assert flat[48, 100].mean() - flat[48, 91].mean() > 100
    wall = np.tile(np.linspace(90, 140, 256)[None, :, None], (64, 1, 3)).astype(np.uint8)
    assert np.abs(np.diff(flatten(wall)[32, 16:-16, 0].astype(int))).max() <= 1  # no terraces


def test_broad_colors_come_back_without_a_halo() -> None:
    photo = np.full((128, 128, 3), 150, np.uint8)
    photo[:, 64:] = (40, 30, 20)
    drawn = np.full((128, 128, 3), 240, np.uint8)  # a wall that was made white
    drawn[:, 64:] = (40, 30, 20)
    drawn[::16] = 0  # lines
    mended = with_broad_colors(photo, drawn, 1.0).astype(int)
    assert abs(mended[40, 20].mean() - 150) < 20 and abs(mended[40, 60].mean() - 150) < 20
    assert np.abs(mended[40, 68:] - (40, 30, 20)).max() < 20
    assert mended[48, 20].mean() < 60  # a line stays a line


def test_lips_keep_their_hue() -> None:
    photo = np.full((120, 120, 3), (190, 150, 130), np.uint8)
    drawn = photo.copy()
    cv2.ellipse(drawn, (60, 90), (14, 5), 0, 0, 360, (200, 60, 70), -1)
    face = Face((20, 10, 100, 110), ((45, 50), (75, 50), (60, 70), (46, 90), (74, 90)), 0.9)
    mended = with_own_mouth(photo, drawn, face).astype(int)
    red = lambda p: p[90, 60, 0] - p[90, 60, 1]  # noqa: E731
    assert red(mended) < 0.5 * red(drawn.astype(int))
    assert np.abs(mended[:40] - drawn[:40]).max() <= 2
