"""The shape of the code: what imports what, what start-up costs, what is written down."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from conftest import ROOT
from photo2anime.inference.weights import BUNDLES, local_file, sha256
from photo2anime.painting.enlarge import NETWORK, NETWORK_SHA256
from photo2anime.painting.faces import DETECTOR, DETECTOR_SHA256
from photo2anime.styles import in_fast, in_int8, shipped_styles

SOURCE = ROOT / "src" / "photo2anime"
LAYERS = {  # each module or room may import those of lower rank, and a room what lies in it
    "types": 0,
    "extras": 1,
    "styles": 1,
    "inference.onnx_file": 1,
    "inference.pixels": 1,
    "inference.runtime": 2,
    "inference.weights": 2,
    "inference.tiling": 2,
    "images.colors": 1,
    "images.xmp": 1,
    "images.metadata": 2,
    "images.color_codes": 2,
    "images.decode": 3,
    "images.tiff": 4,
    "images.jxl": 4,
    "images.raw": 4,
    "images.temporary": 1,
    "images.image_io": 5,
    "painting.grades": 3,
    "painting.faces": 3,
    "painting.eyes": 3,
    "painting.enlarge": 3,
    "painting.compose": 4,
    "painting.portraits": 5,
    "painting.stylizer": 6,
    "options": 7,
    "painting.comparison": 7,
    "video": 8,
    "batch.records": 9,
    "batch.store": 9,
    "batch.listing": 10,
    "batch.cluster": 10,
    "batch.manifest": 10,
    "batch.worker": 11,
    "batch.styles": 12,
    "batch.shards": 12,
    "batch.films": 12,
    "batch.report": 12,
    "batch.run": 13,
    "batch.estimate": 13,
    "train.config": 9,
    "train.distributed": 9,
    "train.networks": 10,
    "train.data": 11,
    "train.learning": 12,
    "train.evaluation": 13,
    "train.publishing": 14,
    "web.settings": 9,
    "web.text": 9,
    "web.errors": 9,
    "web.error_messages": 10,
    "web.server": 11,
    "web.api": 12,
    "web.page": 12,
    "web.app": 13,
    "web.on_device": 14,
    "commands.arguments": 7,
    "commands.sources": 8,
    "commands": 15,
    "cli": 16,
    "__main__": 17,
}


def layer(module: str) -> str:
    """The longest name in LAYERS that module, without photo2anime, is or lies in."""
    parts = module.split(".")
    names = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next(name for name in names if name in LAYERS)


def imported(file: Path) -> set[str]:
    """Modules of this package that file imports, anywhere in it, without the package's own name."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("photo2anime"):
            below = node.module.removeprefix("photo2anime").lstrip(".")
            if (SOURCE / below.replace(".", "/")).is_dir():
                names |= {f"{below}.{alias.name}".lstrip(".") for alias in node.names}
            else:
                names.add(below)
    return names


@pytest.mark.parametrize("file", sorted(SOURCE.rglob("*.py")), ids=lambda f: str(f.relative_to(SOURCE)))
def test_imports_go_one_way(file: Path) -> None:
    if file.name == "__init__.py":
        return
    own = layer(".".join(file.relative_to(SOURCE).with_suffix("").parts))
    for name in imported(file) - {"__version__", "Stylizer", "list_styles", "Photo2AnimeError"}:
        assert LAYERS[layer(name)] < LAYERS[own] or layer(name) == own, f"{file.name} imports {name}"


@pytest.mark.parametrize("module", ["photo2anime", "photo2anime.cli", "photo2anime.commands.paint_files"])
def test_nothing_heavy_is_imported(module: str) -> None:
    banned = {
        "torch",
        "gradio",
        "av",
        "cv2",
        "onnx",
        "scipy",
        "tqdm",
        "pillow_heif",
        "pillow_jxl",
        "rawpy",
        "brotli",
        "ray",
        "pyarrow",
    }
    banned |= {"onnxruntime", "numpy", "PIL"} if module == "photo2anime" else {"onnxruntime"}
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not banned & set(loaded)


def test_painting_never_imports_torch() -> None:
    code = (
        "import sys, numpy; from photo2anime import Stylizer;"
        "Stylizer.load('hayao')(numpy.zeros((8, 8, 3), numpy.uint8)); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "onnx", "psutil.tests"} & set(loaded)


def test_range_conversion_lives_in_pixels() -> None:
    allowed = {"pixels.py", "features.py", "export.py"}  # features: VGG's own input range; export: the unit of an error
    found = {file.name for file in SOURCE.rglob("*.py") if "127.5" in file.read_text(encoding="utf-8")}
    assert found <= allowed


def test_files_stay_small() -> None:
    for file in SOURCE.rglob("*.py"):
        assert len(file.read_text(encoding="utf-8").splitlines()) <= 300, file


@pytest.mark.parametrize("name", shipped_styles())
def test_every_style_is_complete(name: str) -> None:
    card = shipped_styles()[name]
    assert local_file(card).stat().st_size <= 5.1e6  # portrait.onnx serves two styles
    assert card.description and card.license and card.sha256 and card.tiling == "exact"
    text = (ROOT / "docs" / "cards" / f"{Path(card.file).stem}.md").read_text(encoding="utf-8")
    assert card.sha256 in text
    if card.int8_file:
        assert local_file(in_int8(card)).stat().st_size <= 0.6 * local_file(card).stat().st_size
    if card.fast_file:
        assert local_file(in_fast(card)).stat().st_size < local_file(in_int8(card)).stat().st_size
        assert str(card.fast_sha256) in text
    for word in ("## Data", "## Recipe", "seed", "## Figures", "## Failures", "## Licence"):
        assert word in text, word


def test_every_bundle_belongs_to_a_style() -> None:
    files = {file for card in shipped_styles().values() for file in (card.file, card.int8_file, card.fast_file)}
    assert {file.name for file in BUNDLES.glob("*.onnx")} == (files - {None}) | {DETECTOR, NETWORK}


def test_the_enlarger_is_the_shipped_one() -> None:
    assert sha256(BUNDLES / NETWORK) == NETWORK_SHA256


def test_the_face_detector_is_the_published_one_with_its_licence() -> None:
    assert sha256(BUNDLES / DETECTOR) == DETECTOR_SHA256
    licence = (BUNDLES / DETECTOR).with_suffix(".LICENSE").read_text(encoding="utf-8")
    assert "MIT License" in licence and "Shiqi Yu" in licence and DETECTOR in licence


def test_version_is_the_same_everywhere() -> None:
    import photo2anime

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == photo2anime.__version__
    assert f"## [{photo2anime.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
