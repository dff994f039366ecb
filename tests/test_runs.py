"""The scripts that trained the shipped networks, from beginning to end with too little of everything."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from conftest import EXAMPLES, ROOT
from photo2anime import Stylizer
from test_runtime import write_network
from test_targets import write_upscaler

pytestmark = pytest.mark.slow


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of networks under the names that runs/looks.toml has: ones that change nothing, and an upscaler."""
    folder = tmp_path / "models"
    folder.mkdir()
    for look in tomllib.loads((ROOT / "runs" / "looks.toml").read_text()).values():
        for step in look["chain"].split(","):
            name, _, factor = step.partition("@")
            if factor:
                write_upscaler(folder / name, 4)
            elif name.endswith(".onnx"):
                write_network(folder / name)
    return folder


def run(script: str, *arguments: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [str(ROOT / "runs" / script), *map(str, arguments)]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"TINY": "1", "PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_cel_is_trained_from_photos_to_a_style(models: Path, tmp_path: Path) -> None:
    run("train_cel.sh", EXAMPLES, models, tmp_path / "runs")
    style = Stylizer.load(tmp_path / "runs" / "cel" / "export" / "cel.onnx")
    assert style.card.tiling == "exact" and not style.card.mean_color
    assert (tmp_path / "runs" / "cel-fast" / "export" / "cel-int8.onnx").is_file()
    assert Stylizer.load(tmp_path / "runs" / "cel" / "export" / "cel-int8.onnx")(EXAMPLES / "coffee.jpg").size == (
        600,
        400,
    )


def test_portraits_are_trained_from_faces_to_a_style(models: Path, tmp_path: Path) -> None:
    run("train_portraits.sh", EXAMPLES, EXAMPLES, models, tmp_path / "runs")
    assert Stylizer.load(tmp_path / "runs" / "portrait" / "export" / "portrait.onnx").card.multiple_of == 16


def test_a_pair_of_a_killed_process_is_drawn_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    code = "import sys, pathlib; from make_pairs import claimed; c = claimed(pathlib.Path(sys.argv[1]), 'a.png')"
    code += "; print(c is not None, flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, cwd=ROOT / "scripts") as other:
        assert other.stdout is not None and other.stdout.readline() == b"True\n"
        from make_pairs import claimed

        assert claimed(tmp_path, "a.png") is None  # the other one has it
        other.kill()
    claim = claimed(tmp_path, "a.png")
    assert claim is not None
    (tmp_path / "photo").mkdir()
    (tmp_path / "photo" / "a.png").write_bytes(b"")
    claim.close()
    assert claimed(tmp_path, "a.png") is None  # drawn
