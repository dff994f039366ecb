"""The fuzzer itself: it makes the same files again, tries them, and tells of what must not happen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
import fuzz
import fuzz_corpus


@pytest.mark.parametrize("kind", ["picture", "network"])
def test_files_depend_on_seed_and_number_alone(kind: str) -> None:
    first, again, other = (fuzz.files(kind, seed) for seed in (3, 3, 4))
    some = [[next(stream) for _ in range(12)] for stream in (first, again, other)]
    assert some[0] == some[1] and some[0] != some[2]


def test_every_format_is_among_them() -> None:
    from photo2anime.images.image_io import read_image

    formats = set()
    for extension, data in fuzz_corpus.pictures():
        formats.add(extension)
        assert read_image(data).rgb.size, extension
    assert formats >= {"jpg", "mpo", "png", "gif", "bmp", "webp", "avif", "tif", "jp2", "ico", "ppm", "heic"}


def test_a_short_run_finds_nothing(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "fuzz.py"), "--pictures", "40", "--keep", str(tmp_path / "keep")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "pictures: 40 tried" in done.stdout and "0 findings" in done.stdout, done.stdout


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("raise TypeError('x')", "TypeError"),
        ("os._exit(3)", "died"),
        ("os.kill(os.getpid(), 11)", "died"),
        ("open(arguments[1], 'ab').write(b'x')", "the source was changed"),
        ("open(arguments[1] + '.tmp', 'w')", "left over"),
        ("print('Traceback (most recent call last):', file=sys.stderr)", "exit code"),
        ("[0 for _ in iter(int, 1)]", "hangs"),
    ],
)
def test_what_must_not_happen_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, said: str) -> None:
    """Each is done by a stand-in for the program."""
    program = tmp_path / "fuzz_child.py"
    program.write_text(
        "import os, sys, types\n"
        f"sys.path.insert(0, {str(ROOT / 'scripts')!r})\n"
        f"def main(arguments):\n    {fault}\n    return 1\n"
        "import photo2anime.cli\nphoto2anime.cli.main = main\nimport fuzz\nfuzz.child()\n"
    )
    monkeypatch.setattr(fuzz, "__file__", str(program))
    monkeypatch.setattr(fuzz, "HANG_SECONDS", 0.5)
    worker = fuzz.Child("picture", tmp_path)
    accepted, wrong = fuzz.try_one("picture", "png", b"x", worker, tmp_path)
    assert not accepted and said in wrong
    worker.close()
