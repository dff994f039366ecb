"""What goes wrong around `paint`: homes, memory, signals, names that are taken, folders that cannot be read."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import ROOT, photo_of
from photo2anime import Photo2AnimeError, list_styles, styles
from photo2anime.cli import main
from photo2anime.commands.sources import find_sources
from photo2anime.images.image_io import read_image
from photo2anime.styles import installed_styles, shipped_styles
from test_runtime import write_network

SMALL = ["--max-side", "16"]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "photo.jpg"
    Image.fromarray(photo_of(24, 32)).save(file, quality=95)
    return file


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed styles."""
    folder = tmp_path / "home" / "styles"
    folder.mkdir(parents=True)
    monkeypatch.setenv("PHOTO2ANIME_HOME", str(folder.parent))
    list_styles.cache_clear()
    yield folder
    list_styles.cache_clear()


def save(file: Path, seed: int = 0) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(photo_of(16, 16, seed)).save(file)
    return file


# Home


@pytest.fixture
def _no_own_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("PHOTO2ANIME_HOME", "XDG_DATA_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    list_styles.cache_clear()
    yield
    list_styles.cache_clear()


@pytest.mark.usefixtures("_no_own_home")
def test_a_user_without_a_home_has_the_shipped_styles(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    assert main(["paint", str(photo), *SMALL]) == 0 and main(["styles"]) == 0
    assert list_styles() == shipped_styles() and "no home folder" in installed_styles()[1][0]
    with pytest.raises(Photo2AnimeError, match="set PHOTO2ANIME_HOME"):
        styles.styles_folder()
    assert main(["import", str(photo.with_suffix(".onnx")), "--name", "x"]) == 2


@pytest.mark.usefixtures("_no_own_home")
def test_a_home_that_may_not_be_read_has_the_shipped_styles(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/root")

    def refuse(folder: object) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(styles.os, "scandir", refuse)
    cards, problems = installed_styles()
    assert cards == {} and "cannot be read (Permission denied)" in problems[0]
    assert list_styles() == shipped_styles()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="becoming another user takes root")
def test_another_user_with_the_home_of_root_paints(photo: Path, tmp_path: Path) -> None:
    """In earnest: a process that has become uid 54321, which has no entry, with HOME=/root and without HOME."""
    tmp_path.chmod(0o777)
    for folder in tmp_path.parents:
        if folder.stat().st_uid == 0 and str(folder).startswith("/tmp/pytest"):
            folder.chmod(0o755)
    code = (
        "import os, sys, photo2anime.cli, photo2anime.commands.paint_files, photo2anime.inference.runtime\n"
        "import photo2anime.painting.stylizer, psutil\n"
        "from PIL import Image; Image.preinit(); Image.init()\n"  # modules may lie where that user cannot read
        "os.setgroups([]); os.setgid(54321); os.setuid(54321)\n"
        "sys.exit(photo2anime.cli.main(sys.argv[1:]))"
    )
    for environment in ({"HOME": "/root"}, {}):
        rest = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src")}
        command = [sys.executable, "-c", code, "paint", str(photo), *SMALL]
        done = subprocess.run(command, env={**rest, **environment}, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        photo.with_name("photo-hayao.jpg").unlink()


# The user's own styles


def own_style(home: Path, name: str, **facts: object) -> None:
    row = {"file": f"{name}.onnx", "sha256": "0" * 64, "description": "mine"} | facts
    text = "".join(f"{key} = {value!r}\n".replace("'", '"') for key, value in row.items())
    (home / f"{name}.toml").write_text(f"[{name}]\n{text}")


def test_one_broken_style_of_the_users_own_stops_no_other(
    photo: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_style(home, "broken")
    (home / "broken.onnx").write_bytes(b"half a downl")
    own_style(home, "gone")
    (home / "junk.toml").write_text("not = [toml")
    for wish in (["-s", "all"], ["--compare"], ["-s", "hayao,all"]):
        assert main(["paint", str(photo), *SMALL, *wish]) == 0
        said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("left out: ")]
        assert len(said) == 3
        assert {"broken", "gone"} <= {line.split()[3].rstrip(":") for line in said if "style " in line}
    assert all(photo.with_name(f"photo-{name}.jpg").exists() for name in [*shipped_styles(), "compare"])
    assert main(["paint", str(photo), "-s", "broken"]) == 2  # by its name it is an error


@pytest.mark.parametrize(
    "facts", [{"halo": "wide"}, {"multiple_of": 0}, {"tiling": "often"}, {"file": "../x.onnx"}, {"max_side": 1.5}]
)
def test_rows_that_cannot_be_are_told_not_believed(home: Path, facts: dict[str, object]) -> None:
    own_style(home, "odd", **facts)
    cards, problems = installed_styles()
    assert cards == {} and len(problems) == 1 and "odd.toml is no row of one style" in problems[0]


# Memory


def test_memory_that_runs_out_costs_one_photo(tmp_path: Path) -> None:
    for name, side in (("a", 100), ("big", 3000), ("z", 100)):
        Image.new("RGB", (side, side), "teal").save(tmp_path / f"{name}.png")
    command = [sys.executable, "-m", "photo2anime", "paint", *(str(tmp_path / f"{n}.png") for n in ("a", "big", "z"))]

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (900 << 20, 900 << 20))

    one_window = ["--drawn-px", "0", "--tile", "3000"]  # in one go, for which this is too little
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, *one_window], preexec_fn=limit, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    lines = done.stderr.strip().splitlines()
    assert lines[0].startswith(f"{tmp_path}/big.png: memory ran out"), done.stderr
    assert lines[1:] == ["2 painted, 1 failed"]
    assert all((tmp_path / f"{name}-hayao.png").exists() for name in ("a", "z"))


def test_memory_that_runs_out_anywhere_is_one_line(
    photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from photo2anime.inference import runtime
    from photo2anime.painting.stylizer import Stylizer

    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(runtime.OnnxNetwork, "_run", fail)
    assert main(["paint", str(photo)]) == 1
    assert "memory ran out at" in capsys.readouterr().err
    monkeypatch.setattr(Stylizer, "paint_picture", fail)
    assert main(["paint", str(photo)]) == 1
    assert capsys.readouterr().err.startswith(f"{photo}: memory ran out; try --max-side")


# Signals


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_stopping_early_shows_no_traceback(photo: Path, sent: signal.Signals) -> None:
    """At many moments, imports among them. Python's own start, before any of our lines, cannot be met."""
    command = [sys.executable, "-m", "photo2anime", "paint", str(photo)]
    for delay in np.linspace(0.03, 0.8, 12):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        time.sleep(delay)
        process.send_signal(sent)
        _, error = process.communicate(timeout=60)
        if not any(name in error for name in (b'__main__.py"', b'cli.py"')) and b"Traceback" in error:
            continue
        assert b"Traceback" not in error and error.count(b"\n") <= 1, error
        assert process.returncode in (0, 130, 143, -sent)
    assert not list(photo.parent.glob(".photo2anime*"))


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path: Path) -> None:
    """The short form of scripts/kill_runs.py, which is run longer before a release."""
    command = [sys.executable, str(ROOT / "scripts" / "kill_runs.py"), "--seed", "11", "--seconds", "25"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "0 findings" in done.stdout, done.stdout + done.stderr
    assert " 0 moments" not in done.stdout


# Names


def test_a_file_that_is_there_is_replaced_only_when_asked(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = save(tmp_path / "holiday.jpg", 7)
    before = other.read_bytes()
    assert main(["paint", str(photo), "-o", str(other)]) == 1
    assert "holiday.jpg is there already; give another -o, or --overwrite" in capsys.readouterr().err
    assert other.read_bytes() == before
    assert main(["paint", str(photo), "-o", str(other), "--skip-existing"]) == 0 and other.read_bytes() == before
    assert main(["paint", str(photo), "-o", str(other), "--overwrite"]) == 0 and other.read_bytes() != before
    for out in ([], ["-o", f"{tmp_path}/folder/"]):  # the usual name: the same command again works
        assert main(["paint", str(photo), *out]) == 0 and main(["paint", str(photo), *out]) == 0


def test_a_broken_link_that_stands_for_the_target_is_not_replaced(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "link.jpg").symlink_to("nowhere.jpg")
    assert main(["paint", str(photo), "-o", str(tmp_path / "link.jpg")]) == 1
    assert (tmp_path / "link.jpg").is_symlink()


@pytest.mark.parametrize("name", ["x.heic", "x.psd", "x.docx", "deep/x.jpx"])
def test_a_name_that_cannot_be_written_makes_no_folder(
    photo: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["paint", str(photo), "-o", str(tmp_path / "new" / name)]) == 2
    said = capsys.readouterr().err
    assert f"cannot write {Path(name).suffix}; use .jpg" in said and said.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_folders_may_have_dots(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "a.b").mkdir()
    for out in ("2024.05", "v1.2", "a.b", "new.d/"):
        assert main(["paint", str(photo), "-o", f"{tmp_path}/{out}", *SMALL]) == 0
        assert (tmp_path / out / "photo-hayao.jpg").exists()


def test_photos_that_differ_in_the_extension_have_a_result_each(tmp_path: Path) -> None:
    from pillow_heif import from_pillow

    folder = tmp_path / "in"
    save(folder / "IMG.jpg", 1)
    from_pillow(Image.fromarray(photo_of(16, 16, 2))).save(folder / "IMG.heic", quality=90)
    save(folder / "IMG.png", 3)  # its result is a PNG, so it stands in nobody's way
    for _ in range(2):
        assert main(["paint", "-r", str(folder), "--strength", "0"]) == 0
        assert main(["paint", *map(str, sorted(folder.glob("IMG.*"))), "-o", str(tmp_path / "out")]) == 0
    names = {"IMG-hayao.jpg", "IMG-jpg-hayao.jpg", "IMG-hayao.png"}
    assert {file.name for file in (tmp_path / "out").iterdir()} == names
    assert {file.name for file in folder.glob("*hayao*")} == names
    shown = read_image(folder / "IMG-jpg-hayao.jpg").rgb.astype(int)
    assert np.abs(shown - photo_of(16, 16, 1)).mean() < 30 < np.abs(shown - photo_of(16, 16, 2)).mean() + 20
    assert main(["paint", "-r", str(folder), "-f", "webp"]) == 0
    webp = {"IMG-hayao.webp", "IMG-jpg-hayao.webp", "IMG-png-hayao.webp"}
    assert {file.name for file in folder.glob("*.webp")} == webp


def test_results_are_never_painted_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    for name in ("a.png", "deep/b.png", "deep/er/a.png"):
        save(folder / name)
    network = write_network(tmp_path / "own.onnx")
    assert main(["paint", "-r", str(folder), "-o", str(folder / "out")]) == 0
    assert main(["paint", "-r", str(folder), "-o", str(folder / "other" / "place"), "-s", str(network)]) == 0
    before = {file for file in folder.rglob("*") if file.is_file()}
    assert len(before) == 9
    for out in (folder / "out", folder / "other" / "place"):
        assert main(["paint", "-r", str(folder), "-o", str(out), "-s", f"hayao,{network}"]) == 0
    after = {file for file in folder.rglob("*") if file.is_file()}
    assert not [file for file in after if "-hayao-" in file.name or "-own-" in file.name]
    assert main(["paint", "-r", str(folder), "-s", f"hayao,{network}"]) == 0
    assert len(list(folder.rglob("*-*.png"))) == len(after) - 3 + 6
    assert "results of earlier runs" in capsys.readouterr().err


# Folders


def test_everything_that_is_skipped_is_counted_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    for name in ("a.ppm", "b.ico", "c.jp2", "deep/d.pgm"):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo_of(16, 16)[..., 0] if name.endswith("pgm") else photo_of(16, 16)).save(file)
    save(tmp_path / "elsewhere" / "x.png")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "lost.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(folder / "pipe.jpg")
    for name in ("notes.txt", "raw.psd", ".DS_Store", "Thumbs.db"):
        (folder / name).write_text("x")
    assert main(["paint", "-r", str(folder), "-o", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().err
    for part in ("2 other files: notes.txt, raw.psd", "1 linked folders, which are not followed", "linked\n"):
        assert part in said
    assert "1 links that lead nowhere: lost.jpg" in said and "1 pipes or devices: pipe.jpg" in said
    assert "Thumbs.db" not in said and ".DS_Store" not in said
    found = sorted(str(file.relative_to(tmp_path / "out")) for file in (tmp_path / "out").rglob("*.png"))
    assert found == ["a-hayao.png", "b-hayao.png", "c-hayao.png", "deep/d-hayao.png"]


def test_a_folder_that_cannot_be_opened_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "secret").mkdir()
    real = os.scandir

    def refuse(folder: str) -> object:
        if str(folder).endswith("secret"):
            raise PermissionError(13, "Permission denied", str(folder))
        return real(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert main(["paint", "-r", str(tmp_path / "in")]) == 1
    assert "secret: cannot be opened (Permission denied)" in capsys.readouterr().err
    assert (tmp_path / "in" / "a-hayao.png").exists()


def test_many_skipped_files_are_named_up_to_twenty(tmp_path: Path) -> None:
    for i in range(30):
        (tmp_path / f"{i:02}.txt").write_text("x")
    found = find_sources([str(tmp_path)], recursive=True, out=None, suffix=None, style_names=[])
    assert found.notes[0].endswith("18.txt, 19.txt and 10 more") and "30 other files" in found.notes[0]


# Pipes


def test_a_photo_through_a_pipe(photo: Path, tmp_path: Path) -> None:
    command = f"{sys.executable} -m photo2anime paint <(cat {photo})"
    done = subprocess.run(["bash", "-c", f"{command} -o {tmp_path}/out.png"], capture_output=True, check=False)
    assert done.returncode == 0 and Image.open(tmp_path / "out.png").size == (32, 24), done.stderr
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    assert done.returncode == 1 and b"no folder for its result; give -o" in done.stderr
