"""What `pip install photo2anime` gives: wheel and sdist, each in an environment of its own."""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from conftest import EXAMPLES, ROOT

MOST_BYTES = 25_000_000


def run(*command: str | Path, cwd: Path) -> str:
    return subprocess.run(list(map(str, command)), cwd=cwd, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both, made from the files here."""
    folder = tmp_path_factory.mktemp("package")
    source = folder / "source"
    made_here = shutil.ignore_patterns(".*", "out", "node_modules", "dist", "build", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT, source, ignore=made_here)
    runpy.run_path(str(ROOT / "scripts" / "wheel.py"))["put_page_into"](source)
    run(sys.executable, "-m", "build", "--outdir", folder / "dist", cwd=source)
    return folder / "dist"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"], ids=["wheel", "sdist"])
def test_it_installs_into_an_empty_environment_and_paints(built: Path, kind: str, tmp_path: Path) -> None:
    (package,) = built.glob(kind)
    assert package.stat().st_size < MOST_BYTES
    venv.create(tmp_path / "venv", with_pip=True)
    binaries = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    run(binaries / "python", "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", package, cwd=tmp_path)
    told = run(
        binaries / "photo2anime",
        EXAMPLES / "astronaut.jpg",
        "-s",
        "hayao",
        "-s",
        "portrait-v1",
        "-o",
        "out/",
        cwd=tmp_path,
    )
    assert "astronaut-hayao.jpg" in told and (tmp_path / "venv" / "share/man/man1/photo2anime.1").is_file()
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"astronaut-hayao.jpg", "astronaut-portrait-v1.jpg"}
