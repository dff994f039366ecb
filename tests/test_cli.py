"""The command, as a user types it: exit codes, messages, files, streams."""

from __future__ import annotations

import argparse
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import ROOT, photo_of
from photo2anime import __version__, list_styles
from photo2anime.cli import main, parser_and_commands


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "photo.jpg"
    Image.fromarray(photo_of(48, 64)).save(file, quality=95)
    return file


def run(*arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "photo2anime", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, check=False)


def test_paint_puts_the_result_beside_the_photo(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = photo.read_bytes()
    assert main(["paint", str(photo)]) == 0
    result = photo.with_name("photo-hayao.jpg")
    assert Image.open(result).size == (64, 48) and Image.open(result).format == "JPEG"
    assert photo.read_bytes() == before
    assert str(result) in capsys.readouterr().out


def test_out_names_a_file_or_a_folder(photo: Path, tmp_path: Path) -> None:
    assert main(["paint", str(photo), "-o", str(tmp_path / "new" / "anime.webp")]) == 0
    assert Image.open(tmp_path / "new" / "anime.webp").format == "WEBP"
    assert main(["paint", str(photo), "--output", str(tmp_path / "folder") + "/"]) == 0
    assert (tmp_path / "folder" / "photo-hayao.jpg").exists()
    assert main(["paint", str(photo), "-o", str(tmp_path / "name")]) == 0  # no extension: the photo's
    assert Image.open(tmp_path / "name.jpg").format == "JPEG"


@pytest.mark.parametrize(
    ("format", "name"), [("png", "PNG"), ("webp", "WEBP"), ("avif", "AVIF"), ("jpg", "JPEG"), ("JPEG", "JPEG")]
)
def test_format_and_quality(photo: Path, format: str, name: str) -> None:
    assert main(["paint", str(photo), "-f", format, "-q", "70"]) == 0
    result = photo.with_name(f"photo-hayao.{'jpg' if format == 'JPEG' else format}")
    assert Image.open(result).format == name


def test_all_styles_at_once(photo: Path) -> None:
    assert main(["paint", str(photo), "-s", "all"]) == 0
    assert all(photo.with_name(f"photo-{style}.jpg").exists() for style in list_styles())


def test_side_by_side_max_side_and_strength(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    assert main(["paint", str(photo), "-o", str(out), "--side-by-side", "--max-side", "32", "--strength", "0"]) == 0
    both = np.asarray(Image.open(out))
    assert both.shape == (24, 64, 3) and np.array_equal(both[:, :32], both[:, 32:])


def test_alpha_survives_the_command(tmp_path: Path) -> None:
    alpha = np.tile(np.arange(40, dtype=np.uint8) * 6, (30, 1))
    Image.fromarray(np.dstack([photo_of(30, 40), alpha])).save(tmp_path / "a.png")
    assert main(["paint", str(tmp_path / "a.png"), "--keep-color"]) == 0
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a-hayao.png"))[..., 3], alpha)


def test_metadata_is_stripped_when_asked(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    exif.get_ifd(0x8825)[1] = "N"
    Image.fromarray(photo_of(16, 16)).save(tmp_path / "a.jpg", exif=exif)
    main(["paint", str(tmp_path / "a.jpg"), "-o", str(tmp_path / "kept.jpg")])
    main(["paint", str(tmp_path / "a.jpg"), "-o", str(tmp_path / "gone.jpg"), "--strip-metadata"])
    assert Image.open(tmp_path / "kept.jpg").getexif().get_ifd(0x8825)
    assert not Image.open(tmp_path / "gone.jpg").getexif()


def test_folders_keep_their_shape_and_own_results_are_not_painted_again(tmp_path: Path) -> None:
    source = tmp_path / "in"
    (source / "deep").mkdir(parents=True)
    for name in ("a.jpg", "deep/a.jpg", "deep/b.png"):
        Image.fromarray(photo_of(16, 16)).save(source / name)
    (source / "notes.txt").write_text("not a photo")
    assert main(["paint", str(source), "-r", "-o", str(tmp_path / "out")]) == 0
    found = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.*"))
    assert found == ["a-hayao.jpg", "deep/a-hayao.jpg", "deep/b-hayao.png"]
    assert main(["paint", str(source), "-r"]) == 0
    assert main(["paint", str(source), "-r"]) == 0
    assert len(list(source.rglob("*hayao*"))) == 3


def test_two_sources_never_share_a_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        Image.fromarray(photo_of(16, 16)).save(tmp_path / folder / "a.jpg")
    photos = [str(tmp_path / "x/a.jpg"), str(tmp_path / "y/a.jpg")]
    assert main(["paint", *photos, "-o", str(tmp_path / "out/")]) == 0
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["a-2-hayao.jpg", "a-hayao.jpg"]
    assert "2 painted" in capsys.readouterr().err
    assert main(["paint", *photos, "-o", str(tmp_path / "out/"), "--skip-existing"]) == 0
    assert "2 there already" in capsys.readouterr().err
    assert main(["paint", *photos, "-o", str(tmp_path / "x.jpg")]) == 2


def test_skip_existing(photo: Path) -> None:
    result = photo.with_name("photo-hayao.jpg")
    result.write_bytes(b"already here")
    assert main(["paint", str(photo), "--skip-existing"]) == 0
    assert result.read_bytes() == b"already here"


def test_one_bad_photo_does_not_stop_the_others(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.jpg").write_text("no picture")
    (tmp_path / "empty.jpg").write_text("")
    bad = [str(tmp_path / name) for name in ("bad.jpg", "empty.jpg", "missing.jpg")]
    assert main(["paint", *bad, str(photo), "--json"]) == 1
    captured = capsys.readouterr()
    assert photo.with_name("photo-hayao.jpg").exists()
    lines = captured.err.strip().splitlines()
    assert len(lines) == 3
    for name, said in zip(bad, ("not a picture", "empty", "no such file"), strict=True):
        assert any(line.startswith(f"{name}: ") and said in line for line in lines)
    rows = [json.loads(line) for line in captured.out.splitlines()]
    assert [("error" in row) for row in rows] == [True] * 3 + [False]
    assert rows[-1]["target"].endswith("photo-hayao.jpg") and rows[-1]["device"] == "cpu"


def test_the_source_is_safe(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = photo.read_bytes()
    assert main(["paint", str(photo), "-o", str(photo)]) == 1
    assert photo.read_bytes() == before and "--overwrite" in capsys.readouterr().err
    assert main(["paint", str(photo), "-o", str(photo), "--overwrite"]) == 0
    assert photo.read_bytes() != before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-s", "hayoa"], "did you mean hayao?"),
        (["-s", "nothing.onnx"], "no such file"),
        (["--strength", "2"], "outside 0 to 1"),
        (["--max-side", "0"], "not a number of pixels"),
        (["-q", "0"], "outside 1 to 100"),
        (["--device", "cuda"], "cuda was asked for"),
        (["--tile", "50"], "too small for hayao"),
        (["--max-megapixels", "nan"], "not a number of megapixels"),
        (["-q", "best"], "outside 1 to 100"),
        (["-s", ","], "no style was given"),
        (["-o", "x.heic"], "cannot write .heic"),
        (["-o", "x.jpg", "-f", "png"], "disagree"),
        (["-s", "all", "-o", "x.jpg"], "give a folder"),
        (["--styel", "cel"], "there is no option --styel (did you mean --style?); see `photo2anime help paint`"),
    ],
)
def test_bad_usage_exits_with_2(
    photo: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    try:
        code = main(["paint", str(photo), *arguments])
    except SystemExit as stopped:  # argparse's own way
        code = int(stopped.code or 0)
    told = capsys.readouterr().err
    assert code == 2 and said in told and told.count("\n") == 1


def test_photos_may_stand_after_options(photo: Path) -> None:
    other = photo.with_name("other.jpg")
    other.write_bytes(photo.read_bytes())
    assert main([str(photo), "-s", "cel", str(other)]) == 0
    assert photo.with_name("photo-cel.jpg").exists() and photo.with_name("other-cel.jpg").exists()


def test_standard_input_and_output(photo: Path) -> None:
    done = run("paint", "-", stdin=photo.read_bytes())
    assert done.returncode == 0, done.stderr
    assert Image.open(io.BytesIO(done.stdout)).size == (64, 48)
    wrong = run("paint", "-", stdin=b"")
    assert wrong.returncode == 1 and wrong.stderr.startswith(b"-: is empty") and wrong.stdout == b""


@pytest.mark.parametrize("format", ["tiff", "png", "webp"])
def test_any_format_goes_through_a_pipe(photo: Path, format: str) -> None:
    done = run("paint", photo, "-o", "-", "-f", format)
    assert done.returncode == 0 and Image.open(io.BytesIO(done.stdout)).size == (64, 48)


def test_a_full_or_closed_standard_output_is_one_line(photo: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "photo2anime", "paint", str(photo), "-o", "-"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1 and b"cannot write the output" in done.stderr


def test_names_the_terminal_cannot_show(photo: Path) -> None:
    import os

    odd = photo.with_name("ünï 日本.jpg")
    photo.rename(odd)
    command = [sys.executable, "-m", "photo2anime", "paint", str(odd)]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    assert subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0
    assert odd.with_name("ünï 日本-hayao.jpg").exists()


def test_a_photo_of_this_run_is_never_another_ones_result(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = photo.with_name("photo-hayao.jpg")
    Image.fromarray(photo_of(48, 64, 5)).save(other)
    before = other.read_bytes()
    assert main(["paint", str(photo), str(other)]) == 1
    assert "is itself a photo to paint" in capsys.readouterr().err
    assert other.read_bytes() == before and photo.with_name("photo-hayao-hayao.jpg").exists()


def test_junk_in_folders_is_left_alone_and_results_inside_are_not_sources(tmp_path: Path) -> None:
    source = tmp_path / "in"
    (source / "folder.jpg").mkdir(parents=True)
    (source / "._a.jpg").write_text("macOS leaves these")
    (source / "dangling.jpg").symlink_to("nowhere.jpg")
    Image.fromarray(photo_of(16, 16)).save(source / "a.jpg")
    for _ in range(2):
        assert main(["paint", str(source), "-r", "-o", str(source / "painted")]) == 0
    assert [file.name for file in (source / "painted").rglob("*.jpg")] == ["a-hayao.jpg"]


def test_an_empty_folder_is_a_failure_that_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["paint", str(tmp_path), "-r"]) == 1
    assert "no photos in this folder" in capsys.readouterr().err


def test_a_killed_run_leaves_no_temporary_file(tmp_path: Path) -> None:
    import signal
    import time

    Image.fromarray(photo_of(900, 1600)).save(tmp_path / "a.png")
    command = [sys.executable, "-m", "photo2anime", "paint", str(tmp_path / "a.png"), "-f", "avif", "-s", "all"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) in (0, 143, -signal.SIGTERM)
    assert not list(tmp_path.glob(".photo2anime*"))


def test_an_animation_is_painted_by_its_first_frame_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = [Image.fromarray(photo_of(20, 20, seed)) for seed in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert main(["paint", str(tmp_path / "a.gif")]) == 0
    assert "first of its 3 frames" in capsys.readouterr().err
    assert (tmp_path / "a-hayao.png").exists()


def test_a_bomb_is_refused_and_the_limit_can_be_raised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(photo_of(100, 100)).save(tmp_path / "a.png")
    assert main(["paint", str(tmp_path / "a.png"), "--max-megapixels", "0.005"]) == 1
    assert "--max-megapixels" in capsys.readouterr().err
    assert main(["paint", str(tmp_path / "a.png")]) == 0


def test_styles_and_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["styles"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in list_styles())
    assert main(["styles", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["name"] == "hayao"
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert all(
        word in said
        for word in (
            "onnxruntime",
            "device cpu: works",
            "in 8 bits",
            "for video: cel-fast.onnx",
            "is right",
            "memory",
            "speed: 512x512",
        )
    )


def test_doctor_finds_a_damaged_style(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from photo2anime.inference import weights

    bundles = tmp_path / "bundles"
    bundles.mkdir()
    for file in weights.BUNDLES.glob("*.onnx"):
        (bundles / file.name).write_bytes(file.read_bytes())
    for damaged in (list_styles()["shinkai"].file, str(list_styles()["shinkai"].int8_file)):
        (bundles / damaged).write_bytes(b"half a downl")
    monkeypatch.setattr(weights, "BUNDLES", bundles)
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "is not the file that was shipped" in said and "mend:" in said
    assert main(["paint", "x.jpg", "-s", "shinkai"]) == 2


def test_what_is_typed_first(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out.count("\n  photo2anime ") >= 5
    assert main([str(photo)]) == 0 and photo.with_name("photo-hayao.jpg").exists()
    assert main(["-s", "cel", "-s", "paprika", str(photo)]) == 0
    assert photo.with_name("photo-cel.jpg").exists() and photo.with_name("photo-paprika.jpg").exists()
    assert main(["pain", "photo"]) == 2
    assert "did you mean paint?" in capsys.readouterr().err
    assert main(["help", "stiles"]) == 2
    assert "stiles is no command; did you mean styles?" in capsys.readouterr().err
    for words, said in ((["help", "paint"], "examples:"), (["-V"], "photo2anime "), (["help"], "COMMAND")):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 0 and said in capsys.readouterr().out


def test_a_folder_is_painted_without_its_folders(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (photo.parent / "deep").mkdir()
    (photo.parent / "deep" / "b.jpg").write_bytes(photo.read_bytes())
    assert main([str(photo.parent), "--dry-run"]) == 0
    said = capsys.readouterr()
    assert "photo-hayao.jpg in hayao" in said.out and "-r looks into them: deep" in said.err
    assert (
        main([str(photo.parent), "-r", "--quiet", "--name-as", "{style}/{stem}{ext}", "-o", f"{photo.parent}/o/"]) == 0
    )
    assert capsys.readouterr().out == "" and (photo.parent / "o" / "deep" / "hayao" / "b.jpg").exists()


def test_videos_and_photos_in_one_go(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("photo2anime.video.convert.video", lambda options: asked.append(options) or 0)
    clip = photo.with_name("clip.MP4")
    clip.write_bytes(b"")
    assert main([str(clip), "-s", "cel,hayao", "--crf", "30"]) == 0
    assert [(o.source, o.paint.style, o.crf) for o in asked] == [(str(clip), "cel", 30), (str(clip), "hayao", 30)]
    assert main([str(clip), str(photo), "-s", "cel"]) == 0
    assert asked[-1].paint.style == "cel" and photo.with_name("photo-cel.jpg").exists()
    assert main(["video", str(photo.parent)]) == 0 and asked[-1].source == str(clip)
    assert main(["video", str(clip), "-s", "cel,hayao", "-o", "one.mp4"]) == 2


def test_settings_come_from_a_file_the_environment_and_the_command_line(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    file = tmp_path / "photo2anime" / "config.toml"
    file.parent.mkdir()
    file.write_text('style = "cel"\nstrength = 0.5\n[paint]\nformat = "png"\nkeep-color = true\n')
    assert main([str(photo)]) == 0 and photo.with_name("photo-cel.png").exists()
    monkeypatch.setenv("PHOTO2ANIME_STYLE", "paprika")
    assert main([str(photo)]) == 0 and photo.with_name("photo-paprika.png").exists()
    assert main([str(photo), "-s", "hayao"]) == 0 and photo.with_name("photo-hayao.png").exists()
    capsys.readouterr()
    assert main(["config"]) == 0
    said = capsys.readouterr().out
    assert "strength = 0.5" in said and "style = 'paprika'  # PHOTO2ANIME_STYLE" in said and str(file) in said
    for text, wrong in (
        ("styl = 1", "did you mean style?"),
        ("strength = 9", "outside 0 to 1"),
        ('[paint]\nformat = "heic"', "invalid choice"),
        ("[pant]", "no section called pant"),
        ("x = ", "mend it"),
        ("keep_color = 3", "give true or false"),
    ):
        file.write_text(text)
        assert main([str(photo)]) == 2 and wrong in capsys.readouterr().err


def test_threads_are_held_to(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from photo2anime.inference.runtime import cpu_threads

    monkeypatch.setenv("PHOTO2ANIME_THREADS", "7")
    assert cpu_threads() == 7
    assert main([str(photo), "--threads", "1"]) == 0 and cpu_threads() == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shtab")
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert ("keep-color" if shell == "fish" else "--keep-color") in script  # fish: -l keep-color
    if (program := shutil.which(shell)) is None:
        return
    (tmp_path / "script").write_text(script)
    subprocess.run([program, "-n", tmp_path / "script"], check=True)
    if shell == "bash":
        (tmp_path / "photo.jpg").touch()
        words = "COMP_WORDS=(photo2anime paint ph); COMP_CWORD=2; _shtab_photo2anime; echo ${COMPREPLY[@]}"
        done = subprocess.run([program, "-c", f". ./script; {words}"], cwd=tmp_path, capture_output=True, text=True)
        assert done.stdout.strip() == "photo.jpg", done


def test_the_manual_page_tells_all_that_help_does() -> None:
    def words(text: str) -> str:
        return re.sub(r"\W+", " ", re.sub(r"\\(?:f.|&|\(..)", "", text))

    page = words((ROOT / "man" / "photo2anime.1").read_text(encoding="utf-8"))
    for name, command in parser_and_commands()[1].items():
        assert f" {name} " in page and words(__version__) in page
        for action in command._actions:
            told = [*action.option_strings, (action.help or "") % (vars(action) | {"prog": command.prog})]
            lacking = [text for text in told if action.help != argparse.SUPPRESS and words(text).strip() not in page]
            assert not lacking or "--help" in action.option_strings, f"{name}: {lacking}: run `make man`"


def test_the_version_is_told() -> None:
    done = run("--version")
    assert done.returncode == 0 and done.stdout.startswith(b"photo2anime ")
