"""The shape of the code: what imports what, what start-up costs, what is written down."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from conftest import ROOT
from photo2anime.enlarge import NETWORK, NETWORK_SHA256
from photo2anime.faces import DETECTOR, DETECTOR_SHA256
from photo2anime.styles import in_int8, shipped_styles
from photo2anime.weights import BUNDLES, local_file, sha256

SOURCE = ROOT / "src" / "photo2anime"
LAYERS = {  # each module may import those of lower rank
    "types": 0,
    "pixels": 1,
    "styles": 1,
    "grades": 2,
    "tiling": 2,
    "weights": 2,
    "onnx_file": 1,
    "runtime": 2,
    "metadata": 1,
    "media": 1,
    "colors": 1,
    "codes": 2,
    "decode": 3,
    "tiffs": 4,
    "image_io": 5,
    "sources": 6,
    "arguments": 1,
    "faces": 3,
    "enlarge": 3,
    "eyes": 3,
    "compose": 4,
    "portraits": 5,
    "stylizer": 6,
    "compare": 7,
    "painting": 8,
    "doctor": 7,
    "train": 7,
    "video": 7,
    "web": 8,
    "app": 9,
    "serve_command": 10,
    "cli": 11,
    "__main__": 12,
}


def imported(file: Path) -> set[str]:
    """Modules of this package that file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("photo2anime"):
            parts = node.module.split(".")
            names |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
    return names


@pytest.mark.parametrize("file", sorted(SOURCE.rglob("*.py")), ids=lambda f: str(f.relative_to(SOURCE)))
def test_imports_go_one_way(file: Path) -> None:
    parts = file.relative_to(SOURCE).with_suffix("").parts
    if parts == ("__init__",):
        return
    own = LAYERS[parts[0]]
    for name in imported(file) - {"__version__", "Stylizer", "list_styles", "Photo2AnimeError"}:
        assert LAYERS[name] < own or name == parts[0], f"{file.name} imports {name}"


@pytest.mark.parametrize("module", ["photo2anime", "photo2anime.cli", "photo2anime.painting"])
def test_nothing_heavy_is_imported(module: str) -> None:
    banned = {"torch", "gradio", "av", "cv2", "onnx", "scipy", "tqdm", "pillow_heif"}
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
    assert local_file(card).stat().st_size <= 5e6
    assert card.description and card.license and card.sha256 and card.tiling == "exact"
    text = (ROOT / "docs" / "cards" / f"{Path(card.file).stem}.md").read_text(encoding="utf-8")
    assert card.sha256 in text
    if card.int8_file:
        assert local_file(in_int8(card)).stat().st_size <= 0.6 * local_file(card).stat().st_size
    for word in ("## Data", "## Recipe", "seed", "## Figures", "## Failures", "## Licence"):
        assert word in text, word


def test_every_bundle_belongs_to_a_style() -> None:
    styles = {file for card in shipped_styles().values() for file in (card.file, card.int8_file) if file}
    assert {file.name for file in BUNDLES.glob("*.onnx")} == styles | {DETECTOR, NETWORK}


def test_the_enlarger_is_the_shipped_one() -> None:
    assert sha256(BUNDLES / NETWORK) == NETWORK_SHA256


def test_the_face_detector_is_the_published_one_with_its_licence() -> None:
    assert sha256(BUNDLES / DETECTOR) == DETECTOR_SHA256
    licence = (BUNDLES / DETECTOR).with_suffix(".LICENSE").read_text(encoding="utf-8")
    assert "MIT License" in licence and "Shiqi Yu" in licence and DETECTOR in licence


def test_readme_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    shutil.copyfile(ROOT / "examples" / "china.jpg", tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.S)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})


def test_readme_commands_parse() -> None:
    from photo2anime.cli import _parser

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^photo2anime (.+?)(?:\s+#.*)?$", text, flags=re.M)
    assert len(commands) >= 5
    for command in commands:
        assert _parser().parse_args(command.split())


def test_version_is_the_same_everywhere() -> None:
    import photo2anime

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == photo2anime.__version__
    assert f"## [{photo2anime.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
