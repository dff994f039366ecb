"""Measures our styles beside AnimeGANv2 in PyTorch and any .onnx files: python scripts/bench.py [--against FILE ...]

Prints a table and writes docs/benchmarks.md. Every network runs in this process with the same threads, in turn, so
that a machine whose speed drifts is fair to all; peak memory is that of a process of its own, above the same idle.
AnimeGANv2 has untrained weights: the arithmetic is the same. GMAC counts the convolutions (multiply and add as one).
"""

from __future__ import annotations

import argparse
import datetime
import multiprocessing
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
import torch
from PIL import Image
from torch import nn

from photo2anime.inference.runtime import cpu_threads
from photo2anime.inference.weights import BUNDLES
from photo2anime.painting.stylizer import Stylizer
from photo2anime.styles import list_styles
from photo2anime.train.networks.animeganv2 import AnimeGANv2Generator
from photo2anime.types import RGB, Batch

SIZES = {"256x256": (256, 256), "512x512": (512, 512), "1024x1024": (1024, 1024), "1920x1080": (1080, 1920)}
REFERENCE = "AnimeGANv2, PyTorch"
OUR_STYLE = "hayao"  # every style has the same network
PLAIN_SCRIPT = """
import sys, numpy as np, onnxruntime as ort
from PIL import Image
model, photo, out, multiple = *sys.argv[1:4], int(sys.argv[4])
image = Image.open(photo).convert("RGB")
size = image.size
image = image.resize([side // multiple * multiple for side in size])
session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
fed = np.asarray(image, np.float32)[None] / 127.5 - 1
painted = session.run(None, {session.get_inputs()[0].name: fed})[0][0]
Image.fromarray(((painted + 1) * 127.5).clip(0, 255).astype(np.uint8)).resize(size).save(out)
"""


class Row(NamedTuple):
    network: str
    milliseconds: float  # median
    ratio: float | None  # of AnimeGANv2's time over this one's
    gmac: float | None
    share_of_peak: float | None
    peak_mib: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", nargs="*", type=Path, default=[], metavar="FILE.onnx")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "docs" / "benchmarks.md")
    args = parser.parse_args()
    torch.set_num_threads(cpu_threads())
    write_report(measured(args.against, args.rounds, matrix_product_peak()), args.out)


def write_report(sections: Iterable[str], out: Path) -> None:
    """Prints each section as soon as it is measured, and writes all of them to out."""
    written = []
    for section in sections:
        print(section, flush=True)
        written.append(section)
    out.write_text("\n".join(written), encoding="utf-8")


def measured(against: list[Path], rounds: int, peak: float) -> Iterator[str]:
    """The report's sections, in Markdown."""
    yield header(peak)
    for size, (height, width) in SIZES.items():
        yield f"## {size}\n\n" + table(measure_size(height, width, against, rounds, peak))
    yield "## The whole command, process start to file on disk\n\n" + cold_start(against, rounds)
    yield "## Import\n\n" + imports()


def header(peak: float) -> str:
    return (
        "# Benchmarks\n\n"
        f"Written by `scripts/bench.py` on {datetime.date.today()}: {platform.machine()}, {cpu_threads()} threads, "
        f"Python {platform.python_version()}, onnxruntime {onnxruntime.__version__}, torch {torch.__version__}. "
        f"Measured peak of a float32 matrix product in PyTorch: {peak:.0f} GMAC/s. Times are medians of painting one "
        "uint8 picture to one uint8 picture, conversion included, all networks in turn in one process; ratios "
        "compare medians of one run. GMAC counts convolutions. Memory is what painting adds to a process.\n"
    )


def matrix_product_peak() -> float:
    """GMAC/s of the best of several float32 products of 2048 x 2048."""
    a = torch.rand(2048, 2048)
    best = float("inf")
    for _ in range(6):
        started = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - started)
    return 2048**3 / best / 1e9


def painters(against: list[Path], height: int, width: int) -> dict[str, Callable[[], Callable[[RGB], RGB]]]:
    """How to get each painter that takes this size, by name; loaded only when called."""
    found: dict[str, Callable[[], Callable[[RGB], RGB]]] = {
        f"photo2anime {OUR_STYLE}": lambda: Stylizer.load(OUR_STYLE, device="cpu").paint,
        REFERENCE: lambda: animeganv2().paint,
    }
    for file in against:
        fixed = Stylizer.load(file, device="cpu").card.fixed_size
        if fixed is None or fixed == (height, width):
            found[file.stem] = partial(load_file, file)
    return found


def load_file(file: Path) -> Callable[[RGB], RGB]:
    """An .onnx file that always runs whole."""
    return Stylizer.load(file, device="cpu", tile_px=1 << 20).paint


def animeganv2() -> Stylizer:
    """AnimeGANv2's generator, untrained, in PyTorch as its users run it."""
    network = AnimeGANv2Generator().eval()

    def run(batch: Batch) -> Batch:
        with torch.inference_mode():
            anime: Batch = network(torch.from_numpy(batch)).numpy()
        return anime

    card = list_styles()[OUR_STYLE]
    return Stylizer(run, replace(card, mean_color=False), tile_px=1 << 20)


def measure_size(height: int, width: int, against: list[Path], rounds: int, peak: float) -> list[Row]:
    photo = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    ways = painters(against, height, width)
    loaded = {name: load() for name, load in ways.items()}
    times: dict[str, list[float]] = {name: [] for name in loaded}
    for paint in loaded.values():
        paint(photo[:256, :256] if height * width > 512**2 else photo)  # warm up
    for _ in range(rounds):
        for name, paint in loaded.items():
            repeats = 3 if name.startswith("photo2anime") else 1
            for _ in range(repeats):
                started = time.perf_counter()
                paint(photo)
                times[name].append(time.perf_counter() - started)
    seconds = {name: statistics.median(values) for name, values in times.items()}
    rows = []
    for name in loaded:
        gmac = count_gmac(name, against, height, width)
        rate = gmac / seconds[name] / peak if gmac else None
        peak_mib = peak_memory(name, against, height, width)
        rows.append(Row(name, seconds[name] * 1e3, seconds[REFERENCE] / seconds[name], gmac, rate, peak_mib))
    return rows


def count_gmac(name: str, against: list[Path], height: int, width: int) -> float | None:
    """Multiply-accumulates of all convolutions at this size, in 1e9, from the shapes ONNX or PyTorch infers."""
    if name == REFERENCE:
        return torch_gmac(AnimeGANv2Generator(), height, width)
    file = next((f for f in against if f.stem == name), BUNDLES / list_styles()[OUR_STYLE].file)
    return onnx_gmac(file, height, width)


def torch_gmac(network: nn.Module, height: int, width: int) -> float:
    """Counted on the meta device: shapes only, no arithmetic."""
    total = 0

    def count(layer: nn.Module, _: object, out: torch.Tensor) -> None:
        nonlocal total
        total += out.numel() * layer.weight[0].numel()  # type: ignore[index]

    network = network.to("meta")
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    network(torch.empty(1, 3, height, width, device="meta"))
    return total / 1e9


def onnx_gmac(file: Path, height: int, width: int) -> float | None:
    """Counted from the shapes of a run with every convolution's output exposed, at 128x128, and scaled to the size."""
    import onnx

    model = onnx.load(file)
    weights = {i.name: list(i.dims) for i in model.graph.initializer}
    weights |= {
        n.output[0]: weights[n.input[0]] for n in model.graph.node if n.op_type == "Cast" and n.input[0] in weights
    }
    dims = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    fixed = all(dims)
    side = dims[1] if fixed else 128
    convolutions = [n for n in model.graph.node if n.op_type == "Conv" and n.input[1] in weights]
    if not convolutions:
        return None
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=n.output[0]) for n in convolutions)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    picture, *others = session.get_inputs()
    shape = (1, side, side, 3) if picture.shape[3] == 3 else (1, 3, side, side)
    fed = {picture.name: np.zeros(shape, np.float32)} | {o.name: np.zeros(o.shape, np.float32) for o in others}
    outputs = session.run(None, fed)
    total = sum(out.size * int(np.prod(weights[n.input[1]][1:])) for n, out in zip(convolutions, outputs, strict=True))
    return float(total / 1e9 * height * width / side**2)


def peak_memory(name: str, against: list[Path], height: int, width: int) -> float:
    """MiB that painting once takes in a fresh process, beyond what the process had after its imports."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_paint_once, (name, against, height, width))


def _paint_once(name: str, against: list[Path], height: int, width: int) -> float:
    torch.set_num_threads(cpu_threads())
    photo = np.zeros((height, width, 3), np.uint8)
    if not Path("/proc/self/clear_refs").exists():
        return float("nan")  # only Linux tells the peak since a moment
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the imports
    before = _status_kib("VmRSS")
    painters(against, height, width)[name]()(photo)
    return (_status_kib("VmHWM") - before) / 1024


def _status_kib(field: str) -> int:
    rows = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(rows[field].split()[0])


def table(rows: list[Row]) -> str:
    lines = [
        "| network | ms | times faster than AnimeGANv2 | GMAC | share of peak | memory, MiB |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        gmac = f"{row.gmac:.1f}" if row.gmac else ""
        share = f"{row.share_of_peak:.0%}" if row.share_of_peak else ""
        ratio = "" if row.ratio is None else f"{row.ratio:.1f}"
        lines.append(f"| {row.network} | {row.milliseconds:.0f} | {ratio} | {gmac} | {share} | {row.peak_mib:.0f} |")
    return "\n".join(lines) + "\n"


def cold_start(against: list[Path], rounds: int) -> str:
    """A 1920x1080 JPEG through `photo2anime paint`, beside a plain script with each network of free size, in turn."""
    lines = ["| command | s, median | over photo2anime | of it the network |", "|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        photo, out = f"{folder}/photo.jpg", f"{folder}/out.jpg"
        write_test_photo(photo)
        paint = [sys.executable, "-m", "photo2anime", "paint", photo, "-o", out, "--overwrite"]
        commands = {"photo2anime paint": paint}
        for file in against:
            card = Stylizer.load(file, device="cpu").card
            if card.fixed_size is None:
                plain = [sys.executable, "-c", PLAIN_SCRIPT, str(file), photo, out, str(card.multiple_of)]
                commands[f"plain script, {file.stem}"] = plain
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(rounds + 1):
            for name, command in commands.items():
                started = time.perf_counter()
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                times[name].append(time.perf_counter() - started)
        medians = {name: statistics.median(values[1:]) for name, values in times.items()}
        stylizer = Stylizer.load(OUR_STYLE, device="cpu", precision="auto")
        rgb = np.asarray(Image.open(photo))
        network = statistics.median(network_seconds(stylizer, rgb) for _ in range(3))
    ours = medians["photo2anime paint"]
    for name, seconds in medians.items():
        share = f"{network / seconds:.0%}" if name == "photo2anime paint" else ""
        lines.append(f"| {name} | {seconds:.2f} | {seconds / ours:.1f} | {share} |")
    return "\n".join(lines) + "\n"


def network_seconds(stylizer: Stylizer, rgb: RGB) -> float:
    """The time the network itself takes for a picture, without conversion."""
    from photo2anime.inference.pixels import pad_bottom_right, to_batch

    batch = to_batch(pad_bottom_right(rgb, -(-rgb.shape[0] // 8) * 8, -(-rgb.shape[1] // 8) * 8))
    started = time.perf_counter()
    stylizer.network(batch)
    return time.perf_counter() - started


def write_test_photo(file: str) -> None:
    """An example photo enlarged to 1920x1080, as JPEG."""
    examples = Path(__file__).parent.parent / "examples"
    Image.open(examples / "coast.jpg").resize((1920, 1080)).save(file, quality=92)


def imports() -> str:
    """Milliseconds of importing in a fresh process, above a bare interpreter; medians of alternating runs."""
    modules = ["photo2anime", "onnxruntime", "numpy"]
    times: dict[str, list[float]] = {name: [] for name in ["", *modules]}
    for _ in range(9):
        for name in times:
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", f"import {name}" if name else "pass"], check=True)
            times[name].append(time.perf_counter() - started)
    bare = statistics.median(times[""])
    cost = {name: (statistics.median(times[name]) - bare) * 1e3 for name in modules}
    lines = ["| module | ms | share of onnxruntime's |", "|---|---|---|"]
    lines += [f"| {name} | {ms:.0f} | {ms / cost['onnxruntime']:.2f} |" for name, ms in cost.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
