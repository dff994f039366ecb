"""A training run -> .onnx with its facts inside, checked against PyTorch, with its styles.toml row and card."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch

from photo2anime.images.image_io import why_not_written
from photo2anime.images.temporary import write_whole
from photo2anime.inference.runtime import MEAN_COLOR, OnnxNetwork, card_to_metadata
from photo2anime.inference.weights import BUNDLES, sha256
from photo2anime.styles import list_styles, shipped_styles, toml_row
from photo2anime.train.learning.checkpoint import AnyGenerator
from photo2anime.train.learning.run import load_generator
from photo2anime.train.networks.enlarger import Enlarger
from photo2anime.train.networks.fixed import Ink, Light
from photo2anime.train.networks.generator import Generator
from photo2anime.train.publishing.quantise import quantise
from photo2anime.types import Batch, Photo2AnimeError, StyleCard

OPSET = 18
BYTES_PER_PX = 140  # measured: peak memory of ONNX Runtime over pixels, scripts/bench.py
_LARGEST_ERROR_LEVELS = 0.5
_CHECKED_SIZES = (
    (64, 64),
    (208, 144),
    (16, 16),
    (80, 320),
)  # (height, width), multiples of 16; none is the export's own


@dataclass(frozen=True, slots=True)
class Exported:
    """What export wrote. worst_level: the largest difference to PyTorch found, in grey levels of 255. int8_psnr_db: how
    near the int8 network is to that one, None without.
    """

    file: Path
    card: StyleCard
    worst_level: float
    int8_psnr_db: float | None = None


def export(
    run: Path,
    out: Path,
    description: str,
    license: str,
    int8_photos: Path | None = None,
    ink: float = 0.0,
    light: float = 0.0,
) -> Exported:
    """The run's EMA generator as out/STYLE.onnx, with STYLE.toml (its row) and STYLE.md (the start of its card).

    ink, light: shares of the lines drawn over what it paints, and of the light in its darks (`Ink`, `Light`). Kernels
    are stored as float16. int8_photos: photos to make STYLE-int8.onnx from, for video; None makes none. Raises
    Photo2AnimeError when run is no training run, or its file differs from PyTorch by half a level.
    """
    generator, cfg = load_generator(run)
    card = StyleCard(
        name=cfg.style,
        file=f"{cfg.style}.onnx",
        description=description or f"trained by photo2anime, seed {cfg.seed}",
        multiple_of=generator.multiple_of,
        license=license,
    )
    if isinstance(generator, Generator):  # the published one takes statistics over the whole picture
        generator.ink = Ink(ink) if ink else None
        generator.light = Light(light) if light else None
        card = replace(card, halo=generator.halo, tiling="exact", bytes_per_px=BYTES_PER_PX)
        card = replace(card, mean_color=not generator.keeps_colors)
    with TemporaryDirectory(prefix="photo2anime-") as folder:
        file = Path(folder, card.file)
        write_onnx(generator, card, file)
        int8_psnr_db = None
        if int8_photos is not None:
            card, int8_psnr_db = quantise(file, card, int8_photos)
        halve_weights(file)
        worst = check(generator, file)
        card = replace(card, sha256=sha256(file))
        _publish(Path(folder), out, card, (run / "config.json").read_text(encoding="utf-8"))
    return Exported(out / card.file, card, worst, int8_psnr_db)


def _publish(made: Path, out: Path, card: StyleCard, config: str) -> None:
    """Puts the networks of a card from made into out, then its card and row. The row is away meanwhile: where it
    stands, all of it is whole and of one export.
    """
    row = out / f"{card.name}.toml"
    text = f"# {card.name}\n\n{card.description}\n\nLicence: {card.license}\n\nsha256: {card.sha256}\n\n"
    text += f"```json\n{json.dumps(json.loads(config), indent=1)}\n```\n"
    try:
        row.unlink(missing_ok=True)
        for name in filter(None, (card.file, card.int8_file)):
            write_whole(out / name, (made / name).read_bytes())
        write_whole(row.with_suffix(".md"), text.encode())
        write_whole(row, toml_row(card).encode())
    except OSError as error:
        when_full = "free some space, then export again"
        raise Photo2AnimeError(why_not_written(out, error, when_full=when_full)) from error


def ship(exported: Exported) -> None:
    """Puts an exported network into this package: its file into bundles/, its row into styles.toml."""
    for name in filter(None, (exported.card.file, exported.card.int8_file)):
        write_whole(BUNDLES / name, exported.file.with_name(name).read_bytes())
    shipped = shipped_styles()
    cards = {**shipped, exported.card.name: exported.card}
    for name, card in shipped.items():  # others with the same network: a film's grade over it, a portrait's version
        if card.file == exported.card.file:
            kept = {
                fact: getattr(card, fact)
                for fact in ("name", "description", "grade", "license", "free", "max_side", "fast_file", "fast_sha256")
            }
            cards[name] = replace(exported.card, **kept)
    _write_shipped(cards)


def ship_fast(exported: Exported) -> None:
    """Makes an exported 8-bit network the one that video is painted with, in its style and in all that share the
    style's network. Raises Photo2AnimeError when there is no such style, or nothing in 8 bits.
    """
    shipped = shipped_styles()
    style = shipped.get(exported.card.name)
    if style is None or exported.card.int8_file is None:
        raise Photo2AnimeError(f"{exported.card.name} is no shipped style, or was exported without --int8")
    name = f"{Path(style.file).stem}-fast.onnx"
    write_whole(BUNDLES / name, exported.file.with_name(exported.card.int8_file).read_bytes())
    with_fast = {
        other: replace(card, fast_file=name, fast_sha256=exported.card.int8_sha256)
        for other, card in shipped.items()
        if card.file == style.file
    }
    _write_shipped({**shipped, **with_fast})


def _write_shipped(cards: dict[str, StyleCard]) -> None:
    header = "# One row a style; written by `photo2anime export --ship`.\n\n"
    write_whole(BUNDLES.parent / "styles.toml", (header + "\n".join(map(toml_row, cards.values()))).encode())
    shipped_styles.cache_clear()
    list_styles.cache_clear()


def write_checked(generator: AnyGenerator, card: StyleCard, file: Path) -> float:
    """Writes the generator as ONNX and gives the largest difference to PyTorch found, in grey levels.

    Raises Photo2AnimeError, and leaves no file, when that is half a level or more.
    """
    write_onnx(generator, card, file)
    return check(generator, file)


def check(generator: AnyGenerator, file: Path) -> float:
    """The largest difference between a generator and its file, in grey levels; raises as write_checked does."""
    worst = largest_difference(generator, OnnxNetwork(file, device="cpu"))
    if worst >= _LARGEST_ERROR_LEVELS:
        file.unlink()
        raise Photo2AnimeError(f"the ONNX network differs from PyTorch by {worst:.2f} grey levels; nothing was kept")
    return worst


def write_onnx(generator: AnyGenerator, card: StyleCard, file: Path) -> None:
    """The generator as ONNX: input `photo`, output `anime`, both (1, 3, H, W) float32 in [-1, 1], H and W free; with
    card.mean_color a second input of that name, (1, 3), float32 too.
    """
    examples = (torch.zeros(1, 3, 96, 112), *([torch.zeros(1, 3)] if card.mean_color else []))
    m = generator.multiple_of
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own workings
        torch.onnx.export(
            generator.eval(),
            examples,
            str(file),
            input_names=["photo", MEAN_COLOR][: len(examples)],
            output_names=["anime"],
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
            dynamic_shapes={
                "x": {
                    2: m * torch.export.Dim("rows", min=1, max=4096),
                    3: m * torch.export.Dim("cols", min=1, max=4096),
                },
                **({"mean_color": None} if card.mean_color else {}),
            },
        )
    model = onnx.load(file)
    onnx.helper.set_model_props(model, card_to_metadata(card))
    onnx.save(model, file)
    drop_traces(file)


def write_enlarger(network: Enlarger, file: Path) -> None:
    """The network as ONNX: input `drawing`, output `larger`, any size."""
    rows, cols = (torch.export.Dim(name, min=2, max=16384) for name in ("rows", "cols"))
    torch.onnx.export(
        network,
        (torch.zeros(1, 3, 32, 48),),
        str(file),
        input_names=["drawing"],
        output_names=["larger"],
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
        verbose=False,
        dynamic_shapes={"x": {2: rows, 3: cols}},
    )
    drop_traces(file)


def drop_traces(file: Path) -> None:
    """Removes from an .onnx file the stack traces with local paths that the exporter leaves in it."""
    model = onnx.load(file)
    del model.graph.value_info[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    onnx.checker.check_model(model)
    onnx.save(model, file)


def halve_weights(file: Path) -> None:
    """Stores the kernels of an .onnx file as float16, half as large; they are cast back when it is loaded, so that what
    is computed, and how fast, stays float32.
    """
    model = onnx.load(file)
    casts = []
    for weight in [w for w in model.graph.initializer if w.data_type == onnx.TensorProto.FLOAT and len(w.dims) > 1]:
        whole = f"{weight.name}.float32"
        for node in model.graph.node:
            node.input[:] = [whole if name == weight.name else name for name in node.input]
        half = onnx.numpy_helper.to_array(weight).astype(np.float16)
        weight.CopyFrom(onnx.numpy_helper.from_array(half, weight.name))
        casts.append(onnx.helper.make_node("Cast", [weight.name], [whole], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, file)


def largest_difference(generator: AnyGenerator, network: OnnxNetwork) -> float:
    """The largest difference between PyTorch and ONNX Runtime over several sizes, in grey levels of 255."""
    rng = np.random.default_rng(0)
    worst = 0.0
    for height, width in _CHECKED_SIZES:
        photo: Batch = rng.uniform(-1, 1, (1, 3, height, width)).astype(np.float32)
        mean = [rng.uniform(-0.5, 0.5, (1, 3)).astype(np.float32)] if network.card.mean_color else []
        with torch.no_grad():
            expected = generator(*map(torch.from_numpy, (photo, *mean))).numpy()
        worst = max(worst, float(np.abs(network(photo, *mean) - expected).max()) * 127.5)
    return worst
