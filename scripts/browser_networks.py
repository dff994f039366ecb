"""Writes browser/public/graphs/: the shipped networks with fewer multiplications, for processors with narrow vectors.

WebAssembly multiplies four numbers at once where a server's processor does sixteen: there the convolutions of 3x3 take
nearly all of the time. Winograd's F(4x4, 3x3) (Lavin and Gray, 2016) needs 36 products for 4x4 pixels where the plain
one needs 144; written as an ONNX graph of plain operators it paints the same to a thousandth of a level. A graph
holds no weights: it points into the network's own file. Run it after new networks; tests/test_browser.py fails until
then.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from photo2anime.styles import shipped_styles

ROOT = Path(__file__).parent.parent
BUNDLES = ROOT / "src" / "photo2anime" / "bundles"
TARGET = ROOT / "browser" / "public" / "graphs"
_LEAST_CHANNELS = 32  # with fewer the transforms cost what the products save
_LEAST_BYTES = 1024  # smaller weights stay in the graph
_BLOCK, _TILE = 4, 6  # pixels along one side: painted at a time, and seen for it
_INPUT = np.array(  # B transposed, in Lavin and Gray's letters
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    np.float32,
)
_KERNEL = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24  # G
_OUTPUT = np.array(
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]], np.float32
)  # A


@dataclass(slots=True)
class Rewriting:
    """The nodes of the new graph and its constants by name."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)

    def add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, name: str, values: NDArray[Any]) -> str:
        self.constants[name] = values
        return name

    def reshaped(self, of: str, output: str, *shape: int) -> str:
        name = self.constant("to_" + "_".join(map(str, shape)), np.array(shape, np.int64))
        return self.add("Reshape", [of, name], output)

    def reshaped_to_map(self, of: str, like: str, output: str, *leading: int) -> str:
        """Leading axes as said, then the height and width of `like`."""
        name = self.constant("lead_" + "_".join(map(str, leading)), np.array(leading, np.int64))
        size = self.add("Shape", [like], f"{output}.size", start=2)
        return self.add("Reshape", [of, self.add("Concat", [name, size], f"{output}.shape", axis=0)], output)


def rewritten(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same function of a picture: its convolutions of 3x3, and those that are such on 4x4 blocks, by Winograd's."""
    new = Rewriting()
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    source = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "Cast"}
    for number, node in enumerate(model.graph.node):
        if node.op_type != "Conv":
            new.nodes.append(node)
            continue
        told = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        kernel = weights[source.get(node.input[1], node.input[1])]
        count, channels, side, _ = kernel.dims
        stride = told["strides"][0]
        whole = told["pads"] == [side // 3] * 4 and side == 3 * stride and told.get("group", 1) == 1
        if not whole or min(count, channels * stride**2) < _LEAST_CHANNELS:
            new.nodes.append(node)
            continue
        photo, taps = node.input[:2]
        if stride > 1:
            photo, taps = _in_blocks(new, photo, taps, kernel.dims, f"n{number}")
        _convolution(new, photo, taps, (count, channels * stride**2), f"n{number}")
        bias = new.constant(f"n{number}.bias", numpy_helper.to_array(weights[node.input[2]]).reshape(1, count, 1, 1))
        new.add("Add", [f"n{number}.map", bias], node.output[0])
    return _model_of(new, model)


def _in_blocks(new: Rewriting, photo: str, taps: str, dims: Any, name: str) -> tuple[str, str]:
    """A convolution of side 3s and stride s is one of 3x3 once each s x s pixels lie behind each other as channels."""
    count, channels, side, _ = dims
    s = side // 3
    blocks = new.add("SpaceToDepth", [photo], f"{name}.blocks", blocksize=s)
    apart = new.reshaped(taps, f"{name}.apart", count, channels, 3, s, 3, s)
    moved = new.add("Transpose", [apart], f"{name}.moved", perm=[0, 3, 5, 1, 2, 4])
    return blocks, new.reshaped(moved, f"{name}.taps", count, channels * s * s, 3, 3)


def _convolution(new: Rewriting, x: str, taps: str, counts: tuple[int, int], name: str) -> str:
    """A convolution of 3x3 without its bias; counts: channels of the result, and of x."""
    count, channels = counts
    places = _TILE * _TILE
    products = new.constant("kernel", np.einsum("ia,jb->abij", _KERNEL, _KERNEL).reshape(9, places).astype(np.float32))
    spread = new.add("MatMul", [new.reshaped(taps, f"{name}.flat", 0, 0, 9), products], f"{name}.spread")
    spread = new.add("Transpose", [spread], f"{name}.weights", perm=[2, 0, 1])  # (36, count, channels)

    # Each channel by itself: tiles of 6 every 4 pixels, first down, then across. What is past the end is 0.
    single = new.add("Transpose", [x], f"{name}.single", perm=[1, 0, 2, 3])  # (channels, 1, H, W)
    down = new.constant("down", _INPUT.reshape(_TILE, 1, _TILE, 1))
    across = new.constant("across", _INPUT.reshape(_TILE, 1, 1, _TILE))
    rows = new.add("Conv", [single, down], f"{name}.rows", strides=[_BLOCK, 1], pads=[1, 0, _BLOCK, 0])
    rows = new.reshaped_to_map(rows, rows, f"{name}.rows1", _TILE * channels, 1)
    tiles = new.add("Conv", [rows, across], f"{name}.tiles", strides=[1, _BLOCK], pads=[0, 1, 0, _BLOCK])
    seen = new.reshaped(tiles, f"{name}.seen", channels, places, -1)
    seen = new.add("Transpose", [seen], f"{name}.places", perm=[1, 0, 2])  # (36, channels, tiles)

    painted = new.add("MatMul", [spread, seen], f"{name}.painted")  # (36, count, tiles)
    flat = new.reshaped(painted, f"{name}.painted1", places, -1)
    out = np.einsum("ia,jb->ijab", _OUTPUT, _OUTPUT).reshape(_BLOCK * _BLOCK, places)
    back = new.add("MatMul", [new.constant("back", out), flat], f"{name}.back")
    back = new.reshaped_to_map(back, tiles, f"{name}.back1", 1, _BLOCK * _BLOCK * count)
    whole = new.add("DepthToSpace", [back], f"{name}.whole", blocksize=_BLOCK, mode="DCR")
    size = new.add("Shape", [x], f"{name}.size", start=2)
    start, axes = new.constant("start", np.zeros(2, np.int64)), new.constant("axes", np.array([2, 3], np.int64))
    return new.add("Slice", [whole, start, size, axes], f"{name}.map")


def _model_of(new: Rewriting, model: onnx.ModelProto) -> onnx.ModelProto:
    used = {name for node in new.nodes for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    kept += [numpy_helper.from_array(values, name) for name, values in new.constants.items()]
    graph = helper.make_graph(new.nodes, model.graph.name, model.graph.input, model.graph.output, kept)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def without_weights(model: onnx.ModelProto, file: Path) -> onnx.ModelProto:
    """Large weights are named by where their bytes lie in the network's own file."""
    content = file.read_bytes()
    for tensor in model.graph.initializer:
        place = content.find(tensor.raw_data) if len(tensor.raw_data) >= _LEAST_BYTES else -1
        if place < 0:
            continue
        told = {"location": file.name, "offset": place, "length": len(tensor.raw_data)}
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.extend(onnx.StringStringEntryProto(key=key, value=str(told[key])) for key in told)
    return model


def graphs() -> dict[str, bytes]:
    """File name and content of the graph of every shipped style's network."""
    files = sorted({card.file for card in shipped_styles().values()})
    return {
        name: without_weights(rewritten(onnx.load(BUNDLES / name)), BUNDLES / name).SerializeToString(
            deterministic=True
        )
        for name in files
    }


if __name__ == "__main__":
    TARGET.mkdir(exist_ok=True)
    for name, content in graphs().items():
        (TARGET / name).write_bytes(content)
    sys.stdout.write(f"{TARGET.name} is up to date\n")
